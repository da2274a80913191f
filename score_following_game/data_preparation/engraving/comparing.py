"""Compares what was engraved with what the file says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote
from score_following_game.data_preparation.engraving.read_bar import DIFFER
from score_following_game.data_preparation.engraving.reading import SHORTEST, Reading, SoundingNote
from score_following_game.data_preparation.errors import EngravingError

_QUARTERS_OFF = Fraction(1, 100)  # a note ends one tick before its pitch sounds again

Places = Mapping[tuple[Fraction, int], str]  # onset and pitch of a note -> "bar 3, staff 1"


def compare(played: Sequence[PlayedNote], sounding: Iterable[SoundingNote], reading: Reading, engraved_in: Places) -> Places:
    """Compare what was engraved, `played`, with what the file says. Returns where the notes are.

    engraved_in: where the engraver has each note. Unisons count once, with their longest duration, and a note that its own
    pitch cuts short may end anywhere after that. Raises EngravingError naming bar and staff of the first difference.
    """
    expected: dict[tuple[Fraction, int], SoundingNote] = {}
    for note in sounding:
        held = expected.get((note.onset, note.pitch))
        if held is None or held.end < note.end:
            expected[note.onset, note.pitch] = note
    engraved = {(note.onset, note.pitch): note for note in played}
    for key in sorted(expected.keys() ^ engraved.keys()):
        onset, pitch = key
        where = _where(expected[key], reading) if key in expected else engraved_in[key]
        missing = "missing in the engraving" if key in expected else "not in the file"
        raise EngravingError(DIFFER, f"{where}: pitch {pitch} at quarter {float(onset):g} is {missing}")
    following: dict[int, Fraction] = {}
    for onset, pitch in sorted(expected, reverse=True):
        note = expected[onset, pitch]
        end = max(note.end, onset + SHORTEST)
        if pitch in following:
            end = min(end, following[pitch])
        following[pitch] = onset
        if abs(engraved[onset, pitch].end - end) > _QUARTERS_OFF:
            lasts = float(engraved[onset, pitch].end - onset)
            raise EngravingError(
                DIFFER, f"{_where(note, reading)}: pitch {pitch} lasts {lasts:g} quarters, in the file {float(end - onset):g}"
            )
    return {key: _where(note, reading) for key, note in expected.items()}


def _where(note: SoundingNote, reading: Reading) -> str:
    return f"bar {reading.bars[note.bar].name}, staff {note.staff}"
