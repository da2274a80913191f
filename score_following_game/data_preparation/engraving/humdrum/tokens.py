"""The notes and rests of a **kern token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

METER = re.compile(r"\*M([1-9]\d{0,3})/([1-9]\d{0,3})")
_TREMOLO = re.compile(r"@\d+@")
_DURATION = re.compile(r"(\d{1,6})(?:%(\d{1,6}))?")
_MOST_DOTS = 8
_ORNAMENT = re.compile(r"[TtMmWwSO$]")  # of a trill, mordent, turn and the like
_NO_BEAMS = str.maketrans("", "", "LJKk")
_LETTERS = re.compile(r"[a-gA-G]")
_STEPS = "cdefgab"
_NATURAL = (0, 2, 4, 5, 7, 9, 11)  # semitones above C


@dataclass(frozen=True)
class Sign:
    """A note, or a rest, whose pitch is None.

    duration: quarters, 0 for a grace note.  pitch: MIDI.  step: 0 to 6 for C to B.  alter: semitones.
    stated: the duration that a note of a chord states itself.  begins, ends: whether a tie begins or ends here.
    hidden: not printed.
    """

    duration: Fraction
    stated: Fraction
    pitch: int | None
    step: int
    alter: int
    grace: bool
    begins: bool
    ends: bool
    hidden: bool

    def written_alter(self, steps: int, semitones: int) -> int:
        """The alteration of the note as written for an instrument, so many steps and semitones above its sound."""
        if self.pitch is None:
            return 0
        return (self.pitch + semitones - _NATURAL[(self.step + steps) % 7] + 6) % 12 - 6


def read_token(token: str) -> list[Sign]:
    """The signs of a token, one for each of a chord, none for a null token. A chord has the duration of its first note.

    Raises ValueError for a note without duration or pitch, and for a tremolo in short (@16@), which is drawn as one note.
    """
    if token == ".":
        return []
    signs: list[Sign] = []
    duration: Fraction | None = None
    grace = "q" in token
    for text in token.split():
        if _TREMOLO.search(text):
            raise ValueError(f"{text!r} is a tremolo in short")
        duration = _duration(text) if duration is None else duration
        if duration is None and not grace:
            raise ValueError(f"{text!r} has no duration")
        length = Fraction(0) if grace or duration is None else duration
        pitch, step, alter = (None, 0, 0) if "r" in text else _pitch(text)
        signs.append(
            Sign(
                length,
                length if grace else _duration(text) or length,
                pitch,
                step,
                alter,
                grace,
                begins="[" in text or "_" in text,
                ends="]" in text or "_" in text,
                hidden="yy" in text,
            )
        )
    return signs


def without_endings(token: str) -> str:
    """The token without the turns (R) that end its ornaments. R beside no ornament is of a note without a definite pitch."""
    return " ".join(text.replace("R", "") if _ORNAMENT.search(text) else text for text in token.split(" "))


def with_grace_notes(token: str) -> str:
    """The token with the notes of a groupetto (Q), whose durations do not count, as grace notes (q); these without beams.

    Grace notes are not drawn here; yet the engraver gives time to a grace beam that spans another note or a rest.
    """
    graces = token.replace("Q", "q")
    return graces.translate(_NO_BEAMS) if "q" in graces else graces


def is_unpitched(text: str) -> bool:
    """Whether a note has no definite pitch: R, beside no ornament."""
    return "R" in text and _DURATION.search(text) is not None


def _duration(text: str) -> Fraction | None:
    """Quarters: 4 is a quarter, 3%2 two thirds of a whole note, 0 a breve, 00 a long. Dots and
    accidentals may stand anywhere in the token."""
    found = _DURATION.search(text)
    if found is None:
        return None
    number, parts = found.groups()
    whole = Fraction(2 ** len(number)) if not int(number) else Fraction(int(parts or 1), int(number))
    return 4 * whole * (2 - Fraction(1, 2 ** min(text.count("."), _MOST_DOTS)))


def _pitch(text: str) -> tuple[int, int, int]:
    """(MIDI pitch, step, alteration). c is middle C, cc the C above it, C the one below and CC the one below that."""
    letters = _LETTERS.findall(text)
    if "R" in text:
        raise ValueError(f"{text[:20]!r} has no definite pitch")
    if not letters or letters.count(letters[0]) != len(letters):
        raise ValueError(f"{text!r} has {'several pitches' if letters else 'no pitch'}")
    octave = 3 + len(letters) if letters[0].islower() else 4 - len(letters)
    step = _STEPS.index(letters[0].lower())
    alter = text.count("#") - text.count("-")
    if abs(alter) > 2:
        raise ValueError(f"{text!r} has {abs(alter)} accidentals")
    pitch = 12 * (octave + 1) + _NATURAL[step] + alter
    if not 0 <= pitch <= 127:
        raise ValueError(f"{text[:20]!r} is a pitch that MIDI does not have")
    return pitch, step, alter
