"""Reads match files (format 1.0.0): which note of a score each note of a performance plays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from score_following_game.data_preparation.errors import EngravingError

_INFO = re.compile(r"info\((\w+),(.*)\)\.$")
_PROPERTY = re.compile(r"scoreprop\(timeSignature,\[?\d+/(\d+)")
_SCORE_NOTE = re.compile(
    r"snote\((?P<id>[^,]+),\[(?P<step>[A-G]),(?P<alter>n|#{1,2}|x|b{1,2})\],(?P<octave>-?\d+),"
    r"\d+:\d+,[^,]+,(?P<length>[^,]+),(?P<onset>-?[\d.]+),-?[\d.]+,\[(?P<marks>[^\]]*)\]\)"
)
_HEARD_NOTE = re.compile(r"note\([^,]+,(?P<pitch>\d+),(?P<onset>\d+),(?P<end>\d+),(?P<velocity>\d+)[^)]*\)\.$")
_PEDAL = re.compile(r"(sustain|soft)\((\d+),(\d+)\)\.$")
_CONTROLLERS = {"sustain": 64, "soft": 67}  # of MIDI
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ALTER = {"n": 0, "#": 1, "##": 2, "x": 2, "b": -1, "bb": -2}
_FINEST = 48  # largest denominator of an onset in beats, which has four decimals: thirds, fifths, ... of small notes


@dataclass(frozen=True)
class ScoreNote:
    """A note of the score. onset: quarters from the first whole bar, negative in a pickup.  grace: it takes no time."""

    id: str
    onset: Fraction
    pitch: int
    grace: bool


@dataclass(frozen=True)
class HeardNote:
    """A note of the performance. onset, end: ticks."""

    onset: int
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class MatchFile:
    """A match file. score, midi: names of the files that it joins.  seconds: of a tick.

    pairs: a note of the score and the one heard, None for one that is missing or that is played in addition.
    pedals: (tick, MIDI controller, value).
    """

    score: str
    midi: str
    seconds: Fraction
    pairs: tuple[tuple[ScoreNote | None, HeardNote | None], ...]
    pedals: tuple[tuple[int, int, int], ...]

    @property
    def heard(self) -> list[HeardNote]:
        """Everything that is played, by onset and pitch."""
        return sorted((heard for _, heard in self.pairs if heard is not None), key=lambda note: (note.onset, note.pitch))


def named_files(text: str) -> tuple[str, str]:
    """File names of the score and of the MIDI file, without folders; "" where the match file names none."""
    infos = {found[1]: found[2] for found in map(_INFO.match, map(str.strip, text.splitlines())) if found}
    return Path(infos.get("scoreFileName", "")).name, Path(infos.get("midiFileName", "")).name


def read_match(text: str) -> MatchFile:
    """Raises EngravingError naming the line that cannot be read."""
    infos: dict[str, str] = {}
    units: set[int] = set()
    pairs: list[tuple[ScoreNote | None, HeardNote | None]] = []
    pedals: list[tuple[int, int, int]] = []
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        try:
            if found := _INFO.match(line):
                infos[found[1]] = found[2]
            elif found := _PROPERTY.match(line):
                units.add(int(found[1]))
            elif found := _PEDAL.match(line):
                pedals.append((int(found[2]), _CONTROLLERS[found[1]], int(found[3])))
            elif line.startswith(("snote", "insertion")):
                pairs.append(_pair(line, number, units))
        except (ValueError, ArithmeticError):  # of a number: 0.0.0, thousands of digits, an eighth of nothing
            raise EngravingError("unreadable match file", f"line {number}: {line[:60]!r}") from None
    try:
        rate = Fraction(int(infos["midiClockRate"]), 1_000_000 * int(infos["midiClockUnits"]))
        return MatchFile(infos["scoreFileName"], infos["midiFileName"], rate, tuple(pairs), tuple(pedals))
    except (KeyError, ValueError, ZeroDivisionError) as error:
        raise EngravingError("unreadable match file", f"its info lines: {error}") from None


def _pair(line: str, number: int, units: set[int]) -> tuple[ScoreNote | None, HeardNote | None]:
    """units: the beat units stated so far; with several, beats could not be counted from the beginning."""
    if len(units) != 1:
        raise EngravingError("unreadable match file", f"line {number}: {len(units)} time signatures so far, expected one")
    score = _SCORE_NOTE.match(line)
    rest = line[score.end() :] if score else line.removeprefix("insertion")
    heard = _HEARD_NOTE.match(rest.removeprefix("-"))
    if (score is None and not line.startswith("insertion-")) or (heard is None and rest != "-deletion."):
        raise EngravingError("unreadable match file", f"line {number}: {line[:60]!r}")
    return (
        None if score is None else _score_note(score, next(iter(units))),
        None if heard is None else HeardNote(*(int(heard[name]) for name in ("onset", "end", "pitch", "velocity"))),
    )


def _score_note(found: re.Match[str], unit: int) -> ScoreNote:
    beats = Fraction(found["onset"]).limit_denominator(_FINEST)
    pitch = 12 * (int(found["octave"]) + 1) + _STEPS[found["step"]] + _ALTER[found["alter"]]
    return ScoreNote(found["id"], beats * 4 / unit, pitch, found["length"] == "0")
