"""The Reading of an ABC tune, to compare with what was engraved from the same Melody."""

from __future__ import annotations

from fractions import Fraction

from score_following_game.data_preparation.engraving.abc.notation import Melody
from score_following_game.data_preparation.engraving.reading import ReadBar, Reading, ReadNote


def reading_of(melody: Melody, tempo: float | None) -> Reading:
    """tempo: quarters per minute in the header, None if it states none."""
    bars: list[ReadBar] = []
    meter = melody.meter
    previous = ""
    for number, measure in enumerate(melody.measures, 1):
        meter = measure.meter or meter
        notes: list[ReadNote] = []
        lost: list[ReadNote] = []
        now = Fraction(0)
        for place, event in enumerate(measure.events):
            pitch = event.pitch.midi if event.pitch else None
            name = f"{number}.{place}"
            notes.append(ReadNote(name, now, event.quarters, pitch, 1, tied_to=previous if event.tie_from else ""))
            if event.lost:
                lost.append(ReadNote("", now, event.quarters, None, 1, silent=event.lost))
            previous = name
            now += event.quarters
        first = [(Fraction(0), tempo)] if tempo is not None and number == 1 else []
        tempi = tuple(dict([*first, *measure.tempi]).items())
        bars.append(ReadBar(str(number), measure.quarters, tuple(notes), tempi, meter, tuple(lost)))
    return Reading(tuple(bars))
