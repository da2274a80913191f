"""Metronome marks as they are printed: their numbers, and those that are written in words."""

from __future__ import annotations

import math
import re

_SPEED = r"\d+(?:[.,]\d+)?"
_FIRST_SPEED = re.compile(rf"(?<![\d-]){_SPEED}")
_NOTES = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "8th": 0.5, "sixteenth": 0.25, "16th": 0.25}  # quarters
_NOTES |= {"semibreve": 4.0, "minim": 2.0, "crotchet": 1.0, "quaver": 0.5, "semiquaver": 0.25}
_NOTES |= {"h": 2.0, "q": 1.0, "e": 0.5}  # as old music fonts draw them
_NOTES |= {"\u2669": 1.0, "\u266a": 0.5}
_NOTES |= {chr(0x1D15D + power): 4 / 2**power for power in range(5)}
# SMuFL's notes, alone and in metronome marks: each value shorter than the whole note with its stem up and down.
_NOTES |= {chr(block + 2 + place): 4 / 2 ** ((place + 1) // 2) for block in (0xE1D0, 0xECA0) for place in range(9)}
_DOTS = "\ue1e7\uecb7\U0001d16d"
_MARK = re.compile(
    rf"(?<![a-z\d])(?P<before>dotted[- ])?(?P<note>{'|'.join(sorted(_NOTES, key=len, reverse=True))})"
    rf"(?P<after>[- ]dot(?:ted)?|\s*[.{_DOTS}])?(?:[- ]note)?[\])\s]*=[(\s]*(?:c\.?|ca\.?|circa|about|[~\u2248])?\s*"
    rf"(?P<speed>{_SPEED})"
)


def per_minute(text: str) -> float | None:
    """The number of a mark such as "60", "c. 60", "60,5" or "60-66", of several the first; None if there is none above 0."""
    found = _FIRST_SPEED.search(text.rpartition("=")[2])
    return _positive(found[0]) if found else None


def tempo_of_words(words: str) -> float | None:
    """Quarters per minute of words such as "Andante (♩ = 60)" or "dotted quarter = c. 60"; None if they state none."""
    found = _MARK.search(words.lower())
    speed = _positive(found["speed"]) if found else None
    if found is None or speed is None:
        return None
    return speed * _NOTES[found["note"]] * (1.5 if found["before"] or found["after"] else 1.0)


def _positive(number: str) -> float | None:
    value = float(number.replace(",", "."))
    return value if 0 < value < math.inf else None
