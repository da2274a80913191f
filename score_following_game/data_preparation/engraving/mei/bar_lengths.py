"""How long a bar is in which nothing is timed, and which whole-bar rests are shorter than the meter's bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.definitions import StaffState
from score_following_game.data_preparation.engraving.mei.spans import span_ratios
from score_following_game.data_preparation.engraving.mei.timing import read_layers
from score_following_game.data_preparation.errors import EngravingError

_TIMED = ("note", "rest", "space")
_BOUNDARIES = ("rpt", "dbl", "end", "heavy", "segno")  # how the names of bar lines begin at which a bar may be divided

Element = ElementTree.Element
Staves = Mapping[str, StaffState]


class BarLengths:
    """Follows the bars of a score, in order."""

    def __init__(self, measures: Sequence[Element]) -> None:
        self._measures = measures
        self._missing = Fraction(0)  # quarters that the bar before lacks; 0 if it is full, or completes the one before it

    def mark_short(self, index: int, staves: Staves, ratios: Mapping[str, Fraction]) -> None:
        """Mark the bar as incomplete (metcon) if its whole-bar rests last as long as music that is too short to fill it.

        They do in the first bar, at a repeat sign, double bar or final bar line, and in the halves of a divided bar. Elsewhere
        rests may have been left out in the short layer.
        """
        measure = self._measures[index]
        music = _music(measure, staves, ratios)
        if measure.find(".//mRest") is None or measure.get("metcon") == "true" or not 0 < music < _full(staves):
            return
        if index == 0 or self._at_boundary(index) or music in (self._missing, _full(staves) - self._following(index, staves)):
            measure.set("metcon", "false")

    def length(self, index: int, staves: Staves, length: Fraction) -> Fraction:
        """The quarters of the bar. length: of its longest layer, 0 if nothing in it takes time.

        Such a bar is full, or, if it is marked as incomplete, what the incomplete bar before it lacks. A bar without a staff
        is not drawn and takes no time. The mark of a full bar is removed, since the engraver would give its rests no time.
        """
        full, measure = _full(staves), self._measures[index]
        if measure.find("staff") is None:
            return length
        if not length:
            length = self._missing if self._missing and measure.get("metcon") == "false" else full
        if length == full:
            measure.attrib.pop("metcon", None)
        self._missing = Fraction(0) if length == self._missing else max(full - length, Fraction(0))
        return length

    def _at_boundary(self, index: int) -> bool:
        before, here, after = (self._measures[i : i + 1] for i in (index - 1, index, index + 1))
        lines = [m.get("right", "") for m in [*before, *here]] + [m.get("left", "") for m in [*here, *after]]
        return not after or any(line.startswith(_BOUNDARIES) for line in lines)

    def _following(self, index: int, staves: Staves) -> Fraction:
        """The quarters of the music in the next bar, 0 if they are not known yet."""
        if index + 1 == len(self._measures):
            return Fraction(0)
        measure = self._measures[index + 1]
        units = [staff.meter[1] for staff in staves.values() if staff.meter]
        try:
            return _music(measure, staves, span_ratios(measure, staves, units[0] if units else 4))
        except EngravingError:
            return Fraction(0)


def _music(measure: Element, staves: Staves, ratios: Mapping[str, Fraction]) -> Fraction:
    """When the last note, rest or space ends that has a length of its own."""
    events, _ = read_layers(measure, staves, ratios)
    return max((event.end for event in events if event.element.tag in _TIMED and not event.grace), default=Fraction(0))


def _full(staves: Staves) -> Fraction:
    return max(staff.bar for staff in staves.values())
