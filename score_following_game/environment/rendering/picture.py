"""The picture of a game, used for the window, videos, PNG files and gymnasium's rgb_array."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sharp_sheet import sharp_sheet_of
from score_following_game.environment.game import Game
from score_following_game.environment.rendering import drawing
from score_following_game.environment.rendering.drawing import (
    AGENT,
    BOUNDS,
    FAINT,
    INK,
    PAPER,
    TARGET,
    Box,
    bar,
    filled,
    framed,
    text,
)
from score_following_game.environment.rendering.names import clock, title
from score_following_game.opencv import cv2

WIDTH, HEIGHT = 1280, 720
SHEET: Box = (20, 92, 1240, 312)
SPECTROGRAM: Box = (70, 472, 500, 208)
BARS = (660, 490, 530)  # left, top of the first bar, width
BAR_HEIGHT, BAR_PITCH = 12, 46
POINTERS = 20  # height of the space for pointers above and below the sheet, pixels
MOST_VALUE, MOST_SPEED = 25.0, 15.0  # full length of the bars, as in 2018 (speed in pixels per frame)


@dataclass(frozen=True)
class Meter:
    """A bar of the picture for something outside the game. value: from 0 to `most`. number: the value as it is written."""

    label: str
    value: float
    most: float
    number: str


@dataclass(frozen=True)
class Overlay:
    """Content of the picture that is not part of the game's state.

    reward: of the last step. score: sum of rewards since the reset. value: the critic's estimate, None without a critic, nan
    before its first one. confidence: of the player in its position, 0 to 1; None for players that have none. show_target:
    show the true position, where it is known. message: how the game ended. hint: faint text in the message's place until
    then. person: a person plays instead of an agent. meters: further bars.
    """

    reward: float = 0.0
    score: float = 0.0
    value: float | None = None
    confidence: float | None = None
    show_target: bool = True
    message: str = ""
    hint: str = ""
    person: bool = False
    meters: tuple[Meter, ...] = ()


@dataclass(frozen=True)
class _View:
    """The state of one game as plain numbers; x and true_x in unpadded pixels. timed: whether true_x is known."""

    piece: int
    frame: int
    last_frame: int
    x: float
    true_x: float
    speed: float
    timed: bool


def render(game: Game, overlay: Overlay = Overlay(), index: int = 0) -> np.ndarray:
    """Draw game `index` of a batch: uint8 (720, 1280, 3), BGR."""
    view = _view(game, index)
    if not view.timed:
        overlay = replace(overlay, show_target=False)
    image = drawing.blank((WIDTH, HEIGHT))
    _draw_header(image, game, view)
    _draw_sheet(image, game, view, overlay)
    _draw_legend(image, view, overlay)
    _draw_spectrogram(image, game, view, overlay)
    _draw_bars(image, game, view, overlay)
    _draw_message(image, overlay)
    return image


def _view(game: Game, index: int) -> _View:
    pad = game.config.sheet_pad
    piece = int(game.piece[index])
    return _View(
        piece,
        int(game.frame[index]),
        int(game.bank.last_onset[piece]),
        float(game.x[index]) - pad,
        float(game.true_position()[index]) - pad,
        float(game.speed[index]),
        game.bank.pieces[piece].timed,
    )


def _draw_header(image: np.ndarray, game: Game, view: _View) -> None:
    """The piece's name, the time and a progress bar."""
    fps = game.config.spectrogram_params.fps
    left, _, width, _ = SHEET
    ends = view.last_frame > 0  # not known of music that is played live; the bar then shows the place in the sheet
    now = f"{clock(view.frame / fps)}" + (f" / {clock(view.last_frame / fps)}" if ends else "")
    frame = f"frame {view.frame}" + (f" of {view.last_frame}" if ends else "")
    used = text(image, now, (left + width, 42), 24, INK, bold=True, align="right")
    used += text(image, frame, (left + width - used - 24, 42), 17, FAINT, align="right")
    name = drawing.shortened(title(game.bank.names[view.piece]), 28, width - used - 60, bold=True)
    text(image, name, (left, 43), 28, INK, bold=True)
    filled(image, (left, 62, width, 6), drawing.RULE)
    share = view.frame / view.last_frame if ends else view.x / game.bank.pieces[view.piece].sheet.shape[1]
    filled(image, (left, 62, round(width * min(max(share, 0.0), 1.0)), 6), drawing.VALUE)


def _draw_sheet(image: np.ndarray, game: Game, view: _View, overlay: Overlay) -> None:
    """The sheet around the agent, which is always in the middle; the paper outside its window is darker."""
    config = game.config
    piece = game.bank.pieces[view.piece]
    left, top, width, height = SHEET
    rows = piece.sheet.shape[0]
    scale = _strip_scale(config, rows)
    shown = round(rows * scale)
    top += (height - shown) // 2
    filled(image, SHEET, (232, 230, 228))
    panel = image[top : top + shown, left : left + width]
    panel[:] = _sheet_excerpt(piece, view.x, scale, width, shown)[:, :, None]

    middle, seen = width / 2, config.sheet_context / 2 * scale
    window_top = round((rows // 2 - config.staff_height // 2) * scale)
    window = (round(middle - seen), window_top, round(2 * seen), round(config.staff_height * scale))
    _darken_around(panel, window)
    lost = (config.threshold + 1) * scale  # the error is truncated before it is compared
    for edge in (middle - lost, middle + lost) if view.timed else ():
        drawing.upright(panel, edge, 0, shown, BOUNDS, 2, dash=8)
    framed(panel, window, INK, 2)
    if overlay.show_target:
        target = middle + (view.true_x - view.x) * scale
        drawing.tinted(panel, (round(target) - 6, 0, 12, shown), TARGET, 0.25)
        drawing.upright(panel, target, 0, shown, TARGET, 3)
        if 0 <= target < width:
            drawing.pointer(image, left + target, top - 1, TARGET, down=True)
    drawing.tinted(panel, (round(middle) - 6, 0, 12, shown), AGENT, 0.25)
    drawing.upright(panel, middle, 0, shown, AGENT, 3)
    drawing.pointer(image, left + middle, top + shown, AGENT, down=False)


def _strip_scale(config: GameConfig, rows: int) -> float:
    """Pixels of the picture per pixel of a sheet of some rows."""
    _, _, width, height = SHEET
    # The panel shows twice the width of the agent's window; a high sheet is limited by the panel's height and shows more.
    return min(width / (2 * config.sheet_context), (height - 2 * POINTERS) / rows)


def sheet_x_at(game: Game, point: tuple[float, float], index: int = 0) -> float | None:
    """The x of the sheet, unpadded pixels, that the picture of a game shows at a point (x, y); None outside the sheet."""
    left, top, width, height = SHEET
    view = _view(game, index)
    sheet = game.bank.pieces[view.piece].sheet
    if not (left <= point[0] < left + width and top <= point[1] < top + height):
        return None
    x = view.x + (point[0] - left - width / 2) / _strip_scale(game.config, sheet.shape[0])
    return x if 0 <= x < sheet.shape[1] else None


def _sheet_excerpt(piece: Piece, x: float, scale: float, width: int, height: int) -> np.ndarray:
    """uint8 (height, width): the enlarged sheet with column x in the middle; x may be fractional, for smooth motion.

    From the piece's sharp sheet, if it has one.
    """
    sharp = sharp_sheet_of(piece)
    sheet = piece.sheet if sharp is None else sharp
    factor = sheet.shape[0] // piece.sheet.shape[0]
    centre = (factor - 1) / 2  # column and row of the sharp sheet in the middle of column and row 0
    scale, x = scale / factor, factor * x + centre
    mapping = np.array([[1 / scale, 0, x - width / 2 / scale], [0, 1 / scale, centre]])
    smooth = cv2.INTER_LINEAR if scale < 1.5 else cv2.INTER_CUBIC
    return cv2.warpAffine(
        sheet,
        mapping,
        (width, height),
        flags=smooth | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=int(sheet.max()),
    )


def _darken_around(panel: np.ndarray, window: Box) -> None:
    left, top, width, height = window
    inside = panel[top : top + height, left : left + width].copy()
    cv2.convertScaleAbs(panel, panel, alpha=0.84)
    panel[top : top + height, left : left + width] = inside


def _draw_legend(image: np.ndarray, view: _View, overlay: Overlay) -> None:
    x, y = SHEET[0], SHEET[1] + SHEET[3] + 26
    target = "true position" if overlay.show_target else "true position: hidden"
    player, sees = ("you", "what an agent sees") if overlay.person else ("agent", "what the agent sees")
    known = ((target, TARGET, False), ("lost beyond these", BOUNDS, True)) if view.timed else ()
    for label, colour, dashed in ((player, AGENT, False), *known, (sees, INK, False)):
        if label == sees:
            framed(image, (x, y - 12, 20, 13), colour, 2)
        else:
            for part in ((0, 8), (12, 8)) if dashed else ((0, 20),):
                filled(image, (x + part[0], y - 8, part[1], 4), colour)
        x += 28 + text(image, label, (x + 28, y), 16, INK) + 34


def _draw_spectrogram(image: np.ndarray, game: Game, view: _View, overlay: Overlay) -> None:
    """The spectrogram excerpt, low bands at the bottom; in a right_most game the current frame is at the right."""
    config = game.config
    left, top, width, height = SPECTROGRAM
    first = view.frame + config.frames_ahead - config.spec_context
    spectrogram = game.bank.pieces[view.piece].spectrogram
    excerpt = _heard(spectrogram, first, config.spec_context)
    loudest = (
        float(spectrogram.max(initial=0.0)) or 1.0
    )  # of the whole piece, so that a colour always stands for the same level
    levels = np.clip(excerpt[::-1] * (255 / loudest), 0, 255).astype(np.uint8)
    picture = cv2.applyColorMap(cv2.resize(levels, (width, height), interpolation=cv2.INTER_NEAREST), cv2.COLORMAP_MAGMA)
    image[top : top + height, left : left + width] = picture
    framed(image, (left - 1, top - 1, width + 2, height + 2), FAINT)
    fps = config.spectrogram_params.fps
    text(image, "the music, as an agent hears it" if overlay.person else "what the agent hears", (left, top - 9), 16, FAINT)
    text(image, "6 kHz", (left - 8, top + 12), 13, FAINT, align="right")
    text(image, "60 Hz", (left - 8, top + height), 13, FAINT, align="right")
    text(image, f"{(first - view.frame) / fps:+.1f} s", (left, top + height + 19), 13, FAINT)
    end = (first + config.spec_context - view.frame) / fps
    text(image, f"{end:+.1f} s" if end else "now", (left + width, top + height + 19), 13, FAINT, align="right")


def _heard(spectrogram: np.ndarray, first: int, length: int) -> np.ndarray:
    """float32 (78, length): frames from `first` on; silence outside the spectrogram."""
    result = np.zeros((spectrogram.shape[0], length), np.float32)
    begin, end = max(first, 0), min(first + length, spectrogram.shape[1])
    if begin < end:
        result[:, begin - first : end - first] = spectrogram[:, begin:end]
    return result


def _draw_bars(image: np.ndarray, game: Game, view: _View, overlay: Overlay) -> None:
    config = game.config
    error = view.x - view.true_x
    seen_error = abs(error) if overlay.show_target else None  # the error would reveal the target
    error_text = f"{error:+.0f}" if overlay.show_target else "hidden"
    rows: list[tuple[str, float | None, float, str, float | None]] = [
        ("speed, px/frame", view.speed, MOST_SPEED, f"{view.speed:+.1f}", None)
    ]
    if view.timed:
        rows += [
            ("error, px; lost at the mark", seen_error, config.sheet_context // 2, error_text, config.threshold),
            ("reward", overlay.reward, 1.0, f"{overlay.reward:+.2f}", None),
            ("total score", overlay.score, view.last_frame, f"{overlay.score:.1f}", None),
        ]
    if overlay.value is not None:
        known = math.isfinite(overlay.value)
        rows.append(
            (
                "value: reward the critic expects",
                overlay.value if known else None,
                MOST_VALUE,
                f"{overlay.value:.1f}" if known else "-",
                None,
            )
        )
    if overlay.confidence is not None:
        rows.append(("confidence in the position", overlay.confidence, 1.0, f"{overlay.confidence:.2f}", None))
    rows += [(meter.label, meter.value, meter.most, meter.number, None) for meter in overlay.meters]
    left, top, width = BARS
    for row, (label, value, most, number, mark) in enumerate(rows):
        bar(image, (left, top + row * BAR_PITCH, width, BAR_HEIGHT), label, value, most, number, mark)


def _draw_message(image: np.ndarray, overlay: Overlay) -> None:
    """Draw the message, or else the hint, at the right of the legend's row, where it covers nothing."""
    right, top = SHEET[0] + SHEET[2], SHEET[1] + SHEET[3]
    if not overlay.message:
        text(image, overlay.hint, (right, top + 26), 16, FAINT, align="right")
        return
    wide = drawing.text_width(overlay.message, 19, bold=True) + 28
    filled(image, (right - wide, top + 8, wide, 32), INK)
    text(image, overlay.message, (right - wide // 2, top + 31), 19, PAPER, bold=True, align="centre")
