"""Tempo marks of MusicXML."""

from __future__ import annotations

import math
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.document import sounds_of
from score_following_game.data_preparation.engraving.musicxml.values import decimal

_QUARTERS = {"breve": 8.0, "whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}


def tempo_of(element: ElementTree.Element) -> float | None:
    """Quarters per minute that a <direction> or <sound> states: by <sound tempo>, else by a metronome mark; or None."""
    for sound in sounds_of(element):
        if (tempo := _number(sound.get("tempo"))) is not None:
            return tempo
    for mark in element.iter("metronome"):
        units = mark.findall("beat-unit")
        speed = _number(mark.findtext("per-minute"))
        if len(units) == 1 and speed is not None and (value := _QUARTERS.get((units[0].text or "").strip())):
            return speed * value * (2 - 0.5 ** len(mark.findall("beat-unit-dot")))
    return None


def sounding_offset(element: ElementTree.Element) -> Fraction:
    """How much later than at its place a <direction> or <sound> sounds, in divisions of the part.

    The offset of a direction is only one of print, unless it says otherwise.
    """
    of_both = [offset for offset in element.findall("offset") if offset.get("sound") == "yes"]
    of_sounds = [offset for sound in sounds_of(element) for offset in sound.findall("offset")]
    texts = [offset.text or "" for offset in (*of_both, *of_sounds)]
    return (decimal(texts[0].strip()) if texts else None) or Fraction(0)


def _number(text: str | None) -> float | None:
    """A positive number, or None; "c. 96" counts as 96."""
    words = (text or "").replace("=", " ").split()
    try:
        value = float(words[-1]) if words else math.nan
    except ValueError:
        return None
    return value if 0 < value < math.inf else None
