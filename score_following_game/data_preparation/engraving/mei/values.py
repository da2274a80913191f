"""Values of MEI attributes: numbers, durations and accidentals. An impossible value raises EngravingError."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.silent import MICROTONE, Unplayable
from score_following_game.data_preparation.errors import EngravingError

ALTER = {"n": 0, "s": 1, "f": -1, "ns": 1, "nf": -1, "x": 2, "ss": 2, "ff": -2}
_LONG = {"breve": Fraction(8), "long": Fraction(16), "maxima": Fraction(32)}  # quarters
_SHORTEST = 2048
_MOST_DOTS = 6

Element = ElementTree.Element


def unreadable(element: Element, name: str) -> EngravingError:
    return EngravingError("unreadable", f"{element.tag} with {name}={element.get(name)!r}")


def whole(element: Element, name: str, default: int, low: int, high: int) -> int:
    """The attribute as a whole number from `low` to `high`."""
    value = (element.get(name) or str(default)).strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", value) or not low <= int(value) <= high:
        raise unreadable(element, name)
    return int(value)


def decimal(text: str | None) -> Fraction | None:
    """A number such as "2" or "2.3333"; thirds and the like, written with at least three digits, are exact."""
    if not text or not re.fullmatch(r"[+-]?[0-9]{1,9}(\.[0-9]{1,20})?", text.strip()):
        return None
    number = Fraction(text.strip())
    near = number.limit_denominator(96)
    return near if abs(near - number) < Fraction(6, 10**4) else number


def note_value(value: str) -> Fraction | None:
    """The quarters of "4", "breve" and the like; None if the value is none of them."""
    if value in _LONG:
        return _LONG[value]
    if not re.fullmatch(r"[1-9][0-9]{0,3}", value) or int(value) > _SHORTEST or int(value) & (int(value) - 1):
        return None
    return Fraction(4, int(value))


def written_length(element: Element, default: str = "", ppq: int = 0) -> Fraction | None:
    """The quarters of a note, rest, chord or space, without tuplets; None if it says nothing of its length.

    default: the note value of the staff's definition.  ppq: pulses per quarter. A sounding note value (dur.ges) replaces the
    written one; a number of pulses counts only where there is no note value, since it is rounded in tuplets.
    """
    sounding = (element.get("dur.ges") or "").strip()
    length = note_value(sounding)
    if length is not None:
        return length * _dotted(element, "dots.ges" if element.get("dots.ges") else "dots")
    written = (element.get("dur") or "").strip()
    pulses = sounding.removesuffix("p") if sounding.endswith("p") else (element.get("dur.ppq") or "").strip()
    if not written and ppq and re.fullmatch(r"[0-9]{1,9}", pulses):
        return Fraction(int(pulses), ppq)
    if not written and not default:
        return None
    length = note_value(written or default)
    if length is None:
        raise unreadable(element, "dur") if written else EngravingError("unreadable", f"dur.default={default!r}")
    return length * _dotted(element, "dots")


def _dotted(element: Element, name: str) -> Fraction:
    return 2 - Fraction(1, 2 ** whole(element, name, 0, 0, _MOST_DOTS))


def sign_of(note: Element, name: str, namespace: str = "") -> str | None:
    """The attribute `name` of a note or of its accid element, whatever its value. namespace: "{...}" before element names."""
    return note.get(name) or next((accid.get(name) for accid in note.iter(f"{namespace}accid") if accid.get(name)), None)


def accidental(note: Element, name: str) -> str | None:
    """The attribute `name` (accid or accid.ges) of a note or of its accid element. Raises Unplayable for a microtone."""
    value = sign_of(note, name)
    if value is not None and value not in ALTER:
        raise Unplayable(MICROTONE, drawn=True)
    return value
