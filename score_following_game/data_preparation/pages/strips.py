"""Cuts a system out of its page: level, at the staff space of a style, and as dark as engraved sheets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from score_following_game.data_preparation.engraving.style import SVG_PER_SPACE, Style
from score_following_game.data_preparation.pages.paper import Paper
from score_following_game.data_preparation.pages.staff import Staff
from score_following_game.data_preparation.pages.systems import System
from score_following_game.data_processing.page_map import StaffPlace, SystemPlace
from score_following_game.opencv import cv2

_LINE = 0.17  # staff spaces: thickness of staff lines of engraved sheets where the style does not say
_DARKEN = 1.8  # what is half as dark as ink where a line should be is made nearly as dark as ink
_BLACK, _WHITE = 0.12, 0.85  # shares of the contrast that become black and white
_POINTS = 17  # of a system's course that are kept


@dataclass(frozen=True)
class Strip:
    """image: uint8 (height, width), 0 = ink.  sharp: the same, style.sharp times as large.  place: where it is on its
    page, for a sheet that begins with this strip.
    """

    image: np.ndarray = field(repr=False)
    sharp: np.ndarray = field(repr=False)
    place: SystemPlace


def cut(paper: Paper, system: System, style: Style, page: int, number: int) -> Strip:
    """Cut a system around the middle of its staves. page, number: see SystemPlace."""
    scale = style.staff_space / system.space
    width = max(2, round((system.right - system.left + 1) * scale))
    fine = scale * style.sharp
    x = system.left + (np.arange(width * style.sharp) + 0.5) / fine - 0.5
    middle = system.middle(x)
    shift = _row_of_line(system, style, scale)
    rows = (np.arange(style.height * style.sharp) + 0.5) / style.sharp - style.height / 2 - shift
    y = middle + rows[:, None] / scale
    across = np.broadcast_to(x, y.shape)
    sharp = cv2.remap(
        paper.image,
        across.astype(np.float32),
        y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderValue=255,
        borderMode=cv2.BORDER_CONSTANT,
    )
    sharp = _as_black(sharp, paper)
    for staff in system.staves:
        _darken_lines(sharp, (staff.middle(x) - y[0]) * fine, staff.space * fine, style)
    image = cv2.resize(sharp, (width, style.height), interpolation=cv2.INTER_AREA)
    return Strip(image, sharp, _place(paper, system, width, scale, page, number))


def _row_of_line(system: System, style: Style, scale: float) -> float:
    """Rows by which the system is moved down so that its highest line is on the middle of a row, as in engraved sheets."""
    centred = style.height / 2 - (system.bottom - system.top) / 2 * scale
    return math.floor(centred + 1e-6) + 0.5 - centred


def _as_black(image: np.ndarray, paper: Paper) -> np.ndarray:
    """Ink as 0 and paper as 255."""
    black, white = paper.ink + _BLACK * paper.contrast, paper.ink + _WHITE * paper.contrast
    return np.clip((image.astype(np.float32) - black) * (255 / (white - black)), 0, 255).astype(np.uint8)


def _darken_lines(sharp: np.ndarray, middle: np.ndarray, space: float, style: Style) -> None:
    """Make the lines of a staff as thick and dark as in engraved sheets, where the print has them.

    middle: float64 (columns,), row of the middle line.  space: rows between lines.
    """
    thickness = (style.line_stroke / SVG_PER_SPACE if style.line_stroke else _LINE) * space
    reach = math.ceil(thickness / 2) + 1
    columns = np.arange(sharp.shape[1])
    for number in range(-2, 3):
        centre = middle + number * space
        rows = np.floor(centre).astype(int) + np.arange(-reach, reach + 1)[:, None]
        inside = (rows >= 0) & (rows < len(sharp))
        rows = np.clip(rows, 0, len(sharp) - 1)
        darkness = 1 - np.where(inside, sharp[rows, columns], 255).min(0) / np.float32(255)
        smooth = cv2.blur(darkness[None], (2 * round(space / 2) + 1, 1), borderType=cv2.BORDER_REPLICATE)[0]
        strength = np.clip(_DARKEN * smooth, 0, 1)
        covered = np.clip(thickness / 2 + 0.5 - np.abs(rows - centre), 0, 1)
        line = np.where(inside, 255 * (1 - covered * strength), 255)
        sharp[rows, columns] = np.where(inside, np.minimum(sharp[rows, columns], line), sharp[rows, columns]).astype(np.uint8)


def _place(paper: Paper, system: System, width: int, scale: float, page: int, number: int) -> SystemPlace:
    sheet_x = np.linspace(0, width, _POINTS)
    x = system.left + sheet_x / scale - 0.5
    page_x, page_y = paper.to_page(x, system.middle(x))
    ends = np.array([system.left, system.right])
    upper, lower = system.staves[0], system.staves[-1]
    above = paper.to_page(ends, upper.middle(ends) - 2 * upper.space)
    below = paper.to_page(ends, lower.middle(ends) + 2 * lower.space)
    corners = [*zip(*above), *reversed(list(zip(*below)))]
    return SystemPlace(
        page,
        number,
        0,
        width,
        _rounded(sheet_x - 0.5),
        _rounded(page_x),
        _rounded(page_y),
        [_rounded(np.array(corner)) for corner in corners],
        [_staff_place(paper, staff) for staff in system.staves],
    )


def _staff_place(paper: Paper, staff: Staff) -> StaffPlace:
    x = np.linspace(staff.left, staff.right, _POINTS)
    page_x, page_y = paper.to_page(x, staff.middle(x))
    return StaffPlace(_rounded(page_x), _rounded(page_y), round(staff.space * paper.page_pixels, 3))


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 2) for value in values]
