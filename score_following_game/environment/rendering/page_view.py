"""The picture of a game for people who read music: whole pages with a cursor, for windows and films."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass

import numpy as np

from score_following_game.data_processing.page_map import Place
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.game import Game
from score_following_game.environment.rendering import drawing
from score_following_game.environment.rendering.close_up import CloseUp
from score_following_game.environment.rendering.drawing import AGENT, FAINT, INK, TARGET, Box, Colour, filled, text
from score_following_game.environment.rendering.lights import draw_light
from score_following_game.environment.rendering.meters import draw_meters
from score_following_game.environment.rendering.names import clock, title
from score_following_game.environment.rendering.page_source import Pages, pages_of
from score_following_game.environment.rendering.page_spread import Spread
from score_following_game.environment.rendering.picture import HEIGHT, WIDTH, Overlay
from score_following_game.errors import UserError

SMALLEST, LARGEST = (960, 540), (3840, 2160)  # width and height of a picture, pixels
_BESIDE = 0.4  # share of the width that a page leaves free where the words are beside it, with a close-up, instead of above
_EDGE, _HEAD, _FOOT = 14 / 720, 84 / 720, 36 / 720  # of the picture's height


@dataclass(frozen=True)
class _Frame:
    """Where the parts of the picture are. unit: 1 in a picture of 720 rows; lengths and letters grow with it."""

    unit: float
    page: Box
    head: Box
    foot: Box
    close_up: Box | None = None

    @classmethod
    def above(cls, size: tuple[int, int]) -> _Frame:
        """The words above the page."""
        width, height = size
        edge, head, foot = (round(share * height) for share in (_EDGE, _HEAD, _FOOT))
        inner = width - 2 * edge
        page = (edge, head + edge, inner, height - head - foot - edge)
        return cls(height / 720, page, (edge, 0, inner, head), (edge, height - foot, inner, foot))

    @classmethod
    def beside(cls, size: tuple[int, int], pages: Pages) -> _Frame | None:
        """The words beside the page, which takes the whole height; None where pages are too wide for that."""
        width, height = size
        edge, head, foot = (round(share * height) for share in (_EDGE, _HEAD, _FOOT))
        shown = {system.page for system in pages.map.systems}
        widest = max(pages.map.pages[page].width / pages.map.pages[page].height for page in shown)
        page = round(widest * (height - 2 * edge))
        left = page + 2 * edge
        inner = width - left - edge
        if inner < _BESIDE * width:
            return None
        return cls(
            height / 720,
            (edge, edge, page, height - 2 * edge),
            (left, 0, inner, head),
            (left, height - foot, inner, foot),
            (left, head + edge, inner, height - head - foot - edge),
        )


class PageView:
    """Draws game 0 of a batch on the pages of its piece.

    Args:
        piece: what the games play.
        fps: frames per second.
        size: width and height of the pictures, even numbers.

    Raises:
        UserError: a size that cannot be drawn, or a broken map of the piece.
    """

    def __init__(self, piece: Piece, fps: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        require_size(size)
        self.size, self._fps, self._name, self._sheet_map = size, fps, title(piece.name), map_of(piece, fps)
        above = _Frame.above(size)
        self._pages = pages_of(piece, fps, above.page[2:])
        self._frame = (_Frame.beside(size, self._pages) if self._pages.printed else None) or above
        self._spread = Spread(self._pages, self._frame.page[2:])
        self._close_up = CloseUp(self._pages, self._frame.close_up, size[1]) if self._frame.close_up else None
        self._base = functools.lru_cache(maxsize=2)(self._draw_base)

    def __call__(self, game: Game, overlay: Overlay) -> np.ndarray:
        """uint8 (height, width, 3), BGR."""
        x, true_x = (float(place[0]) - game.config.sheet_pad for place in (game.x, game.true_position()))
        with_target = overlay.show_target and game.bank.pieces[int(game.piece[0])].timed
        place = self._pages.map.place(x)
        image = self._base(place.system, with_target, overlay.person).copy()
        if with_target:
            self._draw_cursor(image, self._pages.map.place(true_x), place.system, TARGET)
        self._draw_cursor(image, place, place.system, AGENT)
        if self._close_up:
            self._draw_close_up(image, self._close_up, place)
        self._draw_head(image, game, overlay, self._place_in_words(place, x))
        self._draw_foot(image, overlay)
        return image

    def sheet_x_at(self, game: Game, point: tuple[float, float]) -> float | None:
        """The x of the sheet, unpadded pixels, that a game's picture shows at a point (x, y); None beside the page."""
        left, top, width, height = self._frame.page
        x, y = point[0] - left, point[1] - top
        if not (0 <= x < width and 0 <= y < height):
            return None
        return self._spread.column((x, y), float(game.x[0]) - game.config.sheet_pad)

    def _draw_base(self, system: int, with_target: bool, person: bool) -> np.ndarray:
        """What stays while a system is played, uint8 (height, width, 3)."""
        image = drawing.blank(self.size)
        left, top, width, height = self._frame.page
        image[top : top + height, left : left + width] = self._spread.picture(system)
        if self._close_up:
            self._close_up.draw_next(image, system)
        self._draw_legend(image, with_target, person)
        if (page := self._spread.next_page(system + 1)) is not None:
            # The next system will show that page, and to decode it takes longer than a picture may take.
            threading.Thread(target=self._spread.prepare, args=(page,), daemon=True).start()
        return image

    def _draw_cursor(self, image: np.ndarray, place: Place, system: int, colour: Colour) -> None:
        if (seen := self._spread.cursor(place, system)) is None:
            return
        left, top, width, height = self._frame.page
        x, first, last = seen
        page = image[top : top + height, left : left + width]
        _draw_line(page, x, first, last, colour, self._frame.unit)

    def _draw_close_up(self, image: np.ndarray, close_up: CloseUp, place: Place) -> None:
        x = close_up.draw_now(image, place)
        _draw_line(image, x, *close_up.rows(place.system), AGENT, self._frame.unit)

    def _draw_head(self, image: np.ndarray, game: Game, overlay: Overlay, place: str) -> None:
        """The piece's name, the time, how sure the player is, the place in words, and a progress bar or meters."""
        (left, top, width, _), unit = self._frame.head, self._frame.unit
        frame, last = int(game.frame[0]), int(game.bank.last_onset[int(game.piece[0])])
        right, line, second = left + width, top + round(34 * unit), top + round(62 * unit)
        ends = f" / {clock(last / self._fps)}" if last else ""  # not known of music that is played live
        now, size = f"{clock(frame / self._fps)}{ends}", round(26 * unit)
        used = text(image, now, (right, line), round(22 * unit), INK, bold=True, align="right")
        text(image, drawing.shortened(self._name, size, width - used - size, bold=True), (left, line), size, INK, bold=True)
        if overlay.confidence is not None:
            draw_light(image, overlay.confidence, (left, second), round(20 * unit))
        text(image, place, (right, second), round(17 * unit), FAINT, align="right")
        if overlay.meters:  # of music that is played live, of which nobody knows how much is to come
            draw_meters(image, overlay.meters, (left, top + round(82 * unit)), width, round(14 * unit))
            return
        bar = (left, top + round(72 * unit), width, round(6 * unit))
        filled(image, bar, drawing.RULE)
        filled(image, (*bar[:2], round(width * min(frame / last, 1.0)) if last else 0, bar[3]), drawing.VALUE)

    def _place_in_words(self, place: Place, x: float) -> str:
        pages, bar = self._pages.map, self._sheet_map.place(x).bar
        if self._pages.printed:
            words = f"page {place.page + 1} of {len(pages.pages)}, system {pages.systems[place.system].number}"
        else:
            words = f"system {place.system + 1} of {len(pages.systems)}"
        return f"{words}, bar {bar}" if bar else words

    def _draw_legend(self, image: np.ndarray, with_target: bool, person: bool) -> None:
        (left, top, _, height), unit = self._frame.foot, self._frame.unit
        size, line = round(16 * unit), top + round(0.68 * height)
        known = (("true position", TARGET),) if with_target else ()
        for label, colour in (("you" if person else "agent", AGENT), *known):
            filled(image, (left, line - round(0.8 * size), max(3, round(4 * unit)), size), colour)
            left += round(12 * unit)
            left += text(image, label, (left, line), size, INK) + round(24 * unit)

    def _draw_foot(self, image: np.ndarray, overlay: Overlay) -> None:
        """The message, or else the hint."""
        (left, top, width, height), unit = self._frame.foot, self._frame.unit
        right, line = left + width, top + round(0.68 * height)
        if not overlay.message:
            text(image, overlay.hint, (right, line), round(15 * unit), FAINT, align="right")
            return
        size = round(19 * unit)
        wide = drawing.text_width(overlay.message, size, bold=True) + 2 * size
        filled(image, (right - wide, top, wide, height - 2), INK)
        text(image, overlay.message, (right - wide // 2, line), size, drawing.PAPER, bold=True, align="centre")


def require_size(size: tuple[int, int]) -> None:
    """Raise UserError for a size of pictures that cannot be drawn or filmed."""
    if any(not least <= side <= most for side, least, most in zip(size, SMALLEST, LARGEST)) or size[0] % 2 or size[1] % 2:
        smallest, largest = ("x".join(map(str, sides)) for sides in (SMALLEST, LARGEST))
        raise UserError(f"--size {size[0]}x{size[1]}: expected even numbers of pixels, {smallest} to {largest}")


def _draw_line(image: np.ndarray, x: float, first: float, last: float, colour: Colour, unit: float) -> None:
    """A cursor over the notes, which stay readable under it."""
    top, bottom, wide = max(0, round(first)), min(len(image), round(last)), round(12 * unit)
    drawing.tinted(image, (round(x - wide / 2), top, wide, bottom - top), colour, 0.25)
    drawing.upright(image, x, top, bottom, colour, max(2, round(2.5 * unit)))
