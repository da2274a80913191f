"""Whether the durations of a part are counted in the <divisions> that it states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.chords import decimal_text
from score_following_game.data_preparation.engraving.musicxml.values import decimal, written_value
from score_following_game.data_preparation.errors import EngravingError

_FEW = 8  # notes that prove nothing

Element = ElementTree.Element


def settle_divisions(measures: Sequence[Element], name: str) -> None:
    """Write the <divisions> that a part does not state before its first note, if the values of its notes agree on it.

    measures, name: of the part. Raises EngravingError if they do not agree, and if most notes last another number of times
    their values: then the durations are counted in other divisions than those that the part states.
    """
    divisions: Fraction | None = None
    unstated: Counter[Fraction] = Counter()  # divisions by the notes before any are stated
    factors: Counter[Fraction] = Counter()  # duration by duration and by value of each note
    for measure in measures:
        for element in measure:
            if element.tag == "attributes":
                divisions = decimal((element.findtext("divisions") or "").strip()) or divisions
            quarters = written_value(element) if element.tag == "note" and element.find("rest") is None else None
            duration = decimal((element.findtext("duration") or "").strip()) if quarters else None
            if not quarters or not duration or element.find("grace") is not None:
                continue
            if divisions is None:
                unstated[duration / quarters] += 1
            else:
                factors[duration / divisions / quarters] += 1
    if unstated:
        _state(measures[0], unstated, name)
    factor, count = factors.most_common(1)[0] if factors else (Fraction(1), 0)
    if factor != 1 and _FEW < count > factors.total() / 2:
        raise EngravingError(
            "unreadable", f"part {name}: most notes last {float(factor):g} times their values; its <divisions> cannot be right"
        )


def _state(measure: Element, found: Counter[Fraction], name: str) -> None:
    """Write the divisions on which most notes agree into the first measure."""
    value, count = found.most_common(1)[0]
    if count <= found.total() / 2:
        raise EngravingError("unreadable", f"part {name}: it states no <divisions>, and its notes do not tell them")
    attributes = measure.find("attributes")
    if attributes is None:
        attributes = Element("attributes")
        measure.insert(0, attributes)
    for old in attributes.findall("divisions"):
        attributes.remove(old)
    stated = Element("divisions")
    stated.text = decimal_text(value)
    attributes.insert(sum(1 for child in attributes if child.tag in ("footnote", "level")), stated)
