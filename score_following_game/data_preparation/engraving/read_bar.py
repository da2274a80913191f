"""The notes and bars of a Reading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from score_following_game.data_preparation.engraving.silent import CUE
from score_following_game.data_preparation.errors import EngravingError

DIFFER = "two readings differ"


@dataclass(frozen=True)
class ReadNote:
    """A written note or rest.

    id: of its element in the MEI.  onset: quarters after the start of its bar.  duration: quarters, without ties.
    pitch: sounding MIDI pitch, None for a rest and a silent note.  alter: sounding alteration of the written step, semitones.
    staff: 1 is the top staff of the score.  tied_to: id of the earlier note that this one continues, "" if none.
    transposition: semitones from the written to the sounding pitch.  begins_tie, ends_tie: a tie begins or ends at the note,
    perhaps one whose other end is in a bar that precedes or follows only when bars are repeated.  silent: why the note is not
    played, "" if it is.
    """

    id: str
    onset: Fraction
    duration: Fraction
    pitch: int | None
    staff: int
    alter: int = 0
    tied_to: str = ""
    transposition: int = 0
    begins_tie: bool = False
    ends_tie: bool = False
    silent: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is a loss if the note is not played: not for rests and cue notes."""
        return self.pitch is not None or self.silent not in ("", CUE)


@dataclass(frozen=True)
class ReadClef:
    """A clef that begins within a bar. onset: quarters after its start.  staff: 1 is the top staff of the score.

    shape: G, F or C.  octaves: by which its notes sound higher.
    """

    onset: Fraction
    staff: int
    shape: str
    line: int
    octaves: int = 0


def _full(meter: tuple[int, int] | None) -> Fraction:
    return Fraction(4 * meter[0], meter[1]) if meter else Fraction(0)


@dataclass(frozen=True)
class PartBar:
    """What a part has in a bar. staves: of the score, none if the part is not played.  length: quarters.

    meter: its own time signature, None without one.
    """

    staves: tuple[int, ...]
    length: Fraction
    meter: tuple[int, int] | None

    @property
    def full(self) -> Fraction:
        """Quarters of a full bar, 0 without a time signature."""
        return _full(self.meter)


@dataclass(frozen=True)
class ReadBar:
    """A bar. name: its number in the score.  length: quarters.  tempi: (quarters after its start, quarters per minute).

    meter: beats and beat unit of the time signature in force, None if there is none.  lost: notes that are not engraved.
    parts: for formats in which a part may have a time signature, and a length, of its own.  clefs: for formats that state
    their times; those at bar lines may be missing.
    """

    name: str
    length: Fraction
    notes: tuple[ReadNote, ...]
    tempi: tuple[tuple[Fraction, float], ...] = ()
    meter: tuple[int, int] | None = None
    lost: tuple[ReadNote, ...] = ()
    parts: tuple[PartBar, ...] = ()
    clefs: tuple[ReadClef, ...] = ()

    @property
    def full(self) -> Fraction:
        """Quarters of a full bar, 0 without a time signature."""
        return _full(self.meter)

    def alone(self) -> ReadBar:
        """The bar as long as it is without the parts that were taken away: full where one of those, or an own one, is full.

        Raises EngravingError if its notes last longer than its own time signature says, where the other parts have another one.
        """
        own = [part for part in self.parts if part.staves and part.full]
        others = [part for part in self.parts if not part.staves]
        if not own or not others or len(own) + len(others) < len(self.parts) or not all(part.full for part in others):
            return self
        longest = max(own, key=lambda part: part.length)
        lengths = {length for part in others for length in (part.full, part.length)}
        if longest.length > longest.full and longest.full not in lengths and longest.length not in lengths:
            raise EngravingError(
                DIFFER,
                f"bar {self.name}: its notes last {float(longest.length):g} quarters, a bar of its own time signature lasts "
                f"{float(longest.full):g}",
            )
        share = max(min(part.length / part.full, Fraction(1)) for part in others)
        return replace(self, length=max(longest.length, share * longest.full), meter=longest.meter)

    def require_in_step(self) -> None:
        """Raise EngravingError if parts that play together have time signatures of different length, and notes, too."""
        sounding = {note.staff for note in self.notes if note.pitch is not None}
        parts = [part for part in self.parts if part.full and sounding & {*part.staves}]
        if len({part.full for part in parts}) > 1 and len({part.length for part in parts}) > 1:
            lengths = " and ".join(sorted({f"{float(part.length):g}" for part in parts}))
            raise EngravingError(
                DIFFER,
                f"bar {self.name}: its parts, each in its own time signature, last {lengths} quarters; --part takes one",
            )

    def held_from(self, before: ReadBar) -> dict[str, str]:
        """Id of a note at the start -> id of the one at the end of `before` that it continues, if that bar is played before it.

        For bars that do not follow each other in the file, as the second ending and the bar before the first: notes of one
        pitch are tied if a tie begins at the first and one ends at the second.
        """
        ending = [
            note
            for note in before.notes
            if note.begins_tie and note.pitch is not None and note.onset + note.duration == before.length
        ]
        held: dict[str, str] = {}
        for note in self.notes:
            fitting = [first for first in ending if note.ends_tie and not note.onset and first.pitch == note.pitch]
            if fitting:
                first = min(fitting, key=lambda first: first.staff != note.staff)
                ending.remove(first)
                held[note.id] = first.id
        return held

    @property
    def signature(self) -> tuple[int, int] | None:
        """The time signature of a bar of this length: `meter` for a full bar. None if there is none that MIDI can state."""
        if self.meter is not None and self.length == self.full:
            return self.meter
        length = self.length / 4
        unit = max(length.denominator, self.meter[1] if self.meter else 4)
        beats = length * unit
        if unit & (unit - 1) or beats.denominator > 1 or not 0 < beats < 256:
            return None
        return int(beats), unit
