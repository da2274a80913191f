"""Lays the systems of a sheet, which is one long strip, below one another, as on the pages of a printed score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from score_following_game.data_processing.page_map import PageMap, PageOfScore, SystemPlace
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sharp_sheet import sharp_sheet_of
from score_following_game.opencv import cv2

_INK, _BLANK = 128, 232  # darker than these: ink; more than blank paper, as staff lines thinner than a pixel are
_LONGEST, _LONGEST_PIXELS = 12.0, 900.0  # of a system: in heights of the sheet, and in pixels; a longer one is cut
_SHORTEST = 1.5  # of a system that is found by the blank after it, in heights of the sheet
_CALM = 0.25  # share of the length in which a place to cut is looked for
_FILLED = 0.96  # share of the page's width that the longest system takes
_GAP, _WIDEST_GAP = 0.12, 0.5  # between systems, in heights of a system
_LEAST_SYSTEMS = 2  # on a page, so that the next one can be seen
_MARGIN = 2  # pixels of the sheet above and below the ink

Span = tuple[int, int]  # columns or rows of the sheet: the first, and that after the last


@dataclass(frozen=True)
class _Source:
    """pixels: the sheet, `factor` times as large each way.  rows: those with ink, of the sheet."""

    pixels: np.ndarray
    factor: int
    rows: Span

    @classmethod
    def of(cls, piece: Piece) -> _Source:
        sharp, height = sharp_sheet_of(piece), len(piece.sheet)
        inked = np.flatnonzero((piece.sheet < _INK).any(axis=1))
        rows = (max(0, int(inked[0]) - _MARGIN), min(height, int(inked[-1]) + 1 + _MARGIN)) if len(inked) else (0, height)
        return cls(piece.sheet, 1, rows) if sharp is None else cls(sharp, len(sharp) // height, rows)

    @property
    def height(self) -> int:
        return self.rows[1] - self.rows[0]

    def drawn(self, columns: Span, scale: float) -> np.ndarray:
        """The columns, `scale` times as large as in the sheet."""
        rows, across = (slice(first * self.factor, after * self.factor) for first, after in (self.rows, columns))
        size = (max(1, round((columns[1] - columns[0]) * scale)), max(1, round(self.height * scale)))
        smooth = cv2.INTER_AREA if scale < self.factor else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(self.pixels[rows, across], size, interpolation=smooth))


@dataclass(frozen=True)
class _Grid:
    """Where the systems of a page are. size: of the page.  count: of systems.  scale: pixels of the page per pixel of the
    sheet.  left, system, gap: the column at which systems begin, their height, and the room between them, pixels of the page.
    """

    size: tuple[int, int]
    count: int
    scale: float
    left: int
    system: float
    gap: float

    @classmethod
    def fitted(cls, longest: int, rows: int, systems: int, size: tuple[int, int]) -> _Grid:
        """longest, rows: width and height of a system in the sheet. systems: how many there are."""
        width, height = size
        least = min(_LEAST_SYSTEMS, systems)
        scale = min(_FILLED * width / longest, height / (rows * (least + (least + 1) * _GAP)))
        system = rows * scale
        count = min(systems, max(least, int((height / system - _GAP) / (1 + _GAP))))
        gap = min(_WIDEST_GAP * system, (height - count * system) / (count + 1))
        return cls(size, count, scale, round((width - longest * scale) / 2), system, gap)

    def top(self, index: int) -> int:
        """The row at which a system of the page begins."""
        whole = self.count * self.system + (self.count - 1) * self.gap
        return round((self.size[1] - whole) / 2 + index * (self.system + self.gap))


def lay_out(piece: Piece, columns: Sequence[float], size: tuple[int, int]) -> tuple[PageMap, list[np.ndarray]]:
    """Pages of as many systems as fit.

    columns: the first one of each system, as far as known; where that is one only, systems are found by the blank between them.
    size: width and height of a page, pixels. Returns where the systems are, and the pages, uint8 (height, width), 0 = ink.
    """
    source = _Source.of(piece)
    spans = systems_of(source.pixels, source.factor, columns)
    grid = _Grid.fitted(max(end - begin for begin, end in spans), source.height, len(spans), size)
    pictures = [np.full(size[::-1], 255, np.uint8) for _ in range(0, len(spans), grid.count)]
    places: list[SystemPlace] = []
    for order, span in enumerate(spans):
        page, index = divmod(order, grid.count)
        drawn = source.drawn(span, grid.scale)
        room = pictures[page][grid.top(index) :, grid.left :][: drawn.shape[0], : drawn.shape[1]]
        room[:] = drawn[: room.shape[0], : room.shape[1]]
        place = _place(grid, page, index, span)
        places.append(replace(place, begin=places[-1].end if places else 0))  # what is blank before it belongs to it
    places[-1] = replace(places[-1], end=piece.sheet.shape[1])
    return PageMap([PageOfScore(piece.name, number + 1, *size) for number in range(len(pictures))], places), pictures


def _place(grid: _Grid, page: int, index: int, span: Span) -> SystemPlace:
    left, top = float(grid.left), float(grid.top(index))
    right, middle, bottom = left + (span[1] - span[0]) * grid.scale, top + grid.system / 2, top + grid.system
    columns = [span[0] - 0.5, span[1] - 0.5]  # a pixel's number is its middle
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return SystemPlace(page, index + 1, *span, columns, [left - 0.5, right - 0.5], [middle, middle], corners)


def systems_of(pixels: np.ndarray, factor: int, columns: Sequence[float]) -> list[Span]:
    """The columns of each system, without the blank around it. See _Source and lay_out."""
    width, height = pixels.shape[1] // factor, pixels.shape[0] // factor
    ink = (pixels[:, : width * factor] < _BLANK).sum(axis=0)
    starts = sorted({round(column) for column in columns if 0 < column < width}) or _after_blank(ink, factor, height)
    spans: list[Span] = []
    for begin, end in zip([0, *starts], [*starts, width]):
        inked = np.flatnonzero(ink[begin * factor : end * factor])
        if len(inked):
            first, last = int(inked[0]) // factor, int(inked[-1]) // factor
            spans += _cut(ink, factor, (begin + first, begin + last + 1), round(min(_LONGEST * height, _LONGEST_PIXELS)))
    return spans or [(0, width)]


def _after_blank(ink: np.ndarray, factor: int, height: int) -> list[int]:
    """The columns of the sheet at which systems begin after blank ones. ink: of each column of the larger sheet."""
    starts: list[int] = []
    for run in _runs(np.flatnonzero(ink == 0)):
        start = (int(run[-1]) + 1) // factor
        if start - (starts[-1] if starts else 0) >= _SHORTEST * height and len(ink) // factor - start >= _SHORTEST * height:
            starts.append(start)
    return starts


def _cut(ink: np.ndarray, factor: int, span: Span, longest: int) -> list[Span]:
    """A system in parts of at most `longest` columns, cut where there are staff lines only."""
    begin, end = span
    parts: list[Span] = []
    while end - begin > longest:
        least = begin + round((1 - _CALM) * longest)
        searched = ink[least * factor : (begin + longest) * factor]
        calm = max(_runs(np.flatnonzero(searched == searched.min())), key=len)
        cut = least + int(calm[len(calm) // 2]) // factor
        parts.append((begin, cut))
        begin = cut
    return [*parts, (begin, end)]


def _runs(numbers: np.ndarray) -> list[np.ndarray]:
    """Consecutive numbers, together."""
    return [run for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if len(run)]
