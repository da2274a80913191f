"""Staves in the making: five lines at equal distances, followed from column to column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from score_following_game.data_preparation.pages.paper import SPACE
from score_following_game.opencv import cv2

STEP = 10  # pixels between two columns that are looked at
_LEAST_COLUMN = 3.0  # of 5 lines, less what lies between and beside them
_MOST_STRAY = 2.2, 0.3  # pixels that a staff may stray from its course: at once, and per further column without lines
_LONGEST_GAP = 14  # columns without lines, below dense chords or a blot; facing pages are further apart
_SHORTEST = 10.0  # staff spaces
_LEAST_SUPPORT = 0.45  # share of columns with all lines
_LEAST_LINES = 0.55  # mean of the line map on the five lines
_LEAST_LINE = 0.5  # share of columns with a line or other ink where the faintest line should be: beams hide lines
_BESIDE = 0.8  # a sixth line so dark makes a tablature or a table, no staff
_APART = 6.5  # staff spaces between the middles of two staves: what is nearer is ledger lines


@dataclass
class Track:
    """Columns at which five lines were found, and y of the highest: a staff in the making."""

    size: float
    columns: list[int]
    tops: list[float]
    scores: list[float]

    @property
    def score(self) -> float:
        return sum(self.scores)

    def expected(self, column: int) -> float:
        """Where the highest line should be at a later column."""
        columns, tops = self.columns[-12:], self.tops[-12:]
        if len(columns) < 8:
            return tops[-1]
        now, before = sum(tops[-4:]) / 4, sum(tops[:4]) / 4
        there, back = sum(columns[-4:]) / 4, sum(columns[:4]) / 4
        slope = min(max((now - before) / (there - back), -0.5), 0.5)
        return now + slope * (column - there)


def length(track: Track) -> int:
    """Columns from the first to the last."""
    return track.columns[-1] - track.columns[0] + 1


def erase(tolerant: np.ndarray, track: Track) -> None:
    """Take the lines of a staff out of the map, and what is right above and below them."""
    columns = np.arange(track.columns[0], track.columns[-1] + 1)
    tops = np.interp(columns, track.columns, track.tops)
    space = track.size * SPACE
    begin, end = max(0, int(tops.min() - space)), int(tops.max() + 6 * space)
    rows = np.arange(begin, min(end, len(tolerant)))[:, None]
    part = tolerant[begin:end, columns[0] : columns[-1] + 1]
    part[(rows > tops - 0.6 * space) & (rows < tops + 4.6 * space)] = 0


def _rows_of(lines: np.ndarray, offset: float) -> np.ndarray:
    """`lines` moved up by an offset, with empty rows where there are none."""
    moved = np.zeros_like(lines)
    rows = round(offset)
    if rows >= 0:
        moved[: max(0, len(lines) - rows)] = lines[rows:]
    else:
        moved[-rows:] = lines[:rows]
    return moved


def column_scores(tolerant: np.ndarray, space: float) -> np.ndarray:
    """For every row and every _STEPth column, how much it is the highest line of a staff: at most 5."""
    five = sum(_rows_of(tolerant, number * space) for number in range(5))
    between = sum(_rows_of(tolerant, (number + 0.5) * space) for number in range(4))
    beside = np.maximum(_rows_of(tolerant, -space), _rows_of(tolerant, 5 * space))
    return np.asarray(five - 0.25 * between - 0.5 * beside)


def follow(scores: np.ndarray, size: float) -> list[Track]:
    """Link the best rows of neighbouring columns."""
    done: list[Track] = []
    active: list[Track] = []
    best = (scores >= _LEAST_COLUMN) & (scores >= cv2.dilate(scores.astype(np.float32), np.ones((9, 1), np.uint8)) - 1e-6)
    for column in range(scores.shape[1]):
        rows = _middles(np.flatnonzero(best[:, column]))
        values = [float(scores[round(row), column]) for row in rows]
        free = dict(enumerate(rows))
        for track in sorted(active, key=lambda track: -track.score):
            gap = column - track.columns[-1]
            expected = track.expected(column)
            near = [place for place, row in free.items() if abs(row - expected) <= _MOST_STRAY[0] + _MOST_STRAY[1] * (gap - 1)]
            if near:
                place = min(near, key=lambda place: abs(free[place] - expected))
                track.columns.append(column)
                track.tops.append(free.pop(place))
                track.scores.append(values[place])
        active += [Track(size, [column], [row], [values[place]]) for place, row in free.items()]
        over = [track for track in active if column - track.columns[-1] >= _patience(track)]
        done += over
        active = [track for track in active if not any(track is other for other in over)]
    return done + active


def _patience(track: Track) -> int:
    """Columns after which a track without lines has ended: fewer for one that has hardly begun."""
    return min(_LONGEST_GAP, 2 + len(track.columns))


def _middles(rows: np.ndarray) -> list[float]:
    """The middle of each group of neighbouring rows."""
    found: list[float] = []
    begin = last = -2
    for row in [*rows.tolist(), -2]:
        if row != last + 1:
            if last >= 0:
                found.append((begin + last) / 2)
            begin = row
        last = row
    return found


def is_staff(track: Track, tolerant: np.ndarray, ink: np.ndarray) -> bool:
    """Whether there are five lines and no sixth. tolerant: the line map, ink: 1 = dark, both in every _STEPth column."""
    columns, tops = np.array(track.columns), np.array(track.tops)
    if length(track) * STEP < _SHORTEST * SPACE or len(columns) < _LEAST_SUPPORT * length(track):
        return False
    rows = np.round(tops + np.arange(-1, 6)[:, None] * track.size * SPACE).astype(int)
    inside = (rows >= 0) & (rows < len(tolerant))
    rows = np.clip(rows, 0, len(tolerant) - 1)
    lines = np.where(inside, tolerant[rows, columns], 0)
    shown = np.maximum(lines, np.where(inside, ink[rows, columns], 0)).mean(1)
    lines = lines.mean(1)
    return bool(lines[1:-1].mean() >= _LEAST_LINES and shown[1:-1].min() >= _LEAST_LINE and max(lines[0], lines[-1]) <= _BESIDE)


def overlap(track: Track, other: Track) -> bool:
    """Whether two tracks are in each other's way."""
    begin, end = max(track.columns[0], other.columns[0]), min(track.columns[-1], other.columns[-1])
    if end < begin:
        return False
    columns = np.arange(begin, end + 1)
    mine, theirs = (np.interp(columns, one.columns, one.tops) + 2 * SPACE * one.size for one in (track, other))
    return bool(np.abs(mine - theirs).min() < _APART * SPACE * (track.size + other.size) / 2)


def join(tracks: list[Track]) -> list[Track]:
    """Join tracks that continue one another: the lines of one staff, hidden in between. tracks: from left to right."""
    joined: list[Track] = []
    for track in tracks:
        for other in joined:
            gap = track.columns[0] - other.columns[-1]
            off = other.expected(track.columns[0]) - track.tops[0] + 2 * SPACE * (other.size - track.size)
            if 0 < gap <= _LONGEST_GAP and abs(off) < SPACE / 2:
                other.columns += track.columns
                other.tops += [top + 2 * SPACE * (track.size - other.size) for top in track.tops]
                other.scores += track.scores
                break
        else:
            joined.append(track)
    return joined
