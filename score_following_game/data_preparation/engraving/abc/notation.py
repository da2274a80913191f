"""The music of one tune as measures of notes and rests.

Written values are in whole notes, times in quarter notes; both are exact fractions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from score_following_game.data_preparation.engraving.abc.fields import Meter
from score_following_game.data_preparation.engraving.abc.keys import Key
from score_following_game.data_preparation.engraving.abc.properties import Clef

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True)
class Pitch:
    """A spelled pitch. step: "C" to "B".  octave: 4 begins at middle C.  alter: semitones.

    transposed: semitones from the printed pitch to the sounding one.
    """

    step: str
    octave: int
    alter: int
    transposed: int = 0

    @property
    def midi(self) -> int:
        """Of the sound."""
        return 12 * (self.octave + 1) + _SEMITONES[self.step] + self.alter + self.transposed


@dataclass(frozen=True)
class Tuplet:
    """`number` notes in the time of `base`. `serial` distinguishes adjacent tuplets."""

    number: int
    base: int
    serial: int


@dataclass
class Event:
    """A note, or a rest if `pitch` is None. written: the printed value in whole notes, without the tuplet's ratio.

    lost: why it is a rest, though the tune has a note that cannot be played; "" for others.
    """

    pitch: Pitch | None
    written: Fraction
    accidental: int | None = None  # the printed accidental, as an alter
    tuplet: Tuplet | None = None
    new_beam: bool = False  # follows a space or a bar line
    tie_from: bool = False  # tied to the note before it
    tie_to: bool = False  # tied to the note after it
    dash: bool = False  # a tie begins at it in the text, whatever the note after it
    lost: str = ""

    @property
    def quarters(self) -> Fraction:
        """Sounding length in quarter notes."""
        ratio = Fraction(self.tuplet.base, self.tuplet.number) if self.tuplet else 1
        return self.written * 4 * ratio


@dataclass
class Measure:
    """The content of a bar. key, meter, clef: set only if they change at its start.

    tempi: (quarters after its start, quarters per minute) of the tempi stated in it.
    divided: what begins it is no plain bar line, so that it may be the rest of the bar before.
    """

    events: list[Event] = field(default_factory=list)
    key: Key | None = None
    meter: Meter = None
    clef: Clef | None = None
    tempi: list[tuple[Fraction, float]] = field(default_factory=list)
    divided: bool = False

    @property
    def quarters(self) -> Fraction:
        return sum((event.quarters for event in self.events), Fraction(0))


@dataclass
class Melody:
    """The bars of one tune."""

    key: Key
    meter: Meter
    clef: Clef
    measures: list[Measure]

    def bar_names(self) -> list[str]:
        """The number of each bar as it is counted on paper.

        An upbeat is 0, and the parts of a bar that is divided by a repeat sign, a double bar or a change are counted once.
        """
        names: list[str] = []
        meter, number, filled = self.meter, 0, Fraction(0)
        for measure, following in pairwise([*self.measures, Measure()]):
            meter = measure.meter or meter
            full = Fraction(4 * meter[0], meter[1]) if meter else Fraction(0)
            goes_on = filled > 0 and measure.divided and filled + measure.quarters <= full
            upbeat = not names and measure.quarters < full
            upbeat = upbeat and not (following.divided and measure.quarters + following.quarters <= full)
            number += not (goes_on or upbeat)
            filled = Fraction(0) if upbeat else filled * goes_on + measure.quarters
            filled = filled if filled < full else Fraction(0)
            names.append(str(number))
        return names

    def notes(self) -> list[tuple[Fraction, Fraction, int]]:
        """(onset, duration, MIDI pitch) of each sounding note, in quarters. Tied notes count as one."""
        notes: list[tuple[Fraction, Fraction, int]] = []
        now = Fraction(0)
        for event in (event for measure in self.measures for event in measure.events):
            if event.tie_from:
                onset, duration, pitch = notes[-1]
                notes[-1] = (onset, duration + event.quarters, pitch)
            elif event.pitch:
                notes.append((now, event.quarters, event.pitch.midi))
            now += event.quarters
        return notes
