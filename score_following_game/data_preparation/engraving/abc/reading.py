"""The Reading of an ABC tune, to compare with what was engraved from the same Melody."""

from __future__ import annotations

from fractions import Fraction

from score_following_game.data_preparation.engraving.abc.notation import Melody
from score_following_game.data_preparation.engraving.abc.to_mei import note_values
from score_following_game.data_preparation.engraving.read_bar import ReadBar, ReadNote
from score_following_game.data_preparation.engraving.reading import Reading


def reading_of(melody: Melody, tempo: float | None) -> Reading:
    """tempo: quarters per minute in the header, None if it states none.

    A note has the id of the first of the tied notes that it is drawn as. ABC
    marks only where a tie begins, so it may end at any note.
    """
    bars: list[ReadBar] = []
    meter = melody.meter
    previous = ""
    drawn = 0  # notes in the MEI so far
    for number, (name_of_bar, measure) in enumerate(zip(melody.bar_names(), melody.measures), 1):
        meter = measure.meter or meter
        notes: list[ReadNote] = []
        lost: list[ReadNote] = []
        now = Fraction(0)
        for place, event in enumerate(measure.events):
            pitch = event.pitch.midi if event.pitch else None
            name = f"n{drawn + 1}" if event.pitch else f"rest {number}.{place}"
            tied_to = previous if event.tie_from else ""
            notes.append(ReadNote(name, now, event.quarters, pitch, 1, tied_to=tied_to, begins_tie=event.dash, ends_tie=True))
            if event.lost:
                lost.append(ReadNote("", now, event.quarters, None, 1, silent=event.lost))
            previous = name
            drawn += len(note_values(event.written)) if event.pitch else 0
            now += event.quarters
        first = [(Fraction(0), tempo)] if tempo is not None and number == 1 else []
        tempi = tuple(dict([*first, *measure.tempi]).items())
        bars.append(ReadBar(name_of_bar, measure.quarters, tuple(notes), tempi, meter, tuple(lost)))
    return Reading(tuple(bars))
