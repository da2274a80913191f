"""Staves: five level lines at equal distances, followed from left to right, however the paper bends."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from score_following_game.data_preparation.pages.paper import SPACE, Paper
from score_following_game.data_preparation.pages.staff_lines import BLUR, line_map
from score_following_game.opencv import cv2

SIZES = 1.0, 0.9, 1.1, 0.8, 0.72  # of the page's staff space: singers' and cue staves are smaller
_STEP = 10  # pixels between two columns that are looked at
_LEAST_COLUMN = 3.0  # of 5 lines, less what lies between and beside them
_MOST_STRAY = 2.2, 0.3  # pixels that a staff may stray from its course: at once, and per further column without lines
_LONGEST_GAP = 14  # columns without lines, below dense chords or a blot; facing pages are further apart
_SHORTEST = 10.0  # staff spaces
_SHORTEST_OTHER = 0.4  # of the usual staff's length, for a staff of another size: text looks like short small staves
_LEAST_SUPPORT = 0.45  # share of columns with all lines
_LEAST_LINES = 0.55  # mean of the line map on the five lines
_LEAST_LINE = 0.5  # share of columns with a line or other ink where the faintest line should be: beams hide lines
_BESIDE = 0.8  # a sixth line so dark makes a tablature or a table, no staff
_APART = 6.5  # staff spaces between the middles of two staves: what is nearer is ledger lines
_HIDDEN = 4.0  # staff spaces between two parts of a staff; two staves of one height are further apart
_DARK_END = 0.2  # of the contrast: fainter lines have ended
_BEYOND = 1.2, 2.0  # staff spaces that a sign may hide before the left and the right end of the lines: braces are near
_FEW, _BENDS, _OFF_COURSE = 20, 3, 0.2  # columns of a short staff; degree of its curve; staff spaces
_SMOOTH = 6  # columns over which the course of a staff is evened


@dataclass(frozen=True)
class Staff:
    """One staff on a Paper, in its pixels.

    left, right: x of the ends of its lines.  space: between two lines.  x, y: float64 (n,), the course of the middle line.
    """

    left: float
    right: float
    space: float
    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)

    def middle(self, x: np.ndarray | float) -> np.ndarray:
        """y of the middle line at x; beyond the ends it goes straight on."""
        return _at(self.x, self.y, np.asarray(x, np.float64))

    @property
    def top(self) -> float:
        """Mean y of the highest line."""
        return float(self.y.mean()) - 2 * self.space

    @property
    def bottom(self) -> float:
        """Mean y of the lowest line."""
        return float(self.y.mean()) + 2 * self.space


@dataclass
class _Track:
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


def find_staves(paper: Paper) -> list[Staff]:
    """The staves of a page, from top to bottom and from left to right."""
    lines = line_map(paper.image, SPACE, paper.contrast)
    tolerant = cv2.dilate(lines, np.ones((3, 1), np.uint8))[:, ::_STEP]
    ink = cv2.dilate((paper.image < paper.darkest_paper).astype(np.uint8), np.ones((3, 1), np.uint8))[:, ::_STEP]
    accepted: list[_Track] = []
    for size in SIZES:
        usual = np.median([_length(track) for track in accepted]) if accepted else 0
        for track in sorted(_follow(_column_scores(tolerant, size * SPACE), size), key=lambda track: -track.score):
            long_enough = size == 1 or _length(track) >= _SHORTEST_OTHER * usual
            if long_enough and _is_staff(track, tolerant, ink) and not any(_overlap(track, other) for other in accepted):
                accepted.append(track)
                _erase(tolerant, track)
    joined = _join(sorted(accepted, key=lambda track: track.columns[0]))
    staves = [staff for track in joined if (staff := _measured(track, lines, paper)) is not None]
    distinct: list[Staff] = []
    for staff in sorted(staves, key=lambda staff: staff.left - staff.right):
        if not any(_same(staff, other) for other in distinct):
            distinct.append(staff)
    return sorted(_whole(distinct), key=lambda staff: (staff.top, staff.left))


def _whole(staves: list[Staff]) -> list[Staff]:
    """Join staves that continue one another across a place where the lines cannot be seen."""
    whole: list[Staff] = []
    for staff in sorted(staves, key=lambda staff: staff.left):
        for place, other in enumerate(whole):
            between = (other.right + staff.left) / 2
            off = abs(float(staff.middle(between) - other.middle(between)))
            if staff.left - other.right < _HIDDEN * staff.space and off < staff.space / 2:
                lengths = other.right - other.left, staff.right - staff.left
                x, y = np.concatenate([other.x, staff.x]), np.concatenate([other.y, staff.y])
                space = float(np.average([other.space, staff.space], weights=lengths))
                whole[place] = Staff(other.left, max(staff.right, other.right), space, x[x.argsort()], y[x.argsort()])
                break
        else:
            whole.append(staff)
    return whole


def _same(staff: Staff, other: Staff) -> bool:
    """Whether two staves have lines in common: the ends of both were found further out, where the other's are."""
    begin, end = max(staff.left, other.left), min(staff.right, other.right)
    return end > begin and abs(float(staff.middle((begin + end) / 2) - other.middle((begin + end) / 2))) < 2 * SPACE


def _length(track: _Track) -> int:
    """Columns from the first to the last."""
    return track.columns[-1] - track.columns[0] + 1


def _erase(tolerant: np.ndarray, track: _Track) -> None:
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


def _column_scores(tolerant: np.ndarray, space: float) -> np.ndarray:
    """For every row and every _STEPth column, how much it is the highest line of a staff: at most 5."""
    five = sum(_rows_of(tolerant, number * space) for number in range(5))
    between = sum(_rows_of(tolerant, (number + 0.5) * space) for number in range(4))
    beside = np.maximum(_rows_of(tolerant, -space), _rows_of(tolerant, 5 * space))
    return np.asarray(five - 0.25 * between - 0.5 * beside)


def _follow(scores: np.ndarray, size: float) -> list[_Track]:
    """Link the best rows of neighbouring columns."""
    done: list[_Track] = []
    active: list[_Track] = []
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
        active += [_Track(size, [column], [row], [values[place]]) for place, row in free.items()]
        over = [track for track in active if column - track.columns[-1] >= _patience(track)]
        done += over
        active = [track for track in active if not any(track is other for other in over)]
    return done + active


def _patience(track: _Track) -> int:
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


def _is_staff(track: _Track, tolerant: np.ndarray, ink: np.ndarray) -> bool:
    """Whether there are five lines and no sixth. tolerant: the line map, ink: 1 = dark, both in every _STEPth column."""
    columns, tops = np.array(track.columns), np.array(track.tops)
    if _length(track) * _STEP < _SHORTEST * SPACE or len(columns) < _LEAST_SUPPORT * _length(track):
        return False
    rows = np.round(tops + np.arange(-1, 6)[:, None] * track.size * SPACE).astype(int)
    inside = (rows >= 0) & (rows < len(tolerant))
    rows = np.clip(rows, 0, len(tolerant) - 1)
    lines = np.where(inside, tolerant[rows, columns], 0)
    shown = np.maximum(lines, np.where(inside, ink[rows, columns], 0)).mean(1)
    lines = lines.mean(1)
    return bool(lines[1:-1].mean() >= _LEAST_LINES and shown[1:-1].min() >= _LEAST_LINE and max(lines[0], lines[-1]) <= _BESIDE)


def _overlap(track: _Track, other: _Track) -> bool:
    """Whether two tracks are in each other's way."""
    begin, end = max(track.columns[0], other.columns[0]), min(track.columns[-1], other.columns[-1])
    if end < begin:
        return False
    columns = np.arange(begin, end + 1)
    mine, theirs = (np.interp(columns, one.columns, one.tops) + 2 * SPACE * one.size for one in (track, other))
    return bool(np.abs(mine - theirs).min() < _APART * SPACE * (track.size + other.size) / 2)


def _join(tracks: list[_Track]) -> list[_Track]:
    """Join tracks that continue one another: the lines of one staff, hidden in between. tracks: from left to right."""
    joined: list[_Track] = []
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


def _measured(track: _Track, lines: np.ndarray, paper: Paper) -> Staff | None:
    """The staff with its exact course, distance of lines and ends."""
    columns = np.array(track.columns)
    tops = cv2.blur(np.array(track.tops, np.float64)[None], (5, 1), borderType=cv2.BORDER_REPLICATE)[0]
    places = _line_places(lines, columns * _STEP, tops, track.size * SPACE)
    found = np.isfinite(places)
    spaces = [(places[4 - k] - places[k])[found[k] & found[4 - k]] / (4 - 2 * k) for k in range(2)]
    if not len(spaces[0]):
        return None
    space = float(np.median(np.concatenate(spaces)))
    numbers = np.arange(5)[:, None] - 2
    with_line = found.sum(0) >= 3
    middles = np.nanmedian((places - numbers * space)[:, with_line], axis=0)
    x, y = _even(*_on_course(columns[with_line] * float(_STEP), _without_jumps(middles, space), space))
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


def _at(xs: np.ndarray, ys: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Interpolated ys; beyond the ends in the direction of the last columns."""
    inside = np.interp(x, xs, ys)
    if len(xs) < 2:
        return inside
    reach = min(len(xs) - 1, 12)
    first = (ys[reach] - ys[0]) / (xs[reach] - xs[0])
    last = (ys[-1] - ys[-1 - reach]) / (xs[-1] - xs[-1 - reach])
    return inside + np.minimum(x - xs[0], 0) * first + np.maximum(x - xs[-1], 0) * last


def _ends(paper: Paper, x: np.ndarray, y: np.ndarray, space: float) -> tuple[float, float]:
    """x of the ends of the lines: where the columns end that look like five lines."""
    height, width = paper.image.shape
    columns = np.arange(width)
    middle = _at(x, y, columns.astype(np.float64))
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
