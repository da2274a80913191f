"""Where systems are on their pages, with what is around their staff lines, and how a page lies in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from score_following_game.data_processing.page_map import PageMap, PageOfScore, SystemPlace
from score_following_game.environment.rendering.page_source import Pages

_AROUND = 6.0  # staff spaces above and below the lines that belong to a system, where its neighbours leave them
_BESIDE = 2.0  # staff spaces left and right of it, for a brace
_DARK = 0.6  # of the paper's brightness: ink
_INKED = 0.003  # share of a row that is dark where there is print
_EDGE = 0.02  # share of the page at its edges that may be the shadow of a scan
_MARGIN = 0.02  # share of the page that is left around the print


@dataclass(frozen=True)
class Edges:
    """A rectangle, pixels of a page or a picture."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True)
class Fit:
    """How a page lies in a picture. shown: the part of the page that is seen.  scale: pixels of the picture per pixel of the
    page.  left, top: where the upper left corner of that part is in the picture.
    """

    shown: Edges
    scale: float
    left: float
    top: float

    @classmethod
    def inside(cls, printed: Edges, page: PageOfScore, size: tuple[int, int]) -> Fit:
        """The printed part as large as it can be in a picture of this width and height, with what else of the page has room.

        Where the page is smaller than the picture, it is in the middle at the top.
        """
        scale = min(size[0] / printed.width, size[1] / printed.height)
        left, right = _widened(printed.left, printed.right, size[0] / scale, page.width, 0.5)
        top, bottom = _widened(printed.top, printed.bottom, size[1] / scale, page.height, 0.0)
        return cls(Edges(left, top, right, bottom), scale, (size[0] - (right - left) * scale) / 2, 0.0)

    def x(self, x: float) -> float:
        return self.left + (x - self.shown.left) * self.scale

    def y(self, y: float) -> float:
        return self.top + (y - self.shown.top) * self.scale

    def page_point(self, point: tuple[float, float]) -> tuple[float, float]:
        """A point of the picture in pixels of the page."""
        return self.shown.left + (point[0] - self.left) / self.scale, self.shown.top + (point[1] - self.top) / self.scale

    def edges(self, part: Edges) -> Edges:
        """A part of the page in pixels of the picture."""
        return Edges(self.x(part.left), self.y(part.top), self.x(part.right), self.y(part.bottom))


def _widened(first: float, last: float, room: float, whole: float, share: float) -> tuple[float, float]:
    """A stretch of a side of the page made as long as there is room, on the page. share: of what is added before it."""
    first = max(0.0, min(first - share * (room - (last - first)), whole - room))
    return first, min(whole, max(last, first + room))


def lines_of(system: SystemPlace) -> Edges:
    """The rectangle around the staff lines of a system, pixels of its page."""
    left, top = np.min(system.corners, axis=0)
    right, bottom = np.max(system.corners, axis=0)
    return Edges(float(left), float(top), float(right), float(bottom))


def box_of(pages: PageMap, index: int) -> Edges:
    """A system with what is around its staff lines, up to the middle between it and its neighbours; pixels of its page."""
    system = pages.systems[index]
    own, space = lines_of(system), system.staves[0].space if system.staves else 0.0
    others = [lines_of(other) for other in pages.systems if other.page == system.page and other.number != system.number]
    above = min([_AROUND * space, *((own.top - other.bottom) / 2 for other in others if other.bottom <= own.top)])
    below = min([_AROUND * space, *((other.top - own.bottom) / 2 for other in others if other.top >= own.bottom)])
    return Edges(own.left - _BESIDE * space, own.top - above, own.right + _BESIDE * space, own.bottom + below)


def printed_part(pages: Pages, page: int) -> Edges:
    """The part of a page that has print on it, pixels of the page; the whole page where systems were put together."""
    facts = pages.map.pages[page]
    whole = Edges(0.0, 0.0, float(facts.width), float(facts.height))
    if not pages.printed:
        return whole
    boxes = [box_of(pages.map, index) for index, system in enumerate(pages.map.systems) if system.page == page]
    picture = pages.picture(page)
    scale = facts.width / picture.shape[1]
    height, width = picture.shape
    dark = picture < _DARK * np.percentile(picture[::8, ::8], 90)
    inner = dark[round(_EDGE * height) : round((1 - _EDGE) * height), round(_EDGE * width) : round((1 - _EDGE) * width)]
    rows, columns = (np.flatnonzero(inner.mean(axis=axis) > _INKED) for axis in (1, 0))
    sides = []
    for inked, length, edges in (
        (columns, facts.width, [(box.left, box.right) for box in boxes]),
        (rows, facts.height, [(box.top, box.bottom) for box in boxes]),
    ):
        found = (inked[[0, -1]] * scale + _EDGE * length).tolist() if len(inked) else []
        first = min([found[0] if found else length, *(begin for begin, _ in edges)]) - _MARGIN * length
        last = max([found[1] if found else 0.0, *(end for _, end in edges)]) + _MARGIN * length
        sides.append((max(first, 0.0), min(last, float(length))))
    (left, right), (top, bottom) = sides
    return Edges(left, top, right, bottom)
