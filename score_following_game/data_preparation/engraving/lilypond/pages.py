"""Finds the noteheads and systems on LilyPond's SVG pages."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

from fontTools.misc.transform import Identity, Transform
from fontTools.pens.boundsPen import BoundsPen
from fontTools.svgLib.path import parse_path

from score_following_game.data_preparation.engraving.svg import SVG
from score_following_game.data_preparation.errors import EngravingError

_CALL = re.compile(r"(\w+)\(([^)]*)\)")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_LARGEST = 100 * 10**6  # bytes

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class PageSystem:
    """One system. number: in reading order.  staves: boxes of the staff lines in units of the view box, top staff first."""

    number: int
    staves: list[Box]

    @property
    def box(self) -> Box:
        return _union(self.staves)


@dataclass(frozen=True)
class Page:
    """One page, in units of its view box.

    svg: root element.  view: the view box (x, y, width, height).  systems: in reading order.  heads: number of a notehead ->
    (number of its system, (y, x) of its centre).
    """

    svg: ElementTree.Element
    view: Box
    systems: list[PageSystem]
    heads: dict[int, tuple[int, tuple[float, float]]]


def read_pages(files: Iterable[Path]) -> list[Page]:
    """The pages that hold music, in reading order. Raises EngravingError if a page cannot be read."""
    pages = [page for file in files if (page := _read_page(file)) is not None]
    return sorted(pages, key=lambda page: page.systems[0].number)


def transform_of(element: ElementTree.Element) -> Transform:
    """The element's own transform attribute, without its parents'."""
    result = Identity
    for name, text in _CALL.findall(element.get("transform") or ""):
        numbers = [float(number) for number in _NUMBER.findall(text)]
        if name == "translate":
            result = result.translate(*numbers)
        elif name == "scale":
            result = result.scale(*numbers)
        elif name == "matrix":
            result = result.transform(Transform(*numbers))
        elif name == "rotate":
            angle, x, y = [*numbers, 0.0, 0.0][:3]
            result = result.translate(x, y).rotate(math.radians(angle)).translate(-x, -y)
    return result


def _read_page(file: Path) -> Page | None:
    if file.stat().st_size > _LARGEST:
        raise EngravingError("the engraver failed", f"{file.name} is larger than {_LARGEST // 10**6} MB")
    try:
        root = ElementTree.parse(file).getroot()
        view = [float(number) for number in root.get("viewBox", "").split()]
    except (ElementTree.ParseError, ValueError) as error:
        raise EngravingError("the engraver failed", f"{file.name} is not SVG: {error}") from None
    heads: dict[int, tuple[int, tuple[float, float]]] = {}
    staves: dict[int, list[Box]] = {}
    for kind, number, system, box in _marked(root, Identity):
        if kind == "head":
            heads[number] = system, ((box[1] + box[3]) / 2, (box[0] + box[2]) / 2)
        else:
            staves.setdefault(system, []).append(box)
    if len(view) != 4 or not view[2] > 0 or not staves:
        return None
    systems = [PageSystem(number, _whole_staves(boxes)) for number, boxes in sorted(staves.items())]
    x, y, width, height = view
    return Page(root, (x, y, width, height), systems, heads)


def _marked(element: ElementTree.Element, outer: Transform) -> Iterator[tuple[str, int, int, Box]]:
    """(kind, number, system, box) of every element to which hook.ily gave an id."""
    own = outer.transform(transform_of(element))
    words = (element.get("id") or "").split("-")
    if words[0] == "sfg" and len(words) == 4:
        boxes = list(_boxes(element, outer))
        if boxes:
            yield words[1], int(words[2]), int(words[3]), _union(boxes)
        return
    for child in element:
        yield from _marked(child, own)


def _boxes(element: ElementTree.Element, outer: Transform) -> Iterator[Box]:
    """Boxes of the shapes in an element, without their strokes."""
    own = outer.transform(transform_of(element))
    kind = element.tag.removeprefix(SVG)
    box = None

    def number(name: str) -> float:
        return float(element.get(name, 0))

    if kind == "path":
        box = _path_box(element.get("d", ""))
    elif kind == "line":
        box = number("x1"), number("y1"), number("x2"), number("y2")
    elif kind == "rect":
        box = number("x"), number("y"), number("x") + number("width"), number("y") + number("height")
    elif kind in ("circle", "ellipse"):
        across, down = (number("r"), number("r")) if kind == "circle" else (number("rx"), number("ry"))
        box = number("cx") - across, number("cy") - down, number("cx") + across, number("cy") + down
    elif kind == "polygon":
        points = [float(text) for text in _NUMBER.findall(element.get("points", ""))]
        box = min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])
    if box is not None:
        corners = own.transformPoints([(box[0], box[1]), (box[0], box[3]), (box[2], box[1]), (box[2], box[3])])
        yield _union([(x, y, x, y) for x, y in corners])
    for child in element:
        yield from _boxes(child, own)


@lru_cache(maxsize=1000)
def _path_box(d: str) -> Box | None:
    """Box of a path. Cached, because the glyphs of a font recur."""
    pen = BoundsPen(None)
    parse_path(d, pen)
    return pen.bounds


def _union(boxes: Iterable[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _whole_staves(boxes: list[Box]) -> list[Box]:
    """Join boxes at one height: a staff that is interrupted has several."""
    staves: list[Box] = []
    for box in sorted(boxes, key=lambda box: (box[1], box[0])):
        if staves and box[1] < staves[-1][3]:
            staves[-1] = _union([staves[-1], box])
        else:
            staves.append(box)
    return staves
