"""What the hook (hook.ily) wrote down while LilyPond engraved: which notes each score has, and when."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

GRACE_SHARE = Fraction(9, 40)  # LilyPond plays a grace note at this share of its written length before or after the beat
TICKS_PER_WHOLE = 4 * 384  # of its MIDI


@dataclass(frozen=True)
class Head:
    """A notehead: running number, score (counted from 0), MIDI tick of its moment and MIDI pitch; `tied`: sounds on from an
    earlier head."""

    number: int
    score: int
    tick: int
    pitch: int
    tied: bool


def read_log(path: Path) -> list[Head]:
    """The noteheads in the order LilyPond met them."""
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    tied = {int(row[1]) for row in rows if row[:1] == ["tied"]}
    heads = []
    for row in rows:
        # A microtone has no MIDI pitch of its own: LilyPond bends the nearest one below.
        if row[:1] == ["head"] and len(row) == 6:
            score, number, pitch = int(row[1]), int(row[2]), int(Fraction(row[5]))
            moment = Fraction(row[3]) + GRACE_SHARE * Fraction(row[4])
            heads.append(Head(number, score, round(moment * TICKS_PER_WHOLE), pitch, number in tied))
    return heads
