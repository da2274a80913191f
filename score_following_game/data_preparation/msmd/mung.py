"""One page of a raw MSMD score: its MuNG objects, its picture, and the staff systems cut out of it.

Certain, from the papers on MUSCIMA++ and MSMD: CropObject elements with Top, Left, Width, Height in pixels of the page, a class
name (ClassName, MLClassName in the older dialect), and Data items. Guessed: the class names of systems; that corner files are
in (y, x) unless their boxes would stand upright; that a page's boxes hold the staff lines, give or take 4 px.
"""

from __future__ import annotations

import io
import math
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np

from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import EngravingError

_STYLE = STYLES["msmd"]
_LARGEST_FILE = 2**25  # bytes
_LARGEST_PICTURE = 2**26  # pixels; A4 at 600 dots per inch has 35 million
_SYSTEM_CLASSES = ("system", "staffsystem")
_SLACK = 4  # pixels by which a box may miss its outer staff lines
_INK = 192  # darker is ink; thin lines are grey
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_NUMBER = re.compile(r"\[?\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*\]?")


@dataclass(frozen=True)
class MungObject:
    """ids: every name it goes by.  kind: class name, lower case letters only.  box: top, left, bottom, right edge, pixels."""

    ids: tuple[str, ...]
    kind: str
    box: tuple[float, float, float, float]
    data: dict[str, str]


@dataclass(frozen=True)
class Notehead:
    """page: as its file is named.  y, x: centre in pixels of the strip (a whole number at a pixel's centre).  width: pixels."""

    page: str
    ids: tuple[str, ...]
    y: float
    x: float
    width: float
    data: dict[str, str]


@dataclass(frozen=True)
class Strip:
    """A staff system. image: uint8 (200, width), 0 = ink.  staff_space: pixels between two staff lines."""

    image: np.ndarray
    heads: list[Notehead]
    staves: int
    staff_space: float


def read_page(folder: Path, page: str) -> list[Strip]:
    """Systems of img/PAGE.png from top to bottom, the page scaled down to the width of the published pages if it is wider.

    System boxes come from coords/systems_PAGE.npy or else from mung/PAGE.xml. Raises EngravingError where a file is missing
    or broken, and for a page without systems.
    """
    picture = read_picture(folder / "img" / f"{page}.png")
    objects = read_mung(folder / "mung" / f"{page}.xml")
    corners = folder / "coords" / f"systems_{page}.npy"
    boxes = _read_corners(corners) if corners.is_file() else _system_boxes(objects, picture)
    if not len(boxes):
        raise EngravingError("page without systems", f"{folder / 'img' / page}.png")
    height, width = picture.shape
    wanted = min(width, _STYLE.page_width)
    size = wanted, max(1, round(height * wanted / width))
    scale = np.array([size[1] / height, size[0] / width] * 2)  # of y, x, y, x
    if wanted < width:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    boxes = boxes[np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")] * scale
    lines = [_staff_lines(picture, box, f"{folder / 'img' / page}.png") for box in boxes]
    owned: list[list[MungObject]] = [[] for _ in boxes]
    for head in (item for item in objects if "notehead" in item.kind):
        y = (head.box[0] + head.box[2]) / 2 * scale[0] - 0.5
        distances = [max(rows[0] - y, y - rows[-1], 0) for rows in lines]
        owned[int(np.argmin(distances))].append(head)
    return [_cut(picture, box, rows, heads, scale, page) for box, rows, heads in zip(boxes, lines, owned)]


def _cut(
    picture: np.ndarray,
    box: np.ndarray,
    lines: np.ndarray,
    heads: list[MungObject],
    scale: np.ndarray,
    page: str,
) -> Strip:
    """The middle between first and last staff line becomes the middle of the strip; beyond the page's edge is paper."""
    upper = round(lines[0]) - math.floor(_STYLE.height / 2 - (lines[-1] - lines[0]) / 2 + 1e-6)
    left, right = max(0, math.floor(box[1])), min(picture.shape[1], math.ceil(box[3]))
    image = np.full((_STYLE.height, right - left), 255, np.uint8)
    first, last = max(0, upper), min(picture.shape[0], upper + _STYLE.height)
    image[first - upper : last - upper] = picture[first:last, left:right]
    placed = []
    for head in heads:
        top, west, bottom, east = np.array(head.box) * scale
        placed.append(
            Notehead(
                page,
                head.ids,
                float((top + bottom) / 2 - 0.5 - upper),
                float((west + east) / 2 - 0.5 - left),
                float(east - west),
                head.data,
            )
        )
        if not -0.5 <= placed[-1].x <= image.shape[1] - 0.5:
            raise EngravingError("noteheads outside their system", f"page {page}, notehead {'/'.join(head.ids)}")
    return Strip(image, placed, round(len(lines) / 5), float(np.median(np.diff(lines))))


def _staff_lines(picture: np.ndarray, box: np.ndarray, where: str) -> np.ndarray:
    """Rows (float, ascending) on which more than half of the box's columns are ink."""
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
    """Four corners per system -> float (n, 4): top, left, bottom, right."""
    corners = read_array(path)
    if not corners.size:
        return np.zeros((0, 4))
    if corners.dtype.kind not in "iuf" or corners.size % 8 or corners.shape[0] * 8 != corners.size:
        raise EngravingError("broken array", f"{path}: {corners.dtype} {corners.shape}, wanted numbers (n, 4, 2)")
    corners = corners.reshape(-1, 4, 2).astype(np.float64)
    if not np.isfinite(corners).all():
        raise EngravingError("broken array", f"{path}: not all numbers are finite")
    low, high = corners.min(axis=1), corners.max(axis=1)
    if (high - low)[:, 0].sum() > (high - low)[:, 1].sum():  # systems are wider than high: these are (x, y)
        low, high = low[:, ::-1], high[:, ::-1]
    return np.hstack([low, high])


def _system_boxes(objects: list[MungObject], picture: np.ndarray) -> np.ndarray:
    """Boxes of the system objects, or else of the staffs that a line from one to the next joins -> float (n, 4)."""
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
    """Whether a bar line runs through the rows between two boxes."""
    top, bottom = math.ceil(above[2]), math.floor(below[0])
    left, right = max(0, math.floor(min(above[1], below[1])) - _SLACK), math.ceil(max(above[3], below[3])) + _SLACK
    return bool((picture[top:bottom, left:right] < _INK).all(axis=0).any())


class _NoDoctype(ElementTree.TreeBuilder):
    """A document type can define entities, which can grow without end or name files: nothing of it is read."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ElementTree.ParseError("it has a document type, which a MuNG file has no need of")


def read_mung(path: Path) -> list[MungObject]:
    """All objects of a MuNG file. Raises EngravingError naming it when it is missing, too large, or no MuNG."""
    try:
        root = ElementTree.fromstring(read_bytes(path), ElementTree.XMLParser(target=_NoDoctype()))
        return [_object(element) for element in root.iter() if element.tag in ("CropObject", "Node")]
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise EngravingError("broken XML", f"{path}: {error}") from None


def _object(element: ElementTree.Element) -> MungObject:
    texts = {child.tag: (child.text or "").strip() for child in element}
    ids = tuple(dict.fromkeys(filter(None, (element.get(_XML_ID), texts.get("UniqueId"), texts.get("Id")))))
    top, left, height, width = (number(texts.get(key)) for key in ("Top", "Left", "Height", "Width"))
    if top is None or left is None or not height or not width or height < 0 or width < 0:
        raise ValueError(f"object {ids[0] if ids else '?'} has no box")
    kind = re.sub("[^a-z]", "", (texts.get("ClassName") or texts.get("MLClassName") or "").lower())
    data = {item.get("key", ""): (item.text or "").strip() for item in element.iterfind("Data/DataItem")}
    return MungObject(ids, kind, (top, left, top + height, left + width), data)


def number(text: str | None) -> float | None:
    """The finite number a text consists of, brackets round it allowed; None for any other text."""
    found = _NUMBER.fullmatch((text or "").strip())
    return float(found[1]) if found and math.isfinite(float(found[1])) else None


def read_picture(path: Path) -> np.ndarray:
    """PNG -> uint8 (H, W), 0 = ink; what is transparent is paper. Raises EngravingError naming the file."""
    data = read_bytes(path)
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        raise EngravingError("broken PNG", f"{path}: not a PNG")
    width, height = struct.unpack(">II", data[16:24])
    if width * height > _LARGEST_PICTURE:  # known before anything is unpacked
        raise EngravingError("page too large", f"{path}: {width} x {height} px")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise EngravingError("broken PNG", f"{path}: cannot be unpacked")
    image = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    if image.ndim == 2:
        return image
    grey = cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY)
    return grey if image.shape[2] == 3 else 255 - cv2.multiply(255 - grey, image[..., 3], scale=1 / 255)


def read_array(path: Path) -> np.ndarray:
    """A .npy file without pickles. Raises EngravingError naming it."""
    data = read_bytes(path)
    try:
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # a hostile or broken file may fail in many ways
        raise EngravingError("broken array", f"{path}: {error}") from None


def read_bytes(path: Path) -> bytes:
    """The whole of a file that is not too large. Raises EngravingError naming it."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise EngravingError("missing file", str(path)) from None
    except OSError as error:
        raise EngravingError("unreadable file", f"{path}: {error.strerror}") from None
    if len(data) > _LARGEST_FILE:
        raise EngravingError("file too large", f"{path}: more than {_LARGEST_FILE >> 20} MB")
    return data
