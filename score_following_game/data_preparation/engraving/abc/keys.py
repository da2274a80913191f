"""Keys of ABC tunes: what is printed as a key signature, and what sounds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from score_following_game.data_preparation.engraving.abc.fields import SHARPS, key_alter
from score_following_game.data_preparation.engraving.abc.tune_book import ALTER, AbcError

_MODE_FIFTHS = {"": 0, "maj": 0, "ion": 0, "m": -3, "min": -3, "aeo": -3, "dor": -2, "phr": -4, "lyd": 1, "mix": -1, "loc": -5}
_SIGN = r"(?:\^\^|\^|__|_|=)"
_KEY = re.compile(
    rf"""(?P<tonic>(?=exp)|[A-G][\#b]?|none)
    (?:\s*(?P<explicit>exp)[a-z]* | \s*(?P<mode>(?:maj|min|ion|dor|phr|lyd|mix|aeo|loc)[a-z]*|m)?)
    (?P<own>(?:\s*{_SIGN}[A-G])*)""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True)
class Key:
    """fifths: number of sharps of an ordinary key, negative for flats.  own: (step, alter) of the steps that differ from it.

    printed: false for a key without a key signature, although it alters notes.
    """

    fifths: int = 0
    own: tuple[tuple[str, int], ...] = ()
    printed: bool = True

    def alter(self, step: str) -> int:
        """Semitones by which the key alters a step."""
        return dict(self.own).get(step, key_alter(self.fifths, step))

    def signs(self) -> list[tuple[str, int]]:
        """(step, alter) of the signs of the key signature, in the order of print."""
        if not self.printed:
            return []
        sharps = [(step, self.alter(step)) for step in SHARPS if self.alter(step) > 0]
        return sharps + [(step, self.alter(step)) for step in reversed(SHARPS) if self.alter(step) < 0]


def parse_key(text: str) -> Key | None:
    """The key that a K: value without its properties names; None if it is empty."""
    text = text.strip()
    if not text:
        return None
    if text in ("HP", "Hp"):  # Highland pipes: F sharp and C sharp, which are printed for Hp only
        return Key(2, printed=text == "Hp")
    found = _KEY.fullmatch(text)
    if not found:
        raise AbcError(f"cannot read key {text!r}")
    fifths = 0 if found["explicit"] else _fifths(found["tonic"], (found["mode"] or "").lower()[:3], text)
    own = {step.upper(): ALTER[sign] for sign, step in re.findall(rf"({_SIGN})([A-Ga-g])", found["own"])}
    return _simplest(Key(fifths, tuple(sorted(own.items()))))


def _fifths(tonic: str, mode: str, text: str) -> int:
    if tonic.lower() == "none":
        return 0
    fifths = SHARPS.index(tonic[0].upper()) - 1 + 7 * (tonic.count("#") - tonic[1:].lower().count("b")) + _MODE_FIFTHS[mode]
    if not -7 <= fifths <= 7:
        raise AbcError(f"key {text!r} has no key signature")
    return fifths


def _simplest(key: Key) -> Key:
    """The ordinary key with the same signs, if there is one: D major with C natural has the signature of G major."""
    return next((plain for plain in map(Key, range(-7, 8)) if plain.signs() == key.signs()), key)
