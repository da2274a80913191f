"""The path of online time warping (Dixon, "Live tracking of musical performances using on-line time warping", DAFx 2005),
compiled by numba, for many games at once and frame by frame.

Import this module only where it is used: numba is slow to import.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from score_following_game.compiled import compiled

WINDOW = 200  # frames of each side whose costs are kept; 10 s, as in the paper
LONGEST_RUN = 3  # consecutive moves on one side only
ROW, COLUMN = 1, 2  # moves: one more frame of the performance, of the score; their sum: of both
HEARD, READ, NEXT, LATEST, RUN = range(5)  # the columns of Paths.state

_FAST = {"contract", "nsz", "reassoc"}  # fastmath flags that preserve infinities


class Paths(NamedTuple):
    """The alignment paths of N games with K values per frame. Frame k of a side is stored at index k % WINDOW.

    heard: float32 (N, WINDOW, K), the latest frames of the performance. row: float32 (N, WINDOW), costs of the best paths that
    end at the latest frame heard and at each of the latest score frames read. column: float32 (N, WINDOW), costs of those that
    end at the latest score frame read and at each of the latest frames heard. state: int64 (N, 5): number of the latest frame
    heard (-1: none), number of the latest score frame read, the next move, the latest one-sided move, and how often that was
    made in a row.
    """

    heard: np.ndarray
    row: np.ndarray
    column: np.ndarray
    state: np.ndarray

    @classmethod
    def none(cls, games: int, values: int, window: int = WINDOW) -> Paths:
        """Paths of games in which nothing has been heard."""
        row, column = np.full((2, games, window), np.inf, np.float32)
        return cls(np.zeros((games, window, values), np.float32), row, column, np.tile([-1, 0, ROW, 0, 1], (games, 1)))

    def of(self, games: np.ndarray) -> Paths:
        """The paths of some of the games (bool (N,) or int64 (n,))."""
        return Paths(*(values[games] for values in self))

    def forget(self, games: np.ndarray) -> None:
        """Reset these games (bool (N,)): nothing has been heard of them."""
        for values, empty in zip(self, Paths.none(int(games.sum()), self.heard.shape[2])):
            values[games] = empty


@compiled()
def hear(
    paths: Paths, games: np.ndarray, frames: np.ndarray, scores: np.ndarray, first: np.ndarray, length: np.ndarray
) -> None:
    """Extend the paths of some games by one frame of the performance each.

    games: int64 (n,). frames: float32 (n, K), the new frames. scores: float32 (R, K), the frames of all scores; the score of a
    game begins at row first, int64 (n,), and has length, int64 (n,), frames.
    """
    for index in range(len(games)):
        game = games[index]
        score = scores[first[index] : first[index] + length[index]]
        _hear(paths.heard[game], paths.row[game], paths.column[game], paths.state[game], frames[index], score)


@compiled()
def _hear(
    heard: np.ndarray, row: np.ndarray, column: np.ndarray, state: np.ndarray, frame: np.ndarray, score: np.ndarray
) -> None:
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
def _read(heard: np.ndarray, row: np.ndarray, column: np.ndarray, state: np.ndarray, score: np.ndarray) -> None:
    """Extend the paths by one frame of the score."""
    state[READ] += 1
    _extend(column, heard, score[state[READ]], state[HEARD])
    row[state[READ] % len(row)] = column[state[HEARD] % len(column)]


@compiled()
def _extend(costs: np.ndarray, frames: np.ndarray, frame: np.ndarray, last: int) -> None:
    """Update `costs` (WINDOW,) in place by one frame of one side: costs of the best paths to it and to each of the other
    side's frames up to `last`.

    A diagonal step costs as much as any other. At twice the cost, which is common elsewhere, the path lags or hurries where the
    instruments differ.
    """
    diagonal = left = np.float32(np.inf)
    for k in range(max(0, last - len(costs) + 1), last + 1):
        place = k % len(costs)
        above = costs[place]
        left = min(left, above, diagonal) + _distance(frame, frames[k % len(frames)])
        costs[place] = left
        diagonal = above


@compiled(fastmath=_FAST)
def _distance(one: np.ndarray, other: np.ndarray) -> np.float32:
    """Euclidean distance."""
    total = np.float32(0)
    for value in range(len(one)):
        difference = one[value] - other[value]
        total += difference * difference
    return np.sqrt(total)


@compiled()
def _next_move(row: np.ndarray, column: np.ndarray, state: np.ndarray, length: int) -> int:
    """The move towards the end of the best path, by cost per length, among the paths to the latest row and column.

    The paper moves on both sides for the first WINDOW frames; by then a performance faster than the score would be lost.
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
def _least(costs: np.ndarray, last: int, other: int) -> np.float32:
    least = np.float32(np.inf)
    for k in range(max(0, last - len(costs) + 1), last):
        least = min(least, costs[k % len(costs)] / np.float32(k + other + 1))
    return least


@compiled()
def _count(state: np.ndarray) -> None:
    """Count consecutive moves on one side only. As in the paper, moves on both sides do not interrupt a run."""
    if state[NEXT] == state[LATEST]:
        state[RUN] += 1
    else:
        state[RUN] = 1
    if state[NEXT] != ROW + COLUMN:
        state[LATEST] = state[NEXT]


@compiled()
def best_places(paths: Paths) -> np.ndarray:
    """The score frame, int64 (N,), at which the best path to the latest frame heard ends."""
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
