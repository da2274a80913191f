"""Where the agent was, as tables that other programs read: a row per frame, and a row per onset of the score."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import Place, SheetMap, map_of
from score_following_game.files import replacing
from score_following_game.watching.record import WatchedGame

TOUCH = 0.01  # pixels; true positions are rounded
COLUMNS = ("time", "page", "system", "x", "bar", "beat", "onset")


def onsets_path(path: str | PathLike[str]) -> Path:
    """The path of the table of onsets that belongs to a table of frames: NAME_onsets.csv to NAME.csv."""
    path = Path(path)
    return path.with_name(f"{path.stem}_onsets{path.suffix}")


def write_positions(episode: WatchedGame, piece: Piece, path: str | PathLike[str]) -> None:
    """Write the positions of an episode of at least one frame, and the times at which it reached the onsets to onsets_path.

    The times are seconds of the recording, if there is one, else of the played score. Raises WriteError.
    """
    sheet_map = map_of(piece, episode.fps)
    times, x = _track(episode, piece)
    reached = reached_at(times, x, sheet_map.onset_x)
    _write(path, _frame_rows(times, x, reached, sheet_map))
    _write(onsets_path(path), _onset_rows(reached, sheet_map))


def reached_at(times: np.ndarray, x: np.ndarray, onset_x: Sequence[float]) -> np.ndarray:
    """When each onset was reached: seconds, float64 (K,), nan for those that were not; between two frames by the speed there.

    times, x: float64 (frames,). The agent begins at the first onset and waits there: that one is reached when it leaves it.
    """
    furthest = np.maximum.accumulate(x)
    found = np.full(len(onset_x), np.nan)
    for index, column in enumerate(onset_x):
        begins = column <= onset_x[0]
        after = int(np.searchsorted(furthest, column + TOUCH if begins else column - TOUCH))
        if after >= len(x):
            continue
        if after == 0 or begins:
            found[index] = times[max(after - 1, 0)]
        else:
            share = min((column - furthest[after - 1]) / (furthest[after] - furthest[after - 1]), 1.0)
            found[index] = times[after - 1] + share * (times[after] - times[after - 1])
    return found


def _track(episode: WatchedGame, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of the recording and x in the sheet, from the beginning of the game on, float64 (frames + 1,)."""
    first = episode.frames[0] - 1
    start = float(piece.onset_x[0]) if first == 0 else episode.x[0]
    times = piece.begins + np.array([first, *episode.frames]) / episode.fps
    return times, np.array([start, *episode.x], dtype=np.float64)


def _frame_rows(times: np.ndarray, x: np.ndarray, reached: np.ndarray, sheet_map: SheetMap) -> Iterable[Sequence[object]]:
    known = np.where(np.isnan(reached), np.inf, reached)
    for time, column in zip(times, x):
        yield _row(float(time), sheet_map.place(float(column)), int((known <= time + 1e-9).sum()))


def _onset_rows(reached: np.ndarray, sheet_map: SheetMap) -> Iterable[Sequence[object]]:
    for index, time in enumerate(reached):
        if not np.isnan(time):
            yield _row(float(time), sheet_map.place_of_onset(index), index + 1)


def _row(time: float, place: Place, onset: int) -> Sequence[object]:
    beat = "" if place.beat is None else f"{place.beat:.3f}"
    return f"{time:.3f}", place.page, place.system, f"{place.x:.1f}", place.bar or "", beat, onset


def _write(path: str | PathLike[str], rows: Iterable[Sequence[object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
