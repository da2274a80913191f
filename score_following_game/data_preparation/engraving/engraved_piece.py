"""The result of engraving a piece, the same for every engraver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from score_following_game.data_processing.score_npz import Score
from score_following_game.data_processing.sheet_map import Bar
from score_following_game.data_processing.written_score import WrittenScore


@dataclass(frozen=True)
class PlayedNote:
    """One MIDI note. onset, end: in quarters.  heads: ids of the noteheads that show it (several for a unison)."""

    onset: Fraction
    end: Fraction
    pitch: int
    heads: tuple[str, ...]


@dataclass(frozen=True)
class EngravedPiece:
    """A piece as the game needs it.

    midi: content of the MIDI file.  notes: sorted by onset, then pitch, like the MIDI; Score.coord2onset holds indices into
    them.  onsets: of each note, in seconds.  seconds: end of the last note.  tempo: quarters per minute at the beginning.
    systems: x of each system's first column, in pixels.  staves: number of staves of each system.  unshown: reason ->
    number of notes of the source that no notehead on the sheet shows, or that cannot be played; they are left out of `notes`.
    first_unshown: bar and staff of one of them, "" if unknown.
    unheard: number of noteheads that do not sound and have no coordinate.
    mended: what was changed so that print and sound agree -> at how many notes of the source.
    held: indices of the coordinates whose x is not quite that of their notehead, see reading_order.py.
    sharp: the sheet in more pixels, see data_processing/sharp_sheet.py; None where the source has no more.
    bars: in the order in which they are played; () where they are not known.
    written: the score as it is written, where the MIDI is a person's performance of it; else None.
    """

    score: Score
    midi: bytes
    notes: list[PlayedNote]
    onsets: list[float]
    seconds: float
    tempo: float
    systems: list[int]
    staves: list[int]
    unshown: dict[str, int] = field(default_factory=dict, kw_only=True)
    first_unshown: str = field(default="", kw_only=True)
    unheard: int = field(default=0, kw_only=True)
    mended: dict[str, int] = field(default_factory=dict, kw_only=True)
    held: tuple[int, ...] = field(default=(), kw_only=True)
    sharp: np.ndarray | None = field(default=None, kw_only=True, repr=False, compare=False)
    bars: tuple[Bar, ...] = field(default=(), kw_only=True)
    written: WrittenScore | None = field(default=None, kw_only=True, repr=False)


def coordinates(notes: Sequence[PlayedNote], heads: dict[str, tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns coords, float32 (N, 2), and coord2onset, int64 (N, 2), both sorted by onset. heads: id -> (y, x) in pixels.

    The game takes the x of an onset from its first coordinate. Within an onset the head nearest the median x comes first.
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
