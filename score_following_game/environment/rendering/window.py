"""The OpenCV window in which a person watches and plays, and key presses in it or, by pynput, anywhere."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import time
from collections import deque

import numpy as np

from score_following_game.environment.rendering.display import has_display
from score_following_game.environment.rendering.x_server import show_for_certain
from score_following_game.errors import UserError
from score_following_game.opencv import cv2
from score_following_game.optional_libraries import require_libraries

TITLE = "Score Following"
ESCAPE, SPACE, ENTER = "\x1b", " ", "\r"
UP, DOWN, LEFT, RIGHT = "up", "down", "left", "right"
_ARROWS = {  # codes of cv2.waitKeyEx in Qt and GTK (X keysyms; 0xff95 and above on the keypad), Windows and macOS
    **dict.fromkeys((0xFF52, 0xFF97, 0x260000, 0xF700), UP),
    **dict.fromkeys((0xFF54, 0xFF99, 0x280000, 0xF701), DOWN),
    **dict.fromkeys((0xFF51, 0xFF96, 0x250000, 0xF702), LEFT),
    **dict.fromkeys((0xFF53, 0xFF98, 0x270000, 0xF703), RIGHT),
}
_SLICE = 0.02  # seconds between two polls of the keys


class Window:
    """Shows pictures and reports key presses.

    Raises UserError where no window can be opened; the message ends with `advice`.
    """

    def __init__(self, title: str = TITLE, advice: str = "draw into an array or a file instead") -> None:
        require_display(advice)
        self.title = title
        self._shown = False
        self._picture = np.zeros((1, 1, 3), np.uint8)  # shown last
        self._size = (0, 0)  # width and height of the window when it was drawn
        self._shrunk = 1.0  # by which the picture was made smaller
        self._pressed: list[str] = []  # not yet returned by keys()
        self._clicked: list[tuple[float, float]] = []  # not yet returned by clicks()

    def show(self, picture: np.ndarray) -> None:
        """Show a picture, uint8 (H, W, 3), BGR."""
        first = not self._shown
        if first:
            _give_qt_fonts()
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self.title, picture.shape[1], picture.shape[0])
            cv2.setMouseCallback(self.title, self._note_click)
            self._shown = True
        self._picture = picture
        self._draw()
        self._note(cv2.waitKeyEx(1))  # OpenCV draws the window only while keys are polled
        if first:
            show_for_certain(self.title, picture)

    def _draw(self) -> None:
        """Draw the picture, made as small as a smaller window; OpenCV's own scaling drops lines of letters."""
        self._size = self._size_now()
        rows, columns = self._picture.shape[:2]
        scale = min(self._size[0] / columns, self._size[1] / rows)
        self._shrunk = scale if 0 < scale < 1 else 1.0
        if self._shrunk < 1:
            size = max(1, round(columns * scale)), max(1, round(rows * scale))
            cv2.imshow(self.title, cv2.resize(self._picture, size, interpolation=cv2.INTER_AREA))
        else:
            cv2.imshow(self.title, self._picture)

    def _size_now(self) -> tuple[int, int]:
        _, _, width, height = cv2.getWindowImageRect(self.title)
        return width, height

    def keys(self, seconds: float = 0.0) -> list[str]:
        """Wait, then return the keys pressed since the last call, in order; a closed window counts as Escape.

        A key is its character, in lower case, or UP, DOWN, LEFT or RIGHT. Other keys without a character are left out.
        """
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            # At least a millisecond, even when late, since this call also draws the window.
            self._note(cv2.waitKeyEx(max(1, int(1000 * min(left, _SLICE)))))
            if self.closed():
                self._pressed.append(ESCAPE)
            elif self._shown and self._size_now() != self._size:
                self._draw()
            if time.monotonic() >= end or ESCAPE in self._pressed:
                pressed, self._pressed = self._pressed, []
                return pressed

    def clicks(self) -> list[tuple[float, float]]:
        """The points of the picture, (x, y) in its pixels, clicked since the last call; noticed while keys are polled."""
        clicked, self._clicked = self._clicked, []
        return clicked

    def _note_click(self, event: int, x: int, y: int, *_: object) -> None:
        if event == cv2.EVENT_LBUTTONDOWN:
            self._clicked.append((x / self._shrunk, y / self._shrunk))

    def _note(self, code: int) -> None:
        if key := key_of(code):
            self._pressed.append(key)

    def wait_for_key(self, seconds: float) -> None:
        """Wait until a key is pressed or the window is closed, at most `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.keys(_SLICE):
            pass

    def closed(self) -> bool:
        """Returns True if the person has closed the window."""
        return self._shown and cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1

    def close(self) -> None:
        if self._shown and not self.closed():
            cv2.destroyWindow(self.title)
            cv2.pollKey()
        self._shown = False


def key_of(code: int) -> str:
    """The key of a code of cv2.waitKeyEx; "" for no key, and for keys that have no name here (Shift, F1 ...)."""
    if code <= 0:
        return ""
    low = code & 0xFFFF  # GTK sets bits above these for Shift, Num Lock ...; an arrow's lowest byte is a letter's code
    return _ARROWS.get(code) or _ARROWS.get(low) or (chr(low).lower() if 0 < low < 0x100 else "")


class GlobalKeys:
    """Key presses in any window, by pynput; a key counts as pressed until it is released.

    All other keys are read from the game's own window only, since a q typed elsewhere should not end the game.
    """

    PLAYING, SWITCHING = ("w", "s", UP, DOWN), ("r",)

    def __init__(self) -> None:
        require_libraries("--keys pynput", "keys", "pynput")
        require_display("keys are read from its server")
        try:
            from pynput import keyboard
        except Exception as error:  # no X server, no permission, no package: pynput raises different exceptions
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise UserError(f"--keys pynput: pynput does not work here ({reason}); use --keys window") from None
        self._held: set[str] = set()
        self._pressed: deque[str] = deque()
        self._listener = keyboard.Listener(on_press=self._press, on_release=self._release)
        self._listener.start()

    def take(self) -> list[str]:
        """Keys pressed since the last call, then those still held down."""
        pressed = [self._pressed.popleft() for _ in range(len(self._pressed))]
        return pressed + [key for key in self._held.copy() if key in self.PLAYING]

    def close(self) -> None:
        self._listener.stop()

    def _press(self, key: object) -> None:
        name = _name(key)
        if name in self.PLAYING + self.SWITCHING and name not in self._held:  # X repeats a key that is held
            self._held.add(name)
            self._pressed.append(name)

    def _release(self, key: object) -> None:
        self._held.discard(_name(key))


def _name(key: object) -> str:
    """The character of one of pynput's keys in lower case, else its name: up, down, shift ..."""
    return (getattr(key, "char", None) or getattr(key, "name", None) or "").lower()


def require_display(advice: str) -> None:
    """Raise UserError where no window can be opened; the message ends with `advice`.

    Without a display OpenCV's Qt aborts the process instead of raising, so a first window is tried in another process.
    """
    if not has_display():
        raise UserError(f"no display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so no window can be opened; {advice}")
    problem = _trial_window(os.environ.get("DISPLAY"), os.environ.get("WAYLAND_DISPLAY"))
    if problem:
        raise UserError(f"no window can be opened here ({problem}); {advice}")


def _give_qt_fonts() -> None:
    """Point OpenCV's Qt, which has no fonts and prints many warnings about it, to those of matplotlib."""
    package = importlib.util.find_spec("matplotlib")
    if package is None or not package.submodule_search_locations:
        return
    if "QT_QPA_FONTDIR" in os.environ and not os.path.isdir(os.environ["QT_QPA_FONTDIR"]):
        os.environ["QT_QPA_FONTDIR"] = os.path.join(package.submodule_search_locations[0], "mpl-data", "fonts", "ttf")


@functools.cache
def _trial_window(display: str | None, wayland: str | None) -> str:
    """Open and close a window in another process. Returns the error, '' if there is none."""
    code = "import cv2; cv2.namedWindow('trial'); cv2.destroyAllWindows()"
    try:
        tried = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return f"the display {display or wayland} does not answer"
    if tried.returncode == 0:
        return ""
    lines = [line.strip() for line in tried.stderr.splitlines() if line.strip()]
    reasons = [line for line in lines if "display" in line.lower()] or lines[-1:] or [f"exit code {tried.returncode}"]
    return reasons[0][:160]
