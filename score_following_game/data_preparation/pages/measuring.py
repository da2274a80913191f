"""Where exactly the lines of a staff are: its course, the distance of its lines, their ends."""

from __future__ import annotations

import numpy as np

from score_following_game.data_preparation.pages.paper import SPACE, Paper
from score_following_game.data_preparation.pages.staff import Staff, course_at
from score_following_game.data_preparation.pages.staff_lines import BLUR
from score_following_game.data_preparation.pages.tracks import STEP, Track
from score_following_game.opencv import cv2

_DARK_END = 0.2  # of the contrast: fainter lines have ended
_BEYOND = 1.2, 2.0  # staff spaces that a sign may hide before the left and the right end of the lines: braces are near
_FEW, _BENDS, _OFF_COURSE = 20, 3, 0.2  # columns of a short staff; degree of its curve; staff spaces
_SMOOTH = 6  # columns over which the course of a staff is evened


def measured(track: Track, lines: np.ndarray, paper: Paper) -> Staff | None:
    """The staff with its exact course, distance of lines and ends."""
    columns = np.array(track.columns)
    tops = cv2.blur(np.array(track.tops, np.float64)[None], (5, 1), borderType=cv2.BORDER_REPLICATE)[0]
    places = _line_places(lines, columns * STEP, tops, track.size * SPACE)
    found = np.isfinite(places)
    spaces = [(places[4 - k] - places[k])[found[k] & found[4 - k]] / (4 - 2 * k) for k in range(2)]
    if not len(spaces[0]):
        return None
    space = float(np.median(np.concatenate(spaces)))
    numbers = np.arange(5)[:, None] - 2
    with_line = found.sum(0) >= 3
    middles = np.nanmedian((places - numbers * space)[:, with_line], axis=0)
    x, y = _even(*_on_course(columns[with_line] * float(STEP), _without_jumps(middles, space), space))
    left, right = _ends(paper, x, y, space)
    return Staff(left, right, space, x, y)


def _line_places(lines: np.ndarray, x: np.ndarray, tops: np.ndarray, space: float) -> np.ndarray:
    """y of each line at each x, between rows: float64 (5, n); nan where there is no line."""
    reach = max(2, round(0.25 * space))
    places = np.full((5, len(x)), np.nan)
    for number in range(5):
        rows = np.round(tops + number * space).astype(int)[:, None] + np.arange(-reach, reach + 1)
        values = np.where((rows >= 0) & (rows < len(lines)), lines[np.clip(rows, 0, len(lines) - 1), x[:, None]], 0) ** 2
        weight = values.sum(1)
        seen = values.max(1) > 0.1
        places[number, seen] = (values * rows).sum(1)[seen] / weight[seen]
    return places


def _without_jumps(y: np.ndarray, space: float) -> np.ndarray:
    """The course where it goes on a line higher or lower, since ledger lines or a beam looked like a line of the staff."""
    lines = np.concatenate([[0], np.cumsum(np.round(np.diff(y) / space))]).astype(int)
    usual = np.bincount(lines - lines.min()).argmax() + lines.min()
    return y - (lines - usual) * space


def _on_course(x: np.ndarray, y: np.ndarray, space: float) -> tuple[np.ndarray, np.ndarray]:
    """Without the columns where something else was taken for the lines: paper bends slowly."""
    if len(x) < _FEW:
        return x, y
    kept = np.ones(len(x), bool)
    along = (x - x.mean()) / max(1.0, np.ptp(x))
    for _ in range(4):
        off = np.abs(y - np.polyval(np.polyfit(along[kept], y[kept], _BENDS), along))
        kept = off <= max(_OFF_COURSE * space, 2 * float(np.median(off)))
        if kept.sum() < len(x) / 2:
            return x, y
    return x[kept], y[kept]


def _even(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The course without the noise of single columns."""
    if len(x) < 3:
        return x, y
    padded = np.pad(y, 3, mode="edge")
    y = np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)
    evened = np.empty_like(y)
    for place in range(len(x)):  # straight through the neighbours: a mean would bend the ends
        near = slice(max(0, place - _SMOOTH), place + _SMOOTH + 1)
        along, mean = x[near] - x[near].mean(), y[near].mean()
        evened[place] = mean + (along @ y[near]) / max(1e-9, along @ along) * (x[place] - x[near].mean())
    return x, evened


def _ends(paper: Paper, x: np.ndarray, y: np.ndarray, space: float) -> tuple[float, float]:
    """x of the ends of the lines: where the columns end that look like five lines."""
    height, width = paper.image.shape
    columns = np.arange(width)
    middle = course_at(x, y, columns.astype(np.float64))
    quiet = cv2.blur(paper.image, (5, 1))  # along the lines, so that noise is no line

    def darkness(offset: float, reach: int) -> np.ndarray:
        rows = np.round(middle + offset).astype(int)
        near = [quiet[np.clip(rows + shift, 0, height - 1), columns] for shift in range(-reach, reach + 1)]
        return 255.0 - np.min(near, axis=0)

    reach = 1 + round(0.07 * space)
    own = np.median([darkness(number * space, reach)[int(x[0]) : int(x[-1]) + 1] for number in range(-2, 3)])
    half = max(_DARK_END * paper.contrast, own / 2)  # the mean of five columns is half as dark at the end of a line

    on_lines = sum((darkness(number * space, reach) > half).astype(int) for number in range(-2, 3))
    between = sum((darkness((number + 0.5) * space, 0) > half).astype(int) for number in range(-2, 2))
    lined = (on_lines >= 4) & (between <= 2)
    full = (on_lines == 5) & (between >= 3)  # a bar line
    inwards = min(BLUR * space, (x[-1] - x[0]) / 2)  # the line map is blurred, so that its first columns may be off the staff
    left = _last(lined, full, round(x[0] + inwards), -1, space)
    right = _last(lined, full, round(x[-1] - inwards), 1, space)
    return float(left), float(right)


def _last(lined: np.ndarray, full: np.ndarray, start: int, step: int, space: float) -> int:
    """The last column of the lines in one direction: beyond it some staff spaces are without them."""
    last, column, bar = start, start, 0
    while 0 <= column + step < len(lined) and abs(column - last) <= _BEYOND[step > 0] * space:
        column += step
        bar = bar + 1 if full[column] else 0
        if lined[column] or (full[column] and bar <= space and abs(column - last) <= bar + 2):
            last = column
    return last
