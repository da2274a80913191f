"""What a score file says by its own arithmetic, read without the engraver.

Every format that verovio engraves is read a second time into a Reading. `verovio/mending.py` makes the engraver's MEI agree
with it, and `compare` (comparing.py) checks that what was engraved sounds as it says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction

from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.read_bar import PartBar, ReadBar, ReadNote
from score_following_game.data_processing.sheet_map import Bar

SHORTEST = Fraction(1, 20)  # quarters; shortest playing time of a note, unless its own pitch begins again sooner
PLAUSIBLE_TEMPO = 20.0, 400.0  # quarters per minute; a tempo outside is treated as an error of the score
LOST = "not drawn by the engraver"
SIGN, TIE, LENGTH = "accidental", "tie", "length in a chord"  # what is mended


@dataclass(frozen=True)
class SoundingNote:
    """A note as it should sound, with its ties. onset, end: quarters from the beginning.  bar: index in Reading.bars."""

    onset: Fraction
    end: Fraction
    pitch: int
    bar: int
    staff: int


@dataclass(frozen=True)
class Reading:
    """The bars of a score, each once, in the order of the file.

    marks: of each bar, those that the engraver's MEI may lack; () if it has all.  written: indices of the bars in the order in
    which the file says that they sound; None if that follows from the marks.
    mended: id of a note -> what was changed at it so that print and sound agree: SIGN, TIE or LENGTH.
    names: number of a staff -> names of its part that the engraver's MEI may lack.
    """

    bars: tuple[ReadBar, ...]
    marks: tuple[BarMarks, ...] = ()
    written: tuple[int, ...] | None = None
    mended: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def of_staves(self, staves: Sequence[int]) -> Reading:
        """Only these staves, renumbered from 1 in the order given."""
        number = {staff: place for place, staff in enumerate(staves, 1)}

        def chosen(notes: Iterable[ReadNote]) -> tuple[ReadNote, ...]:
            return tuple(replace(note, staff=number[note.staff]) for note in notes if note.staff in number)

        def of(part: PartBar) -> PartBar:
            return replace(part, staves=tuple(number[staff] for staff in part.staves if staff in number))

        bars = (
            replace(
                bar,
                notes=chosen(bar.notes),
                lost=chosen(bar.lost),
                parts=tuple(of(part) for part in bar.parts),
            )
            for bar in self.bars
        )
        return replace(self, bars=tuple(bars), names={number[staff]: of for staff, of in self.names.items() if staff in number})

    def giving_up(self, staves: Mapping[int, int]) -> Reading:
        """With the notes of some staves as lost, each on another staff. staves: number of a staff -> that of the other one."""
        bars = []
        for bar in self.bars:
            given_up = [note for note in bar.notes if note.staff in staves]
            lost = [*bar.lost, *(note for note in given_up if note.counts)]
            kept = tuple(note for note in bar.notes if note.staff not in staves)
            moved = tuple(replace(note, staff=staves.get(note.staff, note.staff)) for note in lost)
            bars.append(replace(bar, notes=kept, lost=moved) if given_up or bar.lost else bar)
        return replace(self, bars=tuple(bars))

    def without(self, ids: Set[str], on: Mapping[str, int] | None = None) -> Reading:
        """With the notes of these ids as lost. Rests are no loss. on: id -> the staff from which it is lost, if not its own."""
        staves = on or {}
        bars = (
            replace(
                bar,
                notes=tuple(note for note in bar.notes if note.id not in ids),
                lost=(
                    *bar.lost,
                    *(
                        replace(note, staff=staves.get(note.id, note.staff))
                        for note in bar.notes
                        if note.id in ids and note.counts
                    ),
                ),
            )
            if any(note.id in ids for note in bar.notes)
            else bar
            for bar in self.bars
        )
        return replace(self, bars=tuple(bars))

    def silencing(self, ids: Set[str], reason: str) -> Reading:
        """With the notes of these ids as silent."""
        bars = (
            replace(
                bar,
                notes=tuple(
                    replace(note, pitch=None, tied_to="", silent=reason)
                    if note.id in ids and note.pitch is not None
                    else replace(note, tied_to="" if note.tied_to in ids else note.tied_to)
                    for note in bar.notes
                ),
            )
            for bar in self.bars
        )
        return replace(self, bars=tuple(bars)) if ids else self

    def unplayed(self, order: Iterable[int]) -> list[tuple[str, str]]:
        """(reason, place) of each note of these bars that is not played, though the file has it. See `ReadNote.counts`."""
        return [
            (note.silent or LOST, f"bar {self.bars[bar].name}, staff {note.staff}")
            for bar in order
            for note in (*self.bars[bar].lost, *(note for note in self.bars[bar].notes if note.silent))
            if note.counts
        ]

    def mended_in(self, order: Iterable[int]) -> dict[str, int]:
        """What was changed -> at how many notes of these bars."""
        kinds = (self.mended.get(note.id) for bar in {*order} for note in self.bars[bar].notes)
        return dict(Counter(kind for kind in kinds if kind))

    def with_plausible_tempi(self) -> Reading:
        """Without the tempi outside of PLAUSIBLE_TEMPO."""
        slowest, fastest = PLAUSIBLE_TEMPO
        bars = (
            replace(bar, tempi=tuple((after, tempo) for after, tempo in bar.tempi if slowest <= tempo <= fastest))
            for bar in self.bars
        )
        return replace(self, bars=tuple(bars))

    def starts(self, order: Sequence[int]) -> list[Fraction]:
        """Where each bar of the order begins, in quarters."""
        starts = [Fraction(0)]
        for bar in order[:-1]:
            starts.append(starts[-1] + self.bars[bar].length)
        return starts

    def printed(self, order: Sequence[int]) -> tuple[Bar, ...]:
        """The bars as they are counted on paper. An incomplete first bar is an upbeat, which ends with the last beat."""
        printed = []
        for start, index in zip(self.starts(order), order):
            bar = self.bars[index]
            beats, unit = bar.meter or (0, 4)
            lacking = max(Fraction(4 * beats, unit) - bar.length, Fraction(0)) if index == 0 and beats else Fraction(0)
            printed.append(Bar(float(start), bar.name, 4 / unit, float(1 + lacking * unit / 4)))
        return tuple(printed)

    def tempo_map(self, order: Sequence[int]) -> list[tuple[Fraction, float]]:
        """(quarter, quarters per minute) of each tempo, for the bars in this order; the first is at 0. [] without a tempo.

        After a jump the tempo is that of the bars before the one jumped to, in the order of the file.
        """
        in_force: list[float] = []  # at the beginning of each bar
        now = next((tempo for bar in self.bars for _, tempo in bar.tempi), None)
        if now is None:
            return []
        for bar in self.bars:
            in_force.append(now)
            now = bar.tempi[-1][1] if bar.tempi else now
        tempi: dict[Fraction, float] = {}
        for place, (start, index) in enumerate(zip(self.starts(order), order)):
            if not place or order[place - 1] != index - 1:
                tempi[start] = in_force[index]
            tempi |= {start + after: tempo for after, tempo in self.bars[index].tempi}
        return sorted(tempi.items())

    def signatures(self, order: Sequence[int]) -> list[tuple[Fraction, tuple[int, int]]]:
        """(quarter, (beats, beat unit)) wherever the length of the bars changes, so that MIDI counts bars as the sheet does."""
        signatures: list[tuple[Fraction, tuple[int, int]]] = []
        for start, bar in zip(self.starts(order), order):
            signature = self.bars[bar].signature
            if signature is not None and (not signatures or signatures[-1][1] != signature):
                signatures.append((start, signature))
        return signatures

    def sounding(self, order: Sequence[int]) -> list[SoundingNote]:
        """The notes of the bars in the given order (indices), sorted by onset and pitch.

        A tie counts only where the tied notes follow each other in this order; otherwise the second note sounds again. At a
        jump those notes are tied that `ReadBar.held_from` names.
        """
        sounding: list[SoundingNote] = []
        last: dict[str, int] = {}  # id -> index in `sounding` of the note that it (perhaps by ties) belongs to
        for place, (start, bar) in enumerate(zip(self.starts(order), order)):
            jump = bar != order[place - 1] + 1
            held_from = self.bars[bar].held_from(self.bars[order[place - 1]]) if jump and place else {}
            for note in sorted(self.bars[bar].notes, key=lambda note: note.onset):
                if note.pitch is None:
                    continue
                onset = start + note.onset
                end = onset + note.duration
                tied_to = held_from.get(note.id, "") if jump and not note.onset else note.tied_to
                held = last.get(tied_to) if tied_to else None
                if held is not None and sounding[held].end == onset and sounding[held].pitch == note.pitch:
                    sounding[held] = replace(sounding[held], end=end)
                    last[note.id] = held
                else:
                    last[note.id] = len(sounding)
                    sounding.append(SoundingNote(onset, end, note.pitch, bar, note.staff))
        return sorted(sounding, key=lambda note: (note.onset, note.pitch, note.end))
