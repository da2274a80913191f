"""One pitch in two voices: struck together, or struck in one while the other holds it."""

from __future__ import annotations

import pytest
from engraving_tools import ONE, TWO, engraved
from mei_tools import bar, score
from mei_tools import note as mei_note
from musicxml_tools import TWO_STAVES, back, note, part
from musicxml_tools import score as musicxml_score

START, STOP = '<tie type="start"/>', '<tie type="stop"/>'
HELD = {  # voice 1 holds C5 for a bar; voice 2 has E4, C5 and F4
    "musicxml": musicxml_score(
        part(
            note("C5", 4) + back(4) + note("E4", voice=2) + note("C5", voice=2) + note("F4", 2, voice=2),
            note("G5", 4),
        )
    ),
    "mei": score(bar(f"{mei_note('c5', 1)}|{mei_note('e4')}{mei_note('c5')}{mei_note('f4', 2)}"), bar(mei_note("g5", 1))),
    "krn": "**kern\n*M4/4\n=1\n*^\n1cc\t4e\n.\t4cc\n.\t2f\n*v\t*v\n=2\n1gg\n==\n*-\n",
}


def sounds(name: str, text: str, staves: int = 1) -> list[tuple[float, float, int]]:
    """(onset, duration, pitch), to the nearest hundredth: a note whose pitch is struck again ends a tick before that."""
    piece = engraved(name, text, TWO if staves == 2 else ONE)
    return [(float(note.onset), round(float(note.end - note.onset), 2), note.pitch) for note in piece.notes]


@pytest.mark.parametrize("kind", HELD)
def test_a_held_note_ends_where_another_voice_strikes_it(kind: str) -> None:
    assert sounds(f"x.{kind}", HELD[kind]) == [(0, 1, 64), (0, 1, 72), (1, 1, 72), (2, 2, 65), (4, 4, 79)]


TOGETHER = {  # voice 1 has C5 for a bar, voice 2 for its first quarter only
    "musicxml": musicxml_score(part(note("C5", 4) + back(4) + note("C5", voice=2) + note("F4", 3, value=0, voice=2))),
    "mei": score(bar(f"{mei_note('c5', 1)}|{mei_note('c5')}{mei_note('e4')}{mei_note('f4', 2)}")),
    "krn": "**kern\n*M4/4\n=1\n*^\n1cc\t4cc\n.\t4e\n.\t2f\n*v\t*v\n==\n*-\n",
}


@pytest.mark.parametrize("kind", TOGETHER)
def test_notes_struck_together_are_one_with_two_heads_as_long_as_the_longer(kind: str) -> None:
    first = engraved(f"x.{kind}", TOGETHER[kind]).notes[0]
    assert (first.onset, first.end, first.pitch, len(first.heads)) == (0, 4, 72, 2)


def test_a_note_that_is_held_over_the_bar_line_ends_where_it_is_struck() -> None:
    low = note("E4", voice=2) + note("C5", voice=2) + note("F4", 2, voice=2)
    first, second = note("C5", 4, more=START) + back(4) + low, note("C5", 2, more=STOP) + note("G5", 2)
    text = musicxml_score(part(first, second))
    assert sounds("x.musicxml", text) == [(0, 1, 64), (0, 1, 72), (1, 1, 72), (2, 2, 65), (6, 2, 79)]


def test_a_note_of_one_staff_that_the_other_strikes() -> None:
    high = note("C4", 4, staff=1)
    low = note("C3", staff=2, voice=5) + note("C4", 2, staff=2, voice=5) + note("D3", staff=2, voice=5)
    text = musicxml_score(part(high + back(4) + low, note("G4", 4, staff=1), staves=TWO_STAVES))
    assert sounds("x.musicxml", text, 2) == [(0, 1, 48), (0, 1, 60), (1, 2, 60), (3, 1, 50), (4, 4, 67)]
