"""Time signatures of MusicXML."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from xml.etree import ElementTree

Element = ElementTree.Element


def meter_of(time: Element) -> tuple[int, int] | None:
    """The beats and beat unit of a time signature like 3/4, 3+2/8 or 3/4+2/8; None for one that is not numbers."""
    pairs = list(_beats(time))
    if not pairs or any(unit <= 0 or beats <= 0 for beats, unit in pairs):
        return None
    unit = max(unit for _, unit in pairs)
    total = sum(Fraction(beats, of) for beats, of in pairs) * unit
    return (int(total), unit) if total.denominator == 1 else None


def _beats(time: Element) -> Iterator[tuple[int, int]]:
    for beats, unit in zip(time.findall("beats"), time.findall("beat-type")):
        try:
            yield sum(int(part) for part in (beats.text or "").split("+")), int(unit.text or "")
        except ValueError:
            return
