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

_SPACE = 10 / 720  # of the picture's height: the largest staff space
_AHEAD = 0.6  # share of the close-up that shows what comes after the cursor
_GAP = 30 / 720  # of the picture's height, between the two systems, for a word


class CloseUp:
    """box: where the systems are drawn.  height: of the picture; all in pixels."""

    def __init__(self, pages: Pages, box: Box, height: int) -> None:
        self.pages, self._box, self._space, self._gap = pages, box, _SPACE * height, round(_GAP * height)
        self._box_of = functools.cache(self._box_of_system)

    def draw_next(self, image: np.ndarray, system: int) -> None:
        """Draw what does not move while a system is played: the beginnings of the next ones, as many as have room."""
        (left, top, _, height), size = self._box, round(0.6 * self._gap)
        drawing.text(image, "now", (left, top + self._gap - size // 2), size, drawing.FAINT)
        row = self.rows(system)[1] + self._gap
        for following in range(system + 1, len(self.pages.map.systems)):
            if row + self._height(following) > top + height:
                return
            if following == system + 1:
                drawing.text(image, "next", (left, row - size // 2), size, drawing.FAINT)
            self._draw(image, row, following, self._box_of(following).left)
            row += self._height(following) + self._gap

    def draw_now(self, image: np.ndarray, place: Place) -> float:
        """Draw the system around a place. Returns the column of the picture where the place is."""
        return self._draw(image, self.rows(place.system)[0], place.system, place.x)

    def rows(self, system: int) -> tuple[int, int]:
        """The rows of the picture where a system that is played is, from and to."""
        first = self._box[1] + self._gap
        return first, first + self._height(system)

    def _box_of_system(self, system: int) -> Edges:
        return box_of(self.pages.map, system)

    def _scale(self, system: int) -> float:
        """Pixels of the picture per pixel of the page. Two systems have room."""
        staves, most = self.pages.map.systems[system].staves, (self._box[3] - 2 * self._gap) // 2
        return min([most / self._box_of(system).height, *(self._space / staff.space for staff in staves[:1])])

    def _height(self, system: int) -> int:
        return int(self._box_of(system).height * self._scale(system))

    def _draw(self, image: np.ndarray, row: int, system: int, x: float) -> float:
        """Draw a system from a row on, so that x of the page is seen. Returns its column."""
        box, scale, page = self._box_of(system), self._scale(system), self.pages.map.systems[system].page
        left, _, width, _ = self._box
        seen, height = width / scale, self._height(system)
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
        drawing.paste_grey(image, drawn, (left, row))
        return left + (x - first) * scale
