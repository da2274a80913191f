"""A page with one of its systems lit, and the half-page turn: the next page's beginning beside the last system of this one.

Drawn once per system; what moves is drawn over it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from score_following_game.data_processing.page_map import Place
from score_following_game.environment.rendering import drawing
from score_following_game.environment.rendering.page_boxes import Edges, Fit, box_of, lines_of, printed_part
from score_following_game.environment.rendering.page_source import Pages
from score_following_game.opencv import cv2

LIT = (185, 240, 255)  # BGR: the paper of the system that is played
_UNDER_LIGHT = (np.arange(256)[None, :, None] * np.array(LIT) // 255).astype(np.uint8)  # of each level, per channel
_LEAST_PART = 0.25  # of the height: less is no room for the next page's beginning
_DIVIDER = 1 / 32  # of the height
_KEPT = 4  # drawn pages, and pages with a system lit


@dataclass(frozen=True)
class _Part:
    """Rows of the picture, from `top` on, that show the next page from its row `first` on."""

    top: int
    bottom: int
    first: int


class Spread:
    """Pages as they are drawn into pictures of a width and height."""

    def __init__(self, pages: Pages, size: tuple[int, int]) -> None:
        self.pages, self.size, self._divider = pages, size, round(_DIVIDER * size[1])
        self.fit = functools.cache(self._fit)
        self._part = functools.cache(self._part_for)
        self._drawn = functools.lru_cache(maxsize=_KEPT)(self._draw)
        self.picture = functools.lru_cache(maxsize=_KEPT)(self._picture)

    def next_page(self, system: int) -> int | None:
        """The page to turn to after a system, None where the next system is on the same page, or there is none."""
        systems = self.pages.map.systems
        if system + 1 >= len(systems) or systems[system + 1].page == systems[system].page:
            return None
        return systems[system + 1].page

    def prepare(self, page: int) -> None:
        """Draw a page before it is needed, perhaps in another thread."""
        self._drawn(page)

    def cursor(self, place: Place, system: int) -> tuple[float, float, float] | None:
        """Where the cursor at a place is while a system is lit: x, and its first and last row. None where it is not seen."""
        pages, page, part = self.pages.map, self.pages.map.systems[system].page, self._part(system)
        fit, box = self.fit(place.page), box_of(pages, place.system)
        lines, corners = lines_of(pages.systems[place.system]), pages.systems[place.system].corners
        half = (corners[3][1] - corners[0][1]) / 2  # a system that is not level is less high than what is around it
        x, middle = fit.x(place.x), fit.y(place.y)
        top = middle - (half + lines.top - box.top) * fit.scale
        bottom = middle + (half + box.bottom - lines.bottom) * fit.scale
        if place.page == page:
            return None if part and part.top <= middle < part.bottom else (x, top, bottom)
        if part is None or place.page != self.next_page(system):
            return None
        down = part.top - part.first
        return (x, top + down, bottom + down) if part.top <= middle + down < part.bottom else None

    def column(self, point: tuple[float, float], now: float) -> float | None:
        """The column of the sheet that is seen at a point while the music is at column `now`; None on a page without music."""
        system = self.pages.map.place(now).system
        (x, y), page, part, following = point, self.pages.map.systems[system].page, self._part(system), self.next_page(system)
        if part is not None and following is not None and part.top <= y < part.bottom:
            page, y = following, y - part.top + part.first
        return self.pages.map.column(page, *self.fit(page).page_point((x, y)), near=now)

    def _fit(self, page: int) -> Fit:
        return Fit.inside(printed_part(self.pages, page), self.pages.map.pages[page], self.size)

    def _draw(self, page: int) -> np.ndarray:
        """uint8 (height, width, 3)."""
        fit, grey = self.fit(page), self.pages.picture(page)
        picture = drawing.blank(self.size)
        scale = grey.shape[1] / self.pages.map.pages[page].width
        left, top, right, bottom = (
            round(edge * scale) for edge in (fit.shown.left, fit.shown.top, fit.shown.right, fit.shown.bottom)
        )
        edges = fit.edges(fit.shown)
        x, y = round(edges.left), round(edges.top)
        size = min(round(edges.width), self.size[0] - x), min(round(edges.height), self.size[1] - y)
        drawn = cv2.resize(grey[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
        drawing.paste_grey(picture, drawn, (x, y))
        return picture

    def _picture(self, system: int) -> np.ndarray:
        """The page of a system, which is lit, uint8 (height, width, 3). Not to be changed."""
        pages = self.pages.map
        page = pages.systems[system].page
        picture = self._drawn(page).copy()
        _light(picture, self.fit(page).edges(box_of(pages, system)))
        following, part = self.next_page(system), self._part(system)
        if following is not None and part is not None:
            self._turn(picture, following, part)
        return picture

    def _part_for(self, system: int) -> _Part | None:
        """The part of the picture for the next page: above the system, or, where it is at the top of the page, below it."""
        pages, height = self.pages.map, self.size[1]
        if self.next_page(system) is None:
            return None
        own = self.fit(pages.systems[system].page).edges(box_of(pages, system))
        above, below = (0, math.floor(own.top) - self._divider), (math.ceil(own.bottom) + self._divider, height)
        top, bottom = above if above[1] >= _LEAST_PART * height else below
        if bottom - top < _LEAST_PART * height:
            return None
        ahead = self.fit(pages.systems[system + 1].page).edges(box_of(pages, system + 1))
        # From the top of that page, so that nothing moves when it is turned; unless the music goes on further down on it.
        return _Part(top, bottom, 0 if ahead.bottom <= bottom - top else max(0, math.floor(ahead.top)))

    def _turn(self, picture: np.ndarray, page: int, part: _Part) -> None:
        """Draw the next page into its part, as far as whole systems go, and the divider."""
        pages, fit, drawn = self.pages.map, self.fit(page), self._drawn(page)
        ends = [fit.edges(box_of(pages, index)).bottom for index, system in enumerate(pages.systems) if system.page == page]
        room = part.bottom - part.top
        whole = [end - part.first for end in ends if 0 < end - part.first <= room]
        shown = math.ceil(max(whole)) if whole else room
        target = picture[part.top : part.bottom]
        target[:] = drawing.BACKGROUND
        ahead = drawn[part.first : part.first + min(shown, room)]
        target[: len(ahead)] = ahead
        thick = self._divider
        edge = part.bottom if part.top == 0 else part.top - thick
        drawing.filled(picture, (0, edge, picture.shape[1], thick), drawing.TARGET)
        words, size = f"next: page {page + 1}" if self.pages.printed else "next page", round(0.75 * thick)
        drawing.text(picture, words, (picture.shape[1] // 2, edge + round(0.78 * thick)), size, drawing.PAPER, True, "centre")


def _light(picture: np.ndarray, edges: Edges) -> None:
    """Colour the paper of a part of a picture, and leave the ink as it is."""
    left, top, right, bottom = (max(0, round(edge)) for edge in (edges.left, edges.top, edges.right, edges.bottom))
    part = picture[top:bottom, left:right]
    if part.size:
        part[:] = cv2.LUT(part, _UNDER_LIGHT)
