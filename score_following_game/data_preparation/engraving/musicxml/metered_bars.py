"""The bars of MusicXML with the time signature of each part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.document import Part, bars
from score_following_game.data_preparation.engraving.musicxml.meter import meter_of
from score_following_game.data_preparation.engraving.musicxml.values import decimal

Element = ElementTree.Element
Metered = tuple[Element, Fraction | None, Fraction]


def metered_bars(parts: Sequence[Part]) -> Iterator[list[Metered]]:
    """The measures of each bar, each with the quarters of a full bar of its part, None so far unknown, and its divisions."""
    divisions: dict[int, Fraction] = {}  # number of the top staff of a part -> as of now
    full: dict[int, Fraction] = {}
    for _, measures in bars(list(parts)):
        for part, measure in measures:
            for attributes in measure.findall("attributes"):
                stated = decimal((attributes.findtext("divisions") or "").strip())
                divisions[part.first_staff] = stated or divisions.get(part.first_staff, Fraction(1))
                for time in attributes.findall("time"):
                    if (meter := meter_of(time)) is not None:
                        full[part.first_staff] = Fraction(4 * meter[0], meter[1])
        yield [
            (measure, full.get(part.first_staff), divisions.get(part.first_staff, Fraction(1))) for part, measure in measures
        ]


def quarters_of(element: Element, divisions: Fraction) -> Fraction:
    """How long a note, <backup> or <forward> lasts by its duration, 0 without one."""
    return (decimal((element.findtext("duration") or "").strip()) or Fraction(0)) / divisions
