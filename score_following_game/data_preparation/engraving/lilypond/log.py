"""Reads the log that hook.ily writes while LilyPond engraves: the notes of each score and their times."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from score_following_game.data_preparation.engraving.silent import CUE, UNPITCHED, is_without_pitch

GRACE_SHARE = Fraction(9, 40)  # of its written length; how long LilyPond plays a grace note
TICKS_PER_WHOLE = 4 * 384  # of LilyPond's MIDI


@dataclass(frozen=True)
class Head:
    """A notehead. number: running number.  score: index from 0.  tick: its time, in ticks of the MIDI.  pitch: MIDI.

    tied: it continues an earlier head.  silent: why its note is not played, "" if it is.
    """

    number: int
    score: int
    tick: int
    pitch: int
    tied: bool
    silent: str = ""


@dataclass(frozen=True)
class BarPlace:
    """bar: its number.  after: quarters after its start.  length, beat: of a full bar and of a beat, quarters."""

    bar: int
    after: Fraction
    length: Fraction
    beat: float


def read_log(path: Path) -> list[Head]:
    """The noteheads in the order in which LilyPond processed them."""
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    tied = {int(row[1]) for row in rows if row[:1] == ["tied"]}
    silent = {int(row[1]): UNPITCHED for row in rows if row[:1] == ["shape"] and len(row) == 3 and is_without_pitch(row[2:])}
    silent |= {int(row[1]): CUE for row in rows if row[:1] == ["cue"]}
    heads = []
    for row in rows:
        # For a microtone, which has no MIDI pitch, LilyPond bends the nearest pitch below.
        if row[:1] == ["head"] and len(row) == 6:
            score, number, pitch = int(row[1]), int(row[2]), int(Fraction(row[5]))
            moment = Fraction(row[3]) + GRACE_SHARE * Fraction(row[4])
            heads.append(Head(number, score, round(moment * TICKS_PER_WHOLE), pitch, number in tied, silent.get(number, "")))
    return heads


def read_places(path: Path) -> dict[int, BarPlace]:
    """Number of a head -> where in which bar it is. Grace notes have no place."""
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    places = {}
    for row in rows:
        if row[:1] == ["place"] and len(row) == 6:
            position, beats, unit = 4 * Fraction(row[3]), int(row[4]), int(row[5])
            if beats <= 0 or unit <= 0:
                continue
            upbeat, length = position < 0, Fraction(4 * beats, unit)  # LilyPond counts it as negative, to the bar it leads to
            places[int(row[1])] = BarPlace(int(row[2]) - upbeat, position + upbeat * length, length, 4 / unit)
    return places


def uneven_repeats(path: Path) -> list[Fraction]:
    """Where repeats begin that are not in all simultaneous music, in quarters. They were unfolded in some of it only."""
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    return sorted({4 * Fraction(row[1]) for row in rows if row[:1] == ["uneven"] and len(row) == 2})
