"""Mends the durations of parts that have a time signature of their own, as one well-known program writes them.

It stretches such a part, say one in 12/8 beside others in 4/4, to the bars of the others: notes keep the durations of their
values, but rests, backups and forwards are counted in the time of the others, so that the voices come out of step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.chords import decimal_text
from score_following_game.data_preparation.engraving.musicxml.document import Part
from score_following_game.data_preparation.engraving.musicxml.metered_bars import metered_bars, quarters_of
from score_following_game.data_preparation.engraving.musicxml.values import written_value

Element = ElementTree.Element


def undo_stretching(parts: Sequence[Part]) -> None:
    """Count the rests, backups and forwards of stretched bars in the time of their own part."""
    for measures in metered_bars(parts):
        for measure, own, divisions in measures:
            if own is None:
                continue
            for other in sorted({full for _, full, _ in measures if full is not None} - {own}):
                if _is_stretched(measure, own, other, divisions):
                    _stretch_back(measure, own / other, divisions)
                    break


def _is_stretched(measure: Element, own: Fraction, other: Fraction, divisions: Fraction) -> bool:
    """Whether a rest or a backup is as short as in the other part, beside notes that fill the own bar."""
    ratio = own / other
    shown = False
    begins = now = Fraction(0)  # of the notes up to the next backup, in the time of the own part
    for element, further in _stretched_back(measure, ratio, divisions):
        quarters = quarters_of(element, divisions)
        if element.tag == "backup":
            shown = shown or (now - begins == own and quarters == other)
            begins = now = max(now + further, Fraction(0))
            continue
        shown = shown or (_is_rest(element) and quarters * ratio == written_value(element) != quarters)
        now += further
        if element.tag == "note" and now > own:
            return False
    return shown


def _stretch_back(measure: Element, ratio: Fraction, divisions: Fraction) -> None:
    before: tuple[Element, Fraction] | None = None
    for element, further in list(_stretched_back(measure, ratio, divisions)):
        if element.tag == "backup" and before and before[0].tag == "forward":  # which may lead out of the bar
            measure.remove(before[0])
            further += before[1]
            element.tag = "forward" if further > 0 else "backup"
        _write(element, further * divisions)
        before = element, further


def _stretched_back(measure: Element, ratio: Fraction, divisions: Fraction) -> Iterator[tuple[Element, Fraction]]:
    """What takes time in a bar, and how many quarters further it leads in the time of its own part. Of notes of a value, and
    rests as long as theirs, that is the duration in the file."""
    for element in measure:
        if element.tag in ("backup", "forward"):
            yield element, quarters_of(element, divisions) * ratio * (-1 if element.tag == "backup" else 1)
        elif element.tag == "note" and element.find("grace") is None and element.find("chord") is None:
            quarters = quarters_of(element, divisions)
            yield element, quarters * (ratio if _is_rest(element) and written_value(element) != quarters else 1)


def _is_rest(element: Element) -> bool:
    return element.tag == "note" and element.find("rest") is not None


def _write(element: Element, duration: Fraction) -> None:
    """duration: in divisions, negative for a backup."""
    stated = element.find("duration")
    if stated is not None:
        stated.text = decimal_text(abs(duration))
