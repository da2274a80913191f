"""Cuts the staff systems out of one page of a raw MSMD score and assigns each its noteheads.

Guessed: the class names of systems; that corner files hold (y, x), unless their boxes would then be higher than wide; that the
boxes contain the staff lines to within 4 px.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.files import read_array, read_picture
from score_following_game.data_preparation.msmd.mung import MungObject, read_mung
from score_following_game.opencv import cv2

_STYLE = STYLES["msmd"]
_SYSTEM_CLASSES = ("system", "staffsystem")
_SLACK = 4  # pixels by which a box may miss its outer staff lines
_INK = 192  # darker pixels are ink; thin lines are grey


@dataclass(frozen=True)
class Notehead:
    """page: name of its file.  y, x: centre, in pixels of the system's image (whole at a pixel's centre).  width: pixels."""

    page: str
    ids: tuple[str, ...]
    y: float
    x: float
    width: float
    data: dict[str, str]


@dataclass(frozen=True)
class CroppedSystem:
    """A staff system. image: uint8 (200, width), 0 = ink.  staves: number.  staff_space: pixels between two staff lines."""

    image: np.ndarray
    heads: list[Notehead]
    staves: int
    staff_space: float


def read_page(folder: Path, page: str) -> list[CroppedSystem]:
    """The systems of img/PAGE.png from top to bottom. A page wider than the published pages is scaled down to their width.

    The boxes of the systems come from coords/systems_PAGE.npy, or else from mung/PAGE.xml. Raises EngravingError if a file is
    missing or broken, or if the page has no systems.
    """
    picture = read_picture(folder / "img" / f"{page}.png")
    objects = read_mung(folder / "mung" / f"{page}.xml")
    corners = folder / "coords" / f"systems_{page}.npy"
    boxes = _read_corners(corners) if corners.is_file() else _system_boxes(objects, picture)
    if not len(boxes):
        raise EngravingError("page without systems", f"{folder / 'img' / page}.png")
    height, width = picture.shape
    new_width = min(width, _STYLE.page_width)
    size = new_width, max(1, round(height * new_width / width))
    scale = np.array([size[1] / height, size[0] / width] * 2)  # of y, x, y, x
    if new_width < width:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    boxes = boxes[np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")] * scale
    lines = [_staff_lines(picture, box, f"{folder / 'img' / page}.png") for box in boxes]
    heads_of: list[list[MungObject]] = [[] for _ in boxes]
    for head in (item for item in objects if "notehead" in item.kind):
        heads_of[_nearest_system(head, lines, scale[0])].append(head)
    return [_crop(picture, box, rows, heads, scale, page) for box, rows, heads in zip(boxes, lines, heads_of)]


def _nearest_system(head: MungObject, lines: list[np.ndarray], scale: float) -> int:
    y = (head.box[0] + head.box[2]) / 2 * scale - 0.5
    distances = [max(rows[0] - y, y - rows[-1], 0) for rows in lines]
    return int(np.argmin(distances))


def _crop(
    picture: np.ndarray,
    box: np.ndarray,
    lines: np.ndarray,
    heads: list[MungObject],
    scale: np.ndarray,
    page: str,
) -> CroppedSystem:
    """Crop a system so that its staves are centred vertically. Rows beyond the edge of the page are white."""
    upper = round(lines[0]) - math.floor(_STYLE.height / 2 - (lines[-1] - lines[0]) / 2 + 1e-6)
    left, right = max(0, math.floor(box[1])), min(picture.shape[1], math.ceil(box[3]))
    image = np.full((_STYLE.height, right - left), 255, np.uint8)
    first, last = max(0, upper), min(picture.shape[0], upper + _STYLE.height)
    image[first - upper : last - upper] = picture[first:last, left:right]
    placed = []
    for head in heads:
        top, west, bottom, east = np.array(head.box) * scale
        y, x = float((top + bottom) / 2 - 0.5 - upper), float((west + east) / 2 - 0.5 - left)
        placed.append(Notehead(page, head.ids, y, x, float(east - west), head.data))
        if not -0.5 <= x <= image.shape[1] - 0.5:
            raise EngravingError("noteheads outside their system", f"page {page}, notehead {'/'.join(head.ids)}")
    return CroppedSystem(image, placed, round(len(lines) / 5), float(np.median(np.diff(lines))))


def _staff_lines(picture: np.ndarray, box: np.ndarray, where: str) -> np.ndarray:
    """Rows of the staff lines (float, ascending): those where more than half of the box's columns are ink."""
    top, left = max(0, math.floor(box[0]) - _SLACK), max(0, math.floor(box[1]))
    part = picture[top : math.ceil(box[2]) + _SLACK, left : math.ceil(box[3])]
    darkness = 255.0 - np.median(part, axis=1) if part.size else np.zeros(1)
    is_line = darkness > 255 - _INK
    runs = np.flatnonzero(np.diff(np.concatenate([[False], is_line, [False]]))).reshape(-1, 2)
    lines = np.array([np.average(np.arange(start, end), weights=darkness[start:end]) for start, end in runs]) + top
    outer = np.diff(lines)[[0, 1, 2, 3, -4, -3, -2, -1]] if len(lines) >= 5 else np.zeros(1)
    if not outer.all() or np.abs(outer / np.median(outer) - 1).max() > 0.25:
        raise EngravingError("no staff lines", f"{where}: {len(lines)} lines in the system at row {box[0]:.0f}")
    return lines


def _read_corners(path: Path) -> np.ndarray:
    """Boxes of the systems, float (n, 4): top, left, bottom, right. The file holds the four corners of each."""
    corners = read_array(path)
    if not corners.size:
        return np.zeros((0, 4))
    if corners.dtype.kind not in "iuf" or corners.size % 8 or corners.shape[0] * 8 != corners.size:
        raise EngravingError("broken array", f"{path}: {corners.dtype} {corners.shape}, expected numbers (n, 4, 2)")
    corners = corners.reshape(-1, 4, 2).astype(np.float64)
    if not np.isfinite(corners).all():
        raise EngravingError("broken array", f"{path}: not all numbers are finite")
    low, high = corners.min(axis=1), corners.max(axis=1)
    if (high - low)[:, 0].sum() > (high - low)[:, 1].sum():  # systems are wider than high, so these are (x, y)
        low, high = low[:, ::-1], high[:, ::-1]
    return np.hstack([low, high])


def _system_boxes(objects: list[MungObject], picture: np.ndarray) -> np.ndarray:
    """Boxes of the system objects, float (n, 4). If there are none, staves that a bar line joins form a system."""
    if systems := [item.box for item in objects if item.kind in _SYSTEM_CLASSES]:
        return np.array(systems)
    boxes: list[np.ndarray] = []
    for staff in map(np.array, sorted(item.box for item in objects if item.kind == "staff")):
        if boxes and _joined(picture, boxes[-1], staff):
            boxes[-1] = np.concatenate([np.minimum(boxes[-1], staff)[:2], np.maximum(boxes[-1], staff)[2:]])
        else:
            boxes.append(staff)
    return np.array(boxes).reshape(-1, 4)


def _joined(picture: np.ndarray, above: np.ndarray, below: np.ndarray) -> bool:
    """Returns True if a bar line crosses the rows between two boxes."""
    top, bottom = math.ceil(above[2]), math.floor(below[0])
    left, right = max(0, math.floor(min(above[1], below[1])) - _SLACK), math.ceil(max(above[3], below[3])) + _SLACK
    return bool((picture[top:bottom, left:right] < _INK).all(axis=0).any())
