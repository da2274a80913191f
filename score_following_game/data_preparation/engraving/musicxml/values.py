"""Numbers and note values of MusicXML."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.document import number

_QUARTERS = {"maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2)} | {
    name: Fraction(1, 2**power)
    for power, name in enumerate(("quarter", "eighth", "16th", "32nd", "64th", "128th", "256th", "512th", "1024th"))
}
_MOST_DOTS = 2
_DECIMAL = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{0,12})?")


def decimal(text: str) -> Fraction | None:
    """A plain decimal number; None for other text, also for exponents, which could fill the memory."""
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def written_value(note: ElementTree.Element, modified: bool = True) -> Fraction | None:
    """Quarters that <type>, <dot>s and, if `modified`, <time-modification> of a note say; None without a type."""
    value = value_named(note.findtext("type") or "", len(note.findall("dot")))
    return value * modification_of(note) if modified and value is not None else value


def value_named(name: str, dots: int) -> Fraction | None:
    """Quarters of a note value such as "eighth"; None for an unknown one."""
    value = _QUARTERS.get(name.strip())
    return value * (2 - Fraction(1, 2**dots)) if value is not None else None


def modification_of(note: ElementTree.Element) -> Fraction:
    """By how much <time-modification> makes a note longer than its value."""
    modification = note.find("time-modification")
    return Fraction(1) if modification is None else ratio_of(modification)


def ratio_of(tuplet: ElementTree.Element) -> Fraction:
    """<normal-notes> / <actual-notes>, 1 where they are no numbers above 0."""
    actual, normal = number(tuplet, "actual-notes", 1), number(tuplet, "normal-notes", 1)
    return Fraction(normal, actual) if actual > 0 and normal > 0 else Fraction(1)


def type_of(quarters: Fraction) -> tuple[str, int] | None:
    """<type> and number of dots of the longest value that lasts at most so many quarters; None for shorter ones."""
    values = ((name, dots) for name in _QUARTERS for dots in range(_MOST_DOTS + 1))
    lengths = {value: _QUARTERS[value[0]] * (2 - Fraction(1, 2 ** value[1])) for value in values}
    return max((value for value in lengths if lengths[value] <= quarters), key=lengths.__getitem__, default=None)
