"""Note values of MEI: @dur and @dots."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.verovio.accidentals import MEI

_LONG = {"breve": Fraction(8), "long": Fraction(16), "maxima": Fraction(32)}  # quarters
_MOST_DOTS = 3
_LARGEST_RATIO = 32  # numerator or denominator of a tuplet


@dataclass(frozen=True)
class Value:
    """A note value. dur: as in MEI."""

    dur: str
    dots: int = 0

    @property
    def quarters(self) -> Fraction:
        return (_LONG.get(self.dur) or Fraction(4, int(self.dur))) * (2 - Fraction(1, 2**self.dots))

    def write(self, element: ElementTree.Element) -> None:
        """Give it to an element. The notes of a chord lose their own."""
        for note in (element, *element.findall(f"{MEI}note")):
            for name in ("dur", "dots", "dur.ppq", "dur.ges"):
                note.attrib.pop(name, None)
            for dot in note.findall(f"{MEI}dot"):
                note.remove(dot)
        element.set("dur", self.dur)
        if self.dots:
            element.set("dots", str(self.dots))

    @classmethod
    def around(cls, duration: Fraction) -> Value:
        """The shortest value without dots that is longer than a duration of a tuplet, in quarters."""
        return next((cls(dur) for dur in reversed(_DURS) if cls(dur).quarters > duration), cls(_DURS[0]))


_DURS = [*reversed(_LONG), *(str(2**power) for power in range(9))]  # longest first


def value_of(element: ElementTree.Element) -> Value | None:
    """The written value of a note, chord, rest or space; of a chord without one that of its first note."""
    for holder in (element, *element.findall(f"{MEI}note")):
        dur = holder.get("dur", "")
        if dur in _DURS:
            dots = holder.get("dots", "")
            return Value(dur, int(dots) if dots.isdigit() else 0)
    return None


def plain_values(duration: Fraction) -> list[Value]:
    """The fewest values, longest first, that add up to a duration in quarters; [] if that takes a tuplet."""
    values: list[Value] = []
    if duration <= 0:
        return values
    for dur in _DURS:
        for dots in range(_MOST_DOTS, -1, -1):
            value = Value(dur, dots)
            if 0 < value.quarters <= duration:
                values.append(value)
                duration -= value.quarters
    return [] if duration else values


def simple_ratio(ratio: Fraction) -> bool:
    """True if a tuplet can have it."""
    return Fraction(1, 4) <= ratio <= 2 and max(ratio.numerator, ratio.denominator) <= _LARGEST_RATIO
