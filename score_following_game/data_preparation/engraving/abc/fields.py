"""Reads the values of ABC header fields: meter, unit length, tempo. keys.py and properties.py read the others."""

from __future__ import annotations

import re
from fractions import Fraction

from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, Tune

SHARPS = "FCGDAEB"  # the order in which they are printed, by fifths; flats are printed in the opposite order
_BEATS = r"\d+(?:\s*\+\s*\d+)*"
_METER = re.compile(rf"(?P<beats>{_BEATS}|\(\s*{_BEATS}\s*\))\s*/\s*(?P<unit>\d+)")

Meter = tuple[int, int] | None  # (beats, unit); None: no meter


def quarter_tempo(tune: Tune) -> float | None:
    """Quarters per minute from the header's Q: field. None if the field is missing or holds no number."""
    return parse_tempo(tune.headers.get("Q", ""), unit_length(tune.headers, parse_meter(tune.headers.get("M", "4/4"))))


def parse_tempo(text: str, unit: Fraction) -> float | None:
    """Quarters per minute of a Q: value; None if it holds no number. unit: the unit length, in whole notes.

    Of several numbers, as in 1/4=100-110 and 1/4=ca.60, the first counts. Raises AbcError for a number of unknown note values.
    """
    value = re.sub(r'"[^"]*"', "", text).strip()
    beat, equals, tempo = value.rpartition("=")
    number = re.match(r"[^\d/]*(\d+(?:\.\d+)?)(?!\.?\d|\s*/\s*\d)", tempo)
    if not number:
        if equals and re.search(r"\d", tempo):
            raise AbcError(f"cannot read tempo {text!r}; write it as 1/4=100")
        return None
    old_style = re.fullmatch(r"(?:[^\d=]*\s)?C\s*([\d/]*)\s*", beat)
    if old_style or not equals:  # of one or more unit lengths
        return float(unit * 4 * parse_length(old_style[1] if old_style else "")) * float(number[1])
    fractions = re.findall(r"\d+/[1-9]\d*", beat)
    if fractions and "." not in beat:
        return float(sum(map(Fraction, fractions)) * 4) * float(number[1])
    raise AbcError(f"cannot read tempo {text!r}; write it as 1/4=100")


def parse_meter(text: str) -> Meter:
    """(beats, unit) of an M: value, or None for no meter. (2+3)/8 has five beats."""
    text = text.strip()
    if text in ("C", "C|", "none", ""):
        return {"C": (4, 4), "C|": (2, 2)}.get(text)
    found = _METER.fullmatch(text)
    beats = sum(map(int, re.findall(r"\d+", found["beats"]))) if found else 0
    if not found or beats == 0 or int(found["unit"]) not in (1, 2, 4, 8, 16, 32):
        raise AbcError(f"cannot read meter {text!r}")
    return beats, int(found["unit"])


def is_compound(meter: Meter) -> bool:
    """Whether the beats are dotted quarters: 6/8, 9/8, 12/8 ..."""
    return meter is not None and meter[1] == 8 and meter[0] % 3 == 0 and meter[0] > 3


def parse_length(text: str) -> Fraction:
    """Multiple of the unit length: "" is 1, "3" is 3, "/" is 1/2, "//" is 1/4, "3/2" is 3/2."""
    found = re.fullmatch(r"(\d*)(/*)(\d*)", text)
    if not found:
        raise AbcError(f"cannot read length {text!r}")
    numerator = int(found[1] or 1)
    denominator = int(found[3]) if found[3] else 2 ** len(found[2])
    if numerator == 0 or denominator == 0:
        raise AbcError(f"length {text!r} contains a zero")
    return Fraction(numerator, denominator)


def unit_length(headers: dict[str, str], meter: Meter) -> Fraction:
    """Length of a note without a number, in whole notes: the L: field, or else the meter's default."""
    if "L" in headers:
        return parse_unit(headers["L"])
    return Fraction(1, 16) if meter and Fraction(*meter) < Fraction(3, 4) else Fraction(1, 8)


def parse_unit(text: str) -> Fraction:
    """An L: value in whole notes."""
    found = re.match(r"([1-9]\d*)(?:\s*/\s*([1-9]\d*))?", text.strip())
    if not found:
        raise AbcError(f"cannot read unit length {text!r}")
    return Fraction(int(found[1]), int(found[2] or 1))


def key_alter(fifths: int, step: str) -> int:
    """Semitones by which a key signature of `fifths` sharps (negative: flats) alters a step."""
    if fifths >= 0:
        return int(step in SHARPS[:fifths])
    return -int(step in SHARPS[::-1][:-fifths])
