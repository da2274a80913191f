"""Which note continues which: the attribute `tie` and the element tie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.mei.places import place_in_bars, target
from score_following_game.data_preparation.engraving.mei.timing import Event
from score_following_game.data_preparation.engraving.repetition import is_tremolo

Element = ElementTree.Element


@dataclass(frozen=True)
class TimedBar:
    """A measure with its events. start: quarters from the beginning.  length: quarters.  unit: what its beats count."""

    measure: Element
    events: Sequence[Event]
    start: Fraction
    length: Fraction
    unit: int


@dataclass(frozen=True)
class _Placed:
    """A note. bar: index.  onset, end: quarters from the beginning."""

    event: Event
    bar: int
    onset: Fraction
    end: Fraction

    @property
    def written(self) -> tuple[str, str]:
        """Step and octave."""
        return self.event.element.get("pname", ""), self.event.element.get("oct", "")


@dataclass(frozen=True)
class Ties:
    """tied: id of a tied note -> id of the note that it continues.

    begin, end: ids of all notes at which a tie begins or ends, also of one without its other end.
    """

    tied: dict[str, str] = field(default_factory=dict)
    begin: set[str] = field(default_factory=set)
    end: set[str] = field(default_factory=set)


def find_ties(bars: Sequence[TimedBar]) -> Ties:
    """Only notes of one written step and octave, or notes that a tie element names one by one, are tied. A tie may lack an end,
    as one into the second ending, which does not follow its beginning."""
    notes = [
        _Placed(event, index, bar.start + event.onset, bar.start + event.end)
        for index, bar in enumerate(bars)
        for event in bar.events
        if event.element.tag == "note" and not event.grace
    ]
    ties = Ties()
    _by_attributes(ties, notes, _ties_of_chords(bars))
    _by_elements(ties, bars, notes)
    ids = {note.event.id for note in notes}
    for struck in [id_ for id_ in ties.end if is_tremolo(id_, ids)]:  # see repetition.py
        ties.tied.pop(struck, None)
        ties.end.remove(struck)
    return ties


def _ties_of_chords(bars: Sequence[TimedBar]) -> dict[str, str]:
    """Id of a note in a chord -> the attribute `tie` of its chord."""
    ties = {}
    for bar in bars:
        for chord in bar.measure.iter("chord"):
            if tie := chord.get("tie"):
                ties.update({_id(note): tie for note in chord.iter("note")})
    return ties


def _by_attributes(ties: Ties, notes: Sequence[_Placed], of_chords: dict[str, str]) -> None:
    waiting: dict[tuple[str, str], list[_Placed]] = defaultdict(list)
    for note in sorted(notes, key=lambda note: note.onset):
        tie = note.event.element.get("tie") or of_chords.get(note.event.id, "")
        if "m" in tie or "t" in tie:
            ties.end.add(note.event.id)
            ready = [first for first in waiting[note.written] if first.end == note.onset]
            ready.sort(key=lambda first: (first.event.staff != note.event.staff, first.event.layer != note.event.layer))
            if ready:
                ties.tied[note.event.id] = ready[0].event.id
                waiting[note.written].remove(ready[0])
        if "i" in tie or "m" in tie:
            ties.begin.add(note.event.id)
            waiting[note.written].append(note)


def _by_elements(ties: Ties, bars: Sequence[TimedBar], notes: Sequence[_Placed]) -> None:
    named: dict[str, list[_Placed]] = defaultdict(list)
    for note in notes:
        named[note.event.id].append(note)
        if note.event.chord:
            named[note.event.chord].append(note)
    at: dict[tuple[int, Fraction], list[_Placed]] = defaultdict(list)
    for note in notes:
        at[note.bar, note.onset].append(note)
    for index, bar in enumerate(bars):
        for tie in bar.measure.iter("tie"):
            starts = _concerned(tie, "startid", "tstamp", bars, index, named, at)
            ends = _concerned(tie, "endid", "tstamp2", bars, index, named, at)
            ties.begin.update(start.event.id for start in starts)
            ties.end.update(end.event.id for end in ends)
            one_by_one = bool(target(tie, "startid") and target(tie, "endid")) and len(starts) == len(ends) == 1
            for end in ends:
                first = next((start for start in starts if start.written == end.written or one_by_one), None)
                if first is not None and first.event.id != end.event.id:
                    ties.tied[end.event.id] = first.event.id


def _concerned(
    tie: Element,
    reference: str,
    stamp: str,
    bars: Sequence[TimedBar],
    index: int,
    named: dict[str, list[_Placed]],
    at: dict[tuple[int, Fraction], list[_Placed]],
) -> list[_Placed]:
    """The notes at which a tie begins or ends: none for a tstamp at a bar line, where a tie without an end hangs."""
    if name := target(tie, reference):
        return named.get(name, [])
    if not tie.get(stamp):
        return []
    later, quarters = place_in_bars(tie, stamp, index, [bar.unit for bar in bars])
    if index + later >= len(bars):
        return []
    bar = bars[index + later]
    staff, layer = tie.get("staff"), tie.get("layer")
    return [
        note
        for note in at.get((index + later, bar.start + quarters), [])
        if (not staff or {note.event.staff, note.event.printed} & set(staff.split()))
        and (not layer or note.event.layer in layer.split())
    ]


def _id(element: Element) -> str:
    return element.get(ID, "")
