"""A piece as an engraver hands it over, whichever engraver it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from score_following_game.data_processing.score_npz import Score


@dataclass(frozen=True)
class PlayedNote:
    """One MIDI note, in quarters, with the ids of the noteheads that show it (unisons: several)."""

    onset: Fraction
    end: Fraction
    pitch: int
    heads: tuple[str, ...]


@dataclass(frozen=True)
class EngravedPiece:
    """A piece as the game wants it.

    midi: the file's bytes.  notes: by onset, then pitch; the MIDI's order and what Score.coord2onset counts.  onsets: seconds
    of each note.  seconds: end of the last note.  tempo: quarters per minute at the beginning.  systems: x of each system's
    first column.  staves: staves on each system.  unshown: notes of the source's own sound that no notehead shows, and that are
    therefore not in `notes`.
    """

    score: Score
    midi: bytes
    notes: list[PlayedNote]
    onsets: list[float]
    seconds: float
    tempo: float
    systems: list[int]
    staves: list[int]
    unshown: int = field(default=0, kw_only=True)


def coordinates(notes: Sequence[PlayedNote], heads: dict[str, tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """-> coords float32 (N, 2), coord2onset int64 (N, 2): by onset; within one, the head nearest the median x first.

    heads: id -> (y, x). The game takes the x of an onset from the first coordinate that has it.
    """
    by_onset: dict[Fraction, list[tuple[int, tuple[float, float]]]] = {}
    for index, note in enumerate(notes):
        by_onset.setdefault(note.onset, []).extend((index, heads[head]) for head in note.heads)
    rows: list[tuple[int, tuple[float, float]]] = []
    for chord in by_onset.values():
        median = float(np.median([x for _, (_, x) in chord]))
        rows += sorted(chord, key=lambda row: (abs(row[1][1] - median), row[0], row[1]))
    coords = np.array([centre for _, centre in rows], dtype=np.float32)
    return coords, np.array([(row, index) for row, (index, _) in enumerate(rows)], dtype=np.int64)
