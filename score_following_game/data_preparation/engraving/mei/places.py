"""Where control elements (ties, octave lines, tempo marks) begin and end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.values import decimal, unreadable

Element = ElementTree.Element


def target(element: Element, name: str) -> str:
    """The id that the attribute refers to, "" if it refers to none."""
    return (element.get(name) or "").rpartition("#")[2].strip()


def place(element: Element, name: str, unit: int) -> tuple[int, Fraction]:
    """(bars after the element's own bar, quarters after the start of that bar) of a tstamp or tstamp2 such as "1m+2.5".

    unit: note value that the beats count. Without the attribute it is the start of the bar.
    """
    value = (element.get(name) or "1").replace(" ", "")
    found = re.fullmatch(r"(?:([0-9]{1,4})m\+)?([+-]?[0-9.]+)", value)
    beat = decimal(found[2]) if found else None
    if found is None or beat is None:
        raise unreadable(element, name)
    return int(found[1] or 0), max((beat - 1) * Fraction(4, unit), Fraction(0))


def place_in_bars(element: Element, name: str, index: int, units: Sequence[int]) -> tuple[int, Fraction]:
    """As `place`, of an element in bar `index`: beats in a later bar are counted as that bar counts. units: of each bar."""
    later, quarters = place(element, name, units[index])
    if later and index + later < len(units):
        quarters = place(element, name, units[index + later])[1]
    return later, quarters
