"""What K: and V: fields say besides key and name: clef, octave and transposition."""

from __future__ import annotations

import re
from dataclasses import dataclass

from score_following_game.data_preparation.engraving.abc.tune_book import AbcError
from score_following_game.data_preparation.engraving.silent import is_without_pitch

_NAMED = {"treble": "G2", "alto": "C3", "tenor": "C4", "bass": "F4", "baritone": "F3", "soprano": "C1", "mezzosoprano": "C2"}
_CLEF = re.compile(rf"(?P<name>{'|'.join(_NAMED)})(?P<line>[1-5])?(?P<octave>[-+](?:8|15))?(?![A-Za-z])")
_LETTERED = re.compile(r"(?P<letter>[GCF])(?P<line>[1-5])?(?P<octave>[-+](?:8|15))?")
_LINE = {"G": 2, "C": 3, "F": 4}  # of a clef that names none
_PITCH = re.compile(r"([A-Ga-g])([,']*)")
_STEPS = "CDEFGAB"
_MIDDLE = {"G": 4 * 7 + 4, "C": 4 * 7, "F": 3 * 7 + 3}  # steps above C0 of the line that a clef names
_SHORT = {"t": "transpose", "m": "middle"}
_READ = ("clef", "transpose", "octave", "middle")
_UNREAD = ("score", "sound", "shift")  # they change what is printed or heard
_IGNORED = (
    "name|nm|sname|snm|subname|stafflines|staffscale|staves|stem|gstem|dyn|lyrics|style|scale|cue|brace|bracket|merge|space"
)
_PROPERTY = re.compile(rf"(?<![A-Za-z])({'|'.join((*_READ, *_UNREAD, *_SHORT))}|{_IGNORED})\s*=\s*(\"[^\"]*\"|\S+)")


@dataclass(frozen=True)
class Clef:
    """shape: G, C or F.  line: from below, 1 to 5.  octaves: by which it sounds higher than without its 8 or 15."""

    shape: str = "G"
    line: int = 2
    octaves: int = 0

    @property
    def middle(self) -> int:
        """Steps above C0 of the note on the middle line, without the clef's 8."""
        return _MIDDLE[self.shape] + 2 * (3 - self.line)


@dataclass(frozen=True)
class Properties:
    """What applies to a voice; None: as before. transpose: semitones from print to sound.  octave: of print and sound.

    middle: steps above C0 of the note that is printed on the middle line.
    """

    clef: Clef | None = None
    transpose: int | None = None
    octave: int | None = None
    middle: int | None = None

    def changed_by(self, other: Properties) -> Properties:
        """These with what `other` states. A clef without middle= has its own middle."""
        middle = other.middle if other.middle is not None or other.clef is not None else self.middle
        return Properties(
            other.clef or self.clef,
            self.transpose if other.transpose is None else other.transpose,
            self.octave if other.octave is None else other.octave,
            middle,
        )

    def octaves(self) -> tuple[int, int]:
        """Octaves from the written letter to the printed note, and semitones from that to the sound."""
        clef = self.clef or Clef()
        moved = clef.middle - (clef.middle if self.middle is None else self.middle)
        if moved % 7:
            raise AbcError("middle= moves the notes by other than octaves; write the clef and the notes as they are printed")
        return (self.octave or 0) + clef.octaves + moved // 7, (self.transpose or 0) - 12 * (moved // 7)


def split_properties(text: str) -> tuple[str, Properties]:
    """What remains of the value of a K: field, or of a V: field without its name, and its properties."""
    values = {_SHORT.get(name, name): value.strip('"') for name, value in _PROPERTY.findall(text)}
    if unread := [name for name in _UNREAD if name in values]:
        raise AbcError(f"{unread[0]}= is not read; write the notes as they are printed, and transpose= for the sound")
    if is_without_pitch([values.get("style", "")]):
        raise AbcError(f"style={values['style']}: its notes have no definite pitch")
    words = _PROPERTY.sub(" ", text).split()
    if "perc" in words:
        raise AbcError("percussion is not read")
    clefs = [word for word in words if _CLEF.match(word)]
    clef = values.get("clef", clefs[0] if clefs else "")
    return " ".join(word for word in words if word not in clefs), Properties(
        parse_clef(clef) if clef else None,
        _number(values, "transpose"),
        _number(values, "octave"),
        _steps(values["middle"]) if "middle" in values else None,
    )


def parse_clef(text: str) -> Clef:
    """The clef that a text such as "bass", "treble-8" or "C3" names."""
    if text.lower() == "none":
        return Clef()
    found = _CLEF.fullmatch(text.lower()) or _LETTERED.fullmatch(text)
    if not found:
        raise AbcError(f"cannot read clef {text!r}")
    place = _NAMED[found["name"]] if "name" in found.groupdict() else found["letter"]
    line = int(found["line"] or place[1:] or _LINE[place[0]])
    octaves = {8: 1, 15: 2}[abs(int(found["octave"]))] if found["octave"] else 0
    return Clef(place[0], line, -octaves if found["octave"] and found["octave"][0] == "-" else octaves)


def _number(values: dict[str, str], name: str) -> int | None:
    if name not in values:
        return None
    if not re.fullmatch(r"[-+]?\d{1,2}", values[name]):
        raise AbcError(f"cannot read {name}={values[name]}")
    return int(values[name])


def _steps(text: str) -> int:
    found = _PITCH.fullmatch(text)
    if not found:
        raise AbcError(f"cannot read middle={text}")
    octave = 4 + found[1].islower() + found[2].count("'") - found[2].count(",")
    return 7 * octave + _STEPS.index(found[1].upper())
