"""The path of online time warping (Dixon, "Live tracking of musical performances using on-line time warping", DAFx 2005),
compiled: of many games, a frame at a time.

Imported where it is first wanted, since numba is slow to import.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from score_following_game.compiled import compiled

WINDOW = 200  # frames on either side whose costs are kept; 10 s, as in the paper
LONGEST_RUN = 3  # moves one after the other on one side alone
ROW, COLUMN = 1, 2  # a frame more of the performance, of the score; their sum: of both
HEARD, READ, NEXT, LATEST, RUN = range(5)  # the columns of Paths.state

_FAST = {"contract", "nsz", "reassoc"}  # of fastmath: infinities are kept


class Paths(NamedTuple):
    """What is remembered of N games, with K values a frame; frame k of a side is kept at k % WINDOW.

    heard: float32 (N, WINDOW, K), the latest frames of the performance. row: float32 (N, WINDOW), the cost of the best path
    that ends at the latest frame heard and each of the latest score frames read; column: that ends at the latest frame read
    and each of the latest heard. state: int64 (N, 5): number of the latest frame heard (-1: none) and read, the next move,
    the latest one-sided move, and how often it was made.
    """

    heard: np.ndarray
    row: np.ndarray
    column: np.ndarray
    state: np.ndarray

    @classmethod
    def none(cls, games: int, values: int, window: int = WINDOW) -> Paths:
        """Of games in which nothing has been heard."""
        row, column = np.full((2, games, window), np.inf, np.float32)
        return cls(np.zeros((games, window, values), np.float32), row, column, np.tile([-1, 0, ROW, 0, 1], (games, 1)))

    def of(self, games: np.ndarray) -> Paths:
        """Of some of the games (bool (N,) or int64 (n,))."""
        return Paths(*(values[games] for values in self))

    def forget(self, games: np.ndarray) -> None:
        """Nothing has been heard of these games (bool (N,))."""
        for values, empty in zip(self, Paths.none(int(games.sum()), self.heard.shape[2])):
            values[games] = empty


@compiled()
def hear(paths, games, frames, scores, first, length):
    """Go on with some of the games, int64 (n,), by a frame of the performance each, float32 (n, K).

    scores: float32 (R, K), all scores; each game's begins at row first, int64 (n,), and has so many frames, int64 (n,).
    """
    for index in range(len(games)):
        game = games[index]
        score = scores[first[index] : first[index] + length[index]]
        _hear(paths.heard[game], paths.row[game], paths.column[game], paths.state[game], frames[index], score)


@compiled()
def _hear(heard, row, column, state, frame, score):
    state[HEARD] += 1
    now = state[HEARD]
    heard[now % len(heard)] = frame
    if now == 0:
        row[0] = column[0] = _distance(frame, score[0])
    else:
        _extend(row, score, frame, state[READ])
        column[now % len(column)] = row[state[READ] % len(row)]
        if state[NEXT] & COLUMN:
            _read(heard, row, column, state, score)
        _count(state)
    state[NEXT] = _next_move(row, column, state, len(score))
    while state[NEXT] == COLUMN:
        _read(heard, row, column, state, score)
        _count(state)
        state[NEXT] = _next_move(row, column, state, len(score))


@compiled()
def _read(heard, row, column, state, score):
    """A frame more of the score."""
    state[READ] += 1
    _extend(column, heard, score[state[READ]], state[HEARD])
    row[state[READ] % len(row)] = column[state[HEARD] % len(column)]


@compiled()
def _extend(costs, frames, frame, last):
    """The costs (WINDOW,) of the best paths to a frame of one side and those up to `last` of the other, from the costs to the
    frame before it. A diagonal step costs as much as any other: at twice that, as elsewhere, the path comes to lag or hurry
    where the instruments differ."""
    diagonal = left = np.float32(np.inf)
    for k in range(max(0, last - len(costs) + 1), last + 1):
        place = k % len(costs)
        above = costs[place]
        left = min(left, above, diagonal) + _distance(frame, frames[k % len(frames)])
        costs[place] = left
        diagonal = above


@compiled(fastmath=_FAST)
def _distance(one, other):
    """Euclidean."""
    total = np.float32(0)
    for value in range(len(one)):
        difference = one[value] - other[value]
        total += difference * difference
    return np.sqrt(total)


@compiled()
def _next_move(row, column, state, length):
    """Towards where the best path ends, by its cost over its length, on the edges of what has been reckoned.

    Not, as in the paper, on both sides for the first WINDOW frames: a performance faster than the score would be lost by then.
    """
    now, read = state[HEARD], state[READ]
    if read == length - 1:
        return ROW
    if state[RUN] > LONGEST_RUN:
        return COLUMN if state[LATEST] == ROW else ROW
    inner_row = _least(row, read, now)
    inner_column = _least(column, now, read)
    corner = row[read % len(row)] / (now + read + 1)
    if corner <= min(inner_row, inner_column):
        return ROW + COLUMN
    return ROW if inner_row < inner_column else COLUMN


@compiled()
def _least(costs, last, other):
    least = np.float32(np.inf)
    for k in range(max(0, last - len(costs) + 1), last):
        least = min(least, costs[k % len(costs)] / np.float32(k + other + 1))
    return least


@compiled()
def _count(state):
    """How long a run of moves on one side alone has become (as in the paper, also where moves on both lie between)."""
    if state[NEXT] == state[LATEST]:
        state[RUN] += 1
    else:
        state[RUN] = 1
    if state[NEXT] != ROW + COLUMN:
        state[LATEST] = state[NEXT]


@compiled()
def best_places(paths):
    """int64 (N,): the score frame at which the best path to the latest frame heard ends."""
    games = len(paths.state)
    places = np.zeros(games, np.int64)
    for game in range(games):
        row, now, read = paths.row[game], paths.state[game, HEARD], paths.state[game, READ]
        least = np.inf
        for k in range(read, max(0, read - len(row) + 1) - 1, -1):
            cost = row[k % len(row)] / (now + k + 1)
            if cost < least:
                least, places[game] = cost, k
    return places
