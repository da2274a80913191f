"""When the notes and rests of a bar begin and how long they are written, by the file's own note values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.mei.definitions import StaffState
from score_following_game.data_preparation.engraving.mei.values import whole, written_length
from score_following_game.data_preparation.errors import EngravingError

ABBREVIATED = {"mRpt", "mRpt2", "multiRpt", "halfmRpt", "beatRpt", "fTrem"}  # signs for notes that are not written out
_WHOLE_BAR = ("mRest", "mSpace")

Element = ElementTree.Element


@dataclass(frozen=True)
class Event:
    """A note, rest, space, keySig or clef.

    onset: quarters after the start of the bar.  duration: quarters.  staff: n of the staff element around it.
    printed: n of the staff that it is printed on.  layer: n of its layer.  grace: it takes no time.  chord: id of its chord.
    """

    element: Element
    onset: Fraction
    duration: Fraction
    staff: str
    printed: str
    layer: str
    grace: bool = False
    chord: str = ""

    @property
    def id(self) -> str:
        return self.element.get(ID, "")

    @property
    def end(self) -> Fraction:
        return self.onset + self.duration


def read_layers(
    measure: Element, staves: Mapping[str, StaffState], ratios: Mapping[str, Fraction]
) -> tuple[list[Event], Fraction]:
    """The events of a measure in document order, and the quarters that the longest layer lasts.

    ratios: id -> ratio of the tupletSpans around it. Raises EngravingError for what cannot be timed.
    """
    events: list[Event] = []
    length = Fraction(0)
    for staff in measure.iter("staff"):
        name = staff.get("n") or ""
        if name not in staves:
            raise EngravingError("unreadable", f"staff {name!r} is not defined")
        for layer in staff.iter("layer"):
            reader = _Layer(name, layer.get("n") or "1", staves[name], ratios, measure.get("metcon") == "false", events)
            reader.read(layer, Fraction(1), name, False)
            length = max(length, reader.now)
    return events, length


class _Layer:
    """Reads one layer. now: where the next event begins."""

    def __init__(
        self,
        staff: str,
        layer: str,
        state: StaffState,
        ratios: Mapping[str, Fraction],
        partial: bool,
        events: list[Event],
    ) -> None:
        self.staff, self.layer, self.state, self.ratios, self.partial = staff, layer, state, ratios, partial
        self.events = events
        self.now = Fraction(0)

    def read(self, parent: Iterable[Element], ratio: Fraction, printed: str, grace: bool) -> None:
        """Read the children of a layer, beam, tuplet or the like. ratio: of the tuplets around them."""
        for element in parent:
            tag = element.tag
            on = element.get("staff") or printed
            small = grace or bool(element.get("grace")) or tag == "graceGrp"
            if tag in ABBREVIATED:
                raise EngravingError("abbreviated notation", f"staff {self.staff}: {tag}")
            if tag in ("keySig", "clef"):
                self._add(element, Fraction(0), on, False)
            elif tag in _WHOLE_BAR:
                if self.state.meter is None:
                    raise EngravingError("unreadable", f"staff {self.staff}: a whole-bar rest without a time signature")
                self._add(element, self.state.bar * (not self.partial and tag != "mSpace"), on, False)
                self.now = self.events[-1].end
            elif tag in ("note", "rest", "space"):
                self._add(element, self._length(element, ratio, small), on, small)
                self.now = self.events[-1].end
            elif tag == "chord":
                self._read_chord(element, ratio, on, small)
            elif tag == "tuplet":
                self.read(element, ratio * tuplet_ratio(element, self.state), on, small)
            else:
                self.read(element, ratio, on, small)

    def _read_chord(self, chord: Element, ratio: Fraction, printed: str, grace: bool) -> None:
        ratio *= self.ratios.get(chord.get(ID, ""), Fraction(1))
        length = Fraction(0) if grace else self._known(chord) * ratio
        for note in chord.iter("note"):
            sounding = written_length(note, "", self.state.ppq)
            small = grace or bool(note.get("grace"))
            duration = Fraction(0) if small else length if sounding is None else sounding * ratio
            self._add(note, duration, note.get("staff") or printed, small, chord.get(ID, ""))
        self.now += length

    def _length(self, element: Element, ratio: Fraction, grace: bool) -> Fraction:
        if grace:
            return Fraction(0)
        return self._known(element) * ratio * self.ratios.get(element.get(ID, ""), Fraction(1))

    def _known(self, element: Element) -> Fraction:
        length = chord_length(element, self.state)
        if length is None:
            raise EngravingError("unreadable", f"staff {self.staff}: a {element.tag} without a duration")
        return length

    def _add(self, element: Element, duration: Fraction, printed: str, grace: bool, chord: str = "") -> None:
        self.events.append(Event(element, self.now, duration, self.staff, printed, self.layer, grace, chord))


def chord_length(element: Element, state: StaffState) -> Fraction | None:
    """The written quarters of a chord (its own, else the longest of its notes), note, rest or space; None if unknown."""
    own = written_length(element, "", state.ppq)
    lengths = [written_length(note, "", state.ppq) for note in element.iter("note")]
    longest = max((length for length in lengths if length is not None), default=None)
    return next((length for length in (own, longest) if length is not None), written_length(element, state.duration))


def layer_length(elements: Sequence[Element], state: StaffState) -> Fraction:
    """The quarters that elements of a layer last."""
    inside = _Layer("", "", state, {}, False, [])
    inside.read(elements, Fraction(1), "", False)
    return inside.now


def complete_tuplets(measure: Element, staves: Mapping[str, StaffState]) -> None:
    """Write num and numbase to the tuplets that lack them: without numbase the engraver takes num notes in the time of one."""
    for staff in measure.iter("staff"):
        for tuplet in staff.iter("tuplet") if (staff.get("n") or "") in staves else ():
            ratio = tuplet_ratio(tuplet, staves[staff.get("n") or ""])
            number = whole(tuplet, "num", ratio.denominator, 1, 999)
            tuplet.set("num", str(number))
            tuplet.set("numbase", str(ratio * number))


def tuplet_ratio(tuplet: Element, state: StaffState) -> Fraction:
    """Sounding length / written length of the notes in a tuplet."""
    if tuplet.get("num"):
        return given_ratio(tuplet)
    return likely_ratio(layer_length(list(tuplet), state), state)


def given_ratio(tuplet: Element) -> Fraction:
    """The ratio that num and numbase give; without numbase, num notes in the time of the next smaller power of two."""
    number = whole(tuplet, "num", 3, 1, 999)
    smaller = 3 if number == 2 else 2 ** max((number - 1).bit_length() - 1, 0)
    return Fraction(whole(tuplet, "numbase", smaller, 1, 999), number)


def likely_ratio(written: Fraction, state: StaffState) -> Fraction:
    """The ratio of a tuplet that gives no number, by the notes in it: three eighths are a triplet.

    written: quarters of its notes. Two equal notes are a duplet in a compound meter, else they cannot be a tuplet.
    """
    number = written.numerator
    while number and number % 2 == 0:
        number //= 2
    if number > 1:
        return Fraction(2 ** (number.bit_length() - 1), number)
    if number == 1 and state.meter and state.meter[0] % 3 == 0 and state.meter[1] >= 8:
        return Fraction(3, 2)
    raise EngravingError("unreadable", "a tuplet without num")
