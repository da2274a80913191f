"""The sheet is read as a person does; a head that shows another note than is played costs the piece."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from engraving_tools import ONE, TWO, cleaned
from musicxml_tools import TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.engraving.verovio.engrave import shown_notes
from score_following_game.data_preparation.engraving.verovio.layout import lay_out
from score_following_game.data_preparation.engraving.verovio.print_reading import misprints
from score_following_game.data_preparation.errors import EngravingError

BASS = "<attributes><clef><sign>F</sign><line>4</line></clef></attributes>"

TREBLE = '<attributes><clef number="2"><sign>G</sign><line>2</line></clef></attributes>'
BASS_BELOW = '<attributes><clef number="2"><sign>F</sign><line>4</line></clef></attributes>'
LINE = score(
    part(
        note("C5", alter=1) + notes("D5 E5") + note("C5", alter=1),
        notes("C5 D5") + BASS + notes("C3 B2"),
        note("F3", alter=1) + notes("C3 D3 E3"),
        fifths=1,
    )
)
PIANO = score(
    part(
        notes("C5 D5 E5 F5", staff=1) + back(4) + notes("C3 G3", staff=2, voice=5) + notes("C5 D5", staff=1, voice=5),
        staves=TWO_STAVES,
    )
)


# Notes of the right hand on the lower staff, with a clef between them and another at the bar line.
CROSSED = score(
    part(
        notes("C3 D3", staff=2) + TREBLE + notes("C4 D4", staff=2),
        BASS_BELOW + notes("C5 D5 E5 F5", staff=1) + back(4) + notes("C3 D3 E3 F3", staff=2, voice=5),
        staves=TWO_STAVES,
    )
)
# The clef changes while the upper voice holds a note, and changes back behind the last notes of both.
VOICES = "\n".join(
    ["**kern", "*clefF4", "*M4/4", "=1", "*^", "2e\t4C", "*clefG2\t*", ".\t4a", "2ryy\t4g", ".\t4f", "*clefF4\t*"]
    + ["=2\t=2", "2c\t4C", ".\t4D", "2d\t2E", "=3\t=3", "1c\t1C", "*v\t*v", "*-", ""]
)


def drawn(shown: str, played: str, style: Style = ONE) -> list[str]:
    """The differences between a sheet that shows one MEI and what another one plays."""
    return list(misprints(lay_out(shown, style), played).values())


@pytest.mark.parametrize(
    ("name", "text", "style"),
    [("x.musicxml", LINE, ONE), ("x.musicxml", PIANO, TWO), ("x.musicxml", CROSSED, TWO), ("x.krn", VOICES, ONE)],
)
def test_the_sheet_shows_what_is_played(name: str, text: str, style: Style) -> None:
    """With a key, a sign that holds in its bar, clefs within a bar, and notes of the left hand on the upper staff."""
    mei = cleaned(name, text, style)
    assert drawn(mei, mei, style) == []


@pytest.mark.parametrize(
    ("was", "wrong", "message"),
    [
        ('accid="s"', "", "bar-0, staff 1: it shows C5 where C#5 is played"),
        ('sig="1s"', 'sig="2f"', "bar-0, staff 1: it shows Eb5 where E5 is played"),
        ('oct="3" pname="f"', 'oct="3" pname="g"', "bar-2, staff 1: it shows G3 where F#3 is played"),
        ('oct="5" pname="e"', 'oct="4" pname="e"', "bar-0, staff 1: it shows E4 where E5 is played"),
    ],
)
def test_a_sheet_that_shows_another_note(was: str, wrong: str, message: str) -> None:
    mei = cleaned("x.musicxml", LINE)
    assert was in mei
    assert drawn(mei.replace(was, wrong, 1), mei)[0] == message


def test_a_sign_in_a_chord_that_is_left_out_is_printed_at_the_next_note(tmp_path: Path) -> None:
    """Of an ABC chord the top note is kept, but the sign of a lower one holds in the bar."""
    (tmp_path / "tune.abc").write_text("X:1\nT:t\nM:4/4\nL:1/4\nK:C\n[f^c]cdc|cdef|cdef|\n")
    piece, _ = engrave_source(find_sources([tmp_path])[0], ONE)
    assert [note.pitch for note in piece.notes][:5] == [77, 73, 74, 73, 72]


def test_a_head_that_shows_another_note_costs_that_note() -> None:
    """And no longer the piece, unless there are many."""
    heads = {"right": (100.0, 50.0), "wrong": (100.0, 80.0)}
    played = [PlayedNote(Fraction(0), Fraction(1), 60, ("right",)), PlayedNote(Fraction(1), Fraction(2), 62, ("wrong",))]
    wrong = {"wrong": "bar-0, staff 1: it shows E4 where D4 is played"}
    notes, unshown = shown_notes(played * 20 + played[:1], heads, TWO, {})
    assert len(notes) == 41 and unshown == {}
    notes, unshown = shown_notes(played[:1] * 40 + played[1:], heads, TWO, wrong)
    assert {note.pitch for note in notes} == {60} and unshown == {"drawn as another note": 1}
    with pytest.raises(EngravingError, match="20 of 41, the first in bar-0, staff 1: it shows E4") as caught:
        shown_notes(played * 20 + played[:1], heads, TWO, wrong)
    assert caught.value.reason == "the sheet shows another note"
