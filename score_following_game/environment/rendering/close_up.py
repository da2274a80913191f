"""The systems that are played now and next, larger than on the whole page."""

from __future__ import annotations

import functools

import numpy as np

from score_following_game.data_processing.page_map import Place
from score_following_game.environment.rendering import drawing
from score_following_game.environment.rendering.drawing import Box
from score_following_game.environment.rendering.page_boxes import Edges, box_of
from score_following_game.environment.rendering.page_source import Pages
from score_following_game.opencv import cv2

_SPACE = 11 / 720  # of the picture's height: the largest staff space
_AHEAD = 0.6  # share of the close-up that shows what comes after the cursor
_GAP = 30 / 720  # of the picture's height, between the two systems, for a word


class CloseUp:
    """box: where the two systems are drawn.  height: of the picture; all in pixels."""

    def __init__(self, pages: Pages, box: Box, height: int) -> None:
        left, top, width, whole = box
        self.pages, self._space, self._gap = pages, _SPACE * height, round(_GAP * height)
        row = (whole - 2 * self._gap) // 2
        self._now: Box = (left, top + self._gap, width, row)
        self._next: Box = (left, top + row + 2 * self._gap, width, row)
        self._box_of = functools.cache(self._box_of_system)

    def draw_next(self, image: np.ndarray, system: int) -> None:
        """Draw what does not move while a system is played: the beginning of the next one."""
        size = round(0.6 * self._gap)
        drawing.text(image, "now", (self._now[0], self._now[1] - size // 2), size, drawing.FAINT)
        if system + 1 < len(self.pages.map.systems):
            drawing.text(image, "next", (self._next[0], self._next[1] - size // 2), size, drawing.FAINT)
            self._draw(image, self._next, system + 1, self._box_of(system + 1).left)

    def draw_now(self, image: np.ndarray, place: Place) -> float:
        """Draw the system around a place. Returns the column of the picture where the place is."""
        return self._draw(image, self._now, place.system, place.x)

    def rows(self, system: int) -> tuple[int, int]:
        """The rows of the picture where a system that is played is, from and to."""
        height = round(self._box_of(system).height * self._scale(system))
        return self._now[1], self._now[1] + height

    def _box_of_system(self, system: int) -> Edges:
        return box_of(self.pages.map, system)

    def _scale(self, system: int) -> float:
        """Pixels of the picture per pixel of the page."""
        staves, box = self.pages.map.systems[system].staves, self._box_of(system)
        return min([self._now[3] / box.height, *(self._space / staff.space for staff in staves[:1])])

    def _draw(self, image: np.ndarray, room: Box, system: int, x: float) -> float:
        box, scale, page = self._box_of(system), self._scale(system), self.pages.map.systems[system].page
        left, top, width, _ = room
        seen, height = width / scale, round(box.height * scale)
        # The system's ends stay at the sides; a system that is narrower than the room begins at its left.
        first = max(box.left, min(x - (1 - _AHEAD) * seen, box.right - seen))
        picture = self.pages.picture(page)
        fine = picture.shape[1] / self.pages.map.pages[page].width
        step = fine / scale
        mapping = np.array([[step, 0, first * fine], [0, step, box.top * fine]])
        drawn = cv2.warpAffine(
            picture,
            mapping,
            (min(width, round(box.width * scale)), height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        drawing.paste_grey(image, drawn, (left, top))
        return left + (x - first) * scale
