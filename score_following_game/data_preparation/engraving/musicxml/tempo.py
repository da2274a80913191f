"""Tempo marks of MusicXML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import takewhile
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.document import sounds_of
from score_following_game.data_preparation.engraving.musicxml.values import decimal, ratio_of, value_named
from score_following_game.data_preparation.engraving.tempo_marks import per_minute, tempo_of_words


def tempo_of(element: ElementTree.Element, before: float | None) -> float | None:
    """Quarters per minute that a <direction> or <sound> states: by <sound tempo>, a metronome mark or words; or None.

    before: the tempo so far, to which a mark such as "quarter = half" refers.
    """
    stated = (*_sounding(element), *_marked(element, before), tempo_of_words(_words(element)))
    return next((tempo for tempo in stated if tempo), None)


def _sounding(element: ElementTree.Element) -> Iterator[float | None]:
    for sound in sounds_of(element):
        yield per_minute(sound.get("tempo", ""))


def _marked(element: ElementTree.Element, before: float | None) -> Iterator[float | None]:
    for mark in element.iter("metronome"):
        units = _units(mark) or _sides(mark)
        speed = per_minute(mark.findtext("per-minute") or "")
        if len(units) == 1 and speed is not None and units[0]:
            yield speed * float(units[0])
        elif len(units) == 2 and all(units) and before is not None:  # the second lasts as long as the first did
            yield before * float(units[1] / units[0])


def _units(mark: ElementTree.Element) -> list[Fraction]:
    """Quarters of each note in a metronome mark, 0 for one that is not known."""
    units: list[Fraction] = []
    for place, child in enumerate(mark):
        if child.tag == "beat-unit":
            units.append(_unit(list(mark)[place:]))
        elif child.tag == "beat-unit-tied" and units:
            units[-1] += _unit(list(child))
    return units


def _sides(mark: ElementTree.Element) -> list[Fraction]:
    """Quarters of the notes on both sides of a mark written as <metronome-note>s; [] if there are not two sides.

    The sides of a mark for swing, two eighths as two of a triplet, are equally long: it changes no tempo.
    """
    sides, ratio = [Fraction(0)], Fraction(1)
    for child in mark:
        if child.tag == "metronome-relation":
            sides.append(Fraction(0))
            ratio = Fraction(1)  # a tuplet of one note, "triplet quarter = quarter", has no end
        elif child.tag == "metronome-note":
            tuplet = child.find("metronome-tuplet")
            if tuplet is not None and tuplet.get("type") != "stop":
                ratio = ratio_of(tuplet)
            dots = len(child.findall("metronome-dot"))
            sides[-1] += (value_named(child.findtext("metronome-type") or "", dots) or Fraction(0)) * ratio
            if tuplet is not None and tuplet.get("type") == "stop":
                ratio = Fraction(1)
    return sides if len(sides) == 2 else []


def _unit(elements: Sequence[ElementTree.Element]) -> Fraction:
    """Quarters of the note with which these elements begin, with the dots that follow it."""
    dots = sum(1 for _ in takewhile(lambda element: element.tag == "beat-unit-dot", elements[1:]))
    return value_named((elements[0].text or "") if elements else "", dots) or Fraction(0)


def _words(element: ElementTree.Element) -> str:
    return " ".join(word.text or "" for word in element.iterfind("direction-type/words"))


def sounding_offset(element: ElementTree.Element) -> Fraction:
    """How much later than at its place a <direction> or <sound> sounds, in divisions of the part.

    The offset of a direction is only one of print, unless it says otherwise.
    """
    of_both = [offset for offset in element.findall("offset") if offset.get("sound") == "yes"]
    of_sounds = [offset for sound in sounds_of(element) for offset in sound.findall("offset")]
    texts = [offset.text or "" for offset in (*of_both, *of_sounds)]
    return (decimal(texts[0].strip()) if texts else None) or Fraction(0)
