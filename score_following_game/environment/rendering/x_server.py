"""What the X server shows of one of OpenCV's windows, and mapping a window anew that stays black."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from score_following_game.opencv import cv2

ROUNDS, ROUND = 6, 0.5  # how often a window is mapped anew, and seconds to wait for its picture each time
STEP = 20  # milliseconds between two looks


def show_for_certain(title: str, picture: np.ndarray) -> None:
    """Wait until the window of this title shows something of the picture, uint8 (H, W, 3); map it anew where it does not.

    On a busy machine OpenCV's Qt now and then loses the event that says that its new window is mapped. It takes the window to
    be hidden then and never draws it: the window stays black. Keys pressed meanwhile are lost. Does nothing where the window is
    not drawn by Qt on an X server that this process can ask.
    """
    if not _draws_by_x() or (picture == picture[0, 0]).all():
        return
    with contextlib.suppress(Exception), _connection() as connection:  # the game is possible without this
        for _ in range(ROUNDS):
            if _appears(connection, title):
                return
            for window in _own_windows(connection, title):
                window.unmap()
                window.map()
            connection.sync()


def _draws_by_x() -> bool:
    """Returns True if OpenCV draws by Qt on an X server, as its packages for Linux do."""
    by_qt = cv2.currentUIFramework().startswith("QT")
    return sys.platform.startswith("linux") and by_qt and os.environ.get("QT_QPA_PLATFORM", "xcb").startswith("xcb")


@contextlib.contextmanager
def _connection() -> Iterator[Any]:
    from Xlib.display import Display  # of python-xlib

    connection = Display()
    try:
        yield connection
    finally:
        connection.close()


def _appears(connection: Any, title: str) -> bool:
    """Whether the window shows a picture within a round."""
    end = time.monotonic() + ROUND
    while time.monotonic() < end:
        cv2.waitKeyEx(STEP)
        if any(_is_drawn(window) for window in _own_windows(connection, title)):
            return True
    return False


def _is_drawn(window: Any) -> bool:
    """Whether a window's content has more than one colour. Also True where other windows or the screen's edge hide parts."""
    from Xlib.error import BadMatch
    from Xlib.X import ZPixmap

    size = window.get_geometry()
    try:
        content = window.get_image(0, 0, size.width, size.height, ZPixmap, 0xFFFFFFFF)
    except BadMatch:  # not wholly on the screen
        return True
    pixels = np.frombuffer(content.data[: 4 * size.width * size.height], np.uint32)
    return bool((pixels != pixels[0]).any())


def _own_windows(connection: Any, title: str) -> list[Any]:
    """This process's windows of this title, also those that a window manager has put into frames."""
    pid = connection.intern_atom("_NET_WM_PID")
    found, below = [], [connection.screen().root]
    while below:
        for window in below.pop().query_tree().children:
            below.append(window)
            owner = window.get_full_property(pid, 0)
            if owner is not None and owner.value[0] == os.getpid() and window.get_wm_name() == title:
                found.append(window)
    return found
