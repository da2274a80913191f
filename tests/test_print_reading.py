"""The sheet is read as a person does; a head that shows another note than is played costs the piece."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from engraving_tools import ONE, TWO, cleaned, engraved
from mei_tools import bar
from mei_tools import note as mei_note
from mei_tools import notes as mei_notes
from mei_tools import score as mei_score
from musicxml_tools import TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote
from score_following_game.data_preparation.engraving.mei.values import sign_of
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
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


EDITED = [  # F sharp by an editor's sign, which is drawn at the height of C, G or A above it; F again; that height
    ("x.musicxml", score(part(note("F4", alter=1, more='<accidental editorial="yes">sharp</accidental>') + notes("A5 G5 C6")))),
    *(
        ("x.mei", mei_score(bar(mei_note("f4", content=f'<accid accid="s" {above}/>') + mei_note("f4") + mei_notes(after))))
        for above in ('func="edit"', 'place="above"', 'func="edit" place="below"')
        for after in ("g5 a5", "b5 c6", "d4 b3")
    ),
    ("x.krn", "!!!RDF**kern: i = editorial accidental\n**kern\n*clefG2\n*M4/4\n=1\n4f#i\n4f#\n4g\n4ccc\n==\n*-\n"),
    ("x.mei", mei_score(bar(mei_note("f4", content='<accid accid="s" enclose="paren"/>') + mei_notes("d4 e4 f4")))),
]


@pytest.mark.parametrize(("name", "text"), EDITED)
def test_a_sign_above_its_note_is_that_of_the_note(name: str, text: str) -> None:
    """And of none at the height where it is drawn; it holds for its note's height in the bar."""
    mei = cleaned(name, text)
    assert drawn(mei, mei) == []
    assert len(engraved(name, text).notes) == 4
    played = mei.replace(' accid="s"', ' accid="f"').replace('accid.ges="s"', 'accid.ges="f"')
    assert drawn(mei, played)[0] == "bar-0, staff 1: it shows F#4 where Fb4 is played"


def test_a_sign_before_a_note_at_another_height_is_not_that_of_the_note() -> None:
    """The engraver is made to draw the sign at the height of C5."""
    mei = cleaned("x.mei", mei_score(bar(mei_note("f4", content='<accid accid="s" loc="5"/>') + mei_notes("d4 e4 g4"))))
    assert drawn(mei, mei) == ["bar-0, staff 1: it shows F4 where F#4 is played"]


TOGETHER = [  # C and C sharp, struck together; then C sharp, or C
    ("x.musicxml", score(part(note("C5") + note("C5", alter=1, more="<chord/>") + notes("D5 C5 E5")))),
    ("x.musicxml", score(part(note("C5", alter=1) + note("C5", more="<chord/>") + notes("D5 C5 E5")))),
    ("x.musicxml", score(part(notes("C5 D5 C5 E5") + back(4) + note("C5", alter=1, voice=2) + notes("F4 G4 A4", voice=2)))),
    ("x.krn", "**kern\n*clefG2\n*M4/4\n=1\n4cc 4cc#\n4dd\n4cc#\n4ee\n==\n*-\n"),
    ("x.krn", "**kern\n*clefG2\n*k[f#c#]\n*M4/4\n=1\n4cc 4cc#\n4dd\n4cc\n4ee\n==\n*-\n"),
]


@pytest.mark.parametrize(("name", "text"), TOGETHER)
def test_two_alterations_of_a_step_that_are_struck_together_have_a_sign_each(name: str, text: str) -> None:
    """So has the next note there, since which of them holds cannot be seen."""
    mei = cleaned(name, text)
    assert drawn(mei, mei) == []
    piece = engraved(name, text)
    assert {60 + 12, 61 + 12} <= {note.pitch for note in piece.notes if note.onset == 0} and piece.unshown == {}
    signed = [note for note in ElementTree.fromstring(mei).iter(f"{MEI}note") if note.get("pname") == "c"]
    assert len(signed) == 3 and all(sign_of(note, "accid", MEI) for note in signed)
    wrong = mei.replace('accid="n"', 'accid="f"', 1)
    assert drawn(wrong, mei) == ["bar-0, staff 1: it shows Cb5 where C5 is played"]


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
