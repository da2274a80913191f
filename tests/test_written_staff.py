"""Voices and notes on another staff than their first: clefs, octave lines and rests there; and comments that do not fit."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from engraving_tools import ONE, TWO, cleaned, engraved, notes_of
from musicxml_tools import TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.engraving.checks import check_piece
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.errors import EngravingError

TREBLE = '<attributes><clef number="2"><sign>G</sign><line>2</line></clef></attributes>'
BASS = '<attributes><clef number="2"><sign>F</sign><line>4</line></clef></attributes>'
LEFT = notes("C3 D3", quarters=0.25, staff=2, voice=5) + TREBLE + notes("G4 A4", quarters=0.25, staff=2, voice=5)
TRIPLETS = notes("C4 C4 C4", quarters=1 / 3, value=0.5, tuplet="3:2", staff=2, voice=6)


@pytest.mark.parametrize("other", ["", back(1) + TRIPLETS], ids=["one voice", "and triplets"])
@pytest.mark.parametrize("first", [True, False], ids=["lower staff first", "upper staff first"])
def test_a_clef_within_a_bar_stands_at_its_time_whichever_staff_comes_first(first: bool, other: str) -> None:
    lower = LEFT + other
    bar = lower + back(1) + notes("C5", staff=1) if first else notes("C5", staff=1) + back(1) + lower
    text = score(part(bar, BASS + notes("C5", staff=1) + back(1) + notes("C3", staff=2), meter="1/4", staves=TWO_STAVES))
    piece = engraved("a.musicxml", text, TWO)
    right = [(0.0, 48), (0.0, 72), (0.25, 50), (0.5, 67), (0.75, 69), (1.0, 48), (1.0, 72)]
    triplets = [(0.0, 60), (1 / 3, 60), (2 / 3, 60)] if other else []
    assert sorted(notes_of(piece)) == sorted(right + triplets) and not piece.unshown
    layers = ElementTree.fromstring(cleaned("a.musicxml", text, TWO)).iterfind(f".//{MEI}measure[1]/{MEI}staff[2]/{MEI}layer")
    (tags,) = (
        [each.get("pname", each.tag) for each in layer] for layer in layers if layer.find(f"{MEI}note[@pname='a']") is not None
    )
    assert tags == ["c", "d", f"{MEI}clef", "g", "a"] or tags == ["c", "d", f"{MEI}clef", "g", "a", f"{MEI}clef"]


def test_a_clef_of_the_upper_staff_stays_there_when_the_first_voice_goes_to_the_lower_one() -> None:
    upper_clef = '<attributes><clef number="1"><sign>F</sign><line>4</line></clef></attributes>'
    lower = notes("C3 D3", quarters=0.5, staff=2, voice=1) + upper_clef + notes("E3 F3", quarters=0.5, staff=2, voice=1)
    upper = back(2) + notes("C5 D5", quarters=0.5, staff=1, voice=2) + notes("E3 F3", quarters=0.5, staff=1, voice=2)
    after = notes("G3 A3", staff=1, voice=2) + back(2) + notes("C3 D3", staff=2, voice=1)
    text = score(part(lower + upper, after, meter="2/4", staves=TWO_STAVES))
    staves = ElementTree.fromstring(cleaned("a.musicxml", text, TWO)).findall(f".//{MEI}measure[1]/{MEI}staff")
    first, second = (
        [each.get("pname", each.tag) for each in staff.iter() if each.tag in (f"{MEI}note", f"{MEI}clef")] for staff in staves
    )
    assert first == ["c", "d", f"{MEI}clef", "e", "f"] and second == ["c", "d", "e", "f"]
    assert not engraved("a.musicxml", text, TWO).unshown


def octave(kind: str, staff: int) -> str:
    shift = f'<octave-shift type="{kind}" size="8"/>'
    return f'<direction placement="above"><direction-type>{shift}</direction-type><staff>{staff}</staff></direction>'


@pytest.mark.parametrize(("home", "away"), [(1, 2), (2, 1)])
def test_a_note_that_crosses_to_another_staff_is_not_under_the_octave_line_of_its_own(home: int, away: int) -> None:
    kind, high, low = ("down", "C6 E6 D6", "E4") if home == 1 else ("up", "C2 E2 D2", "A3")
    line = octave(kind, home) + notes(high, staff=home) + notes(low, staff=away) + octave("stop", home)
    filler = back(4) + note("C4" if home == 1 else "C5", 4.0, staff=away, voice=5)
    piece = engraved("a.musicxml", score(part(line + filler, line + filler, staves=TWO_STAVES)), TWO)
    scale = [84, 88, 86, 64] if home == 1 else [36, 40, 38, 57]
    held = 60 if home == 1 else 72
    bar = [*enumerate(scale), (0, held)]
    assert sorted(notes_of(piece)) == sorted((start + at, pitch) for start in (0, 4) for at, pitch in bar)
    assert not piece.unshown


@pytest.mark.parametrize("time", ["<beats>3+2</beats><beat-type>8</beat-type>", "<beats>2</beats><beat-type>4</beat-type>"
                                  "<beats>1</beats><beat-type>8</beat-type>"])  # fmt: skip
def test_a_rest_of_a_whole_bar_lasts_as_long_as_an_additive_time_signature(time: str) -> None:
    full = "C5 D5 E5 F5 G5"
    rest = note("R", 2.5, value=0).replace("<rest/>", '<rest measure="yes"/>')
    text = score(part(notes(full, quarters=0.5), rest, notes(full, quarters=0.5)))
    text = text.replace("<beats>4</beats><beat-type>4</beat-type>", time)
    assert "mRest" not in cleaned("a.musicxml", text) and "mRest" in cleaned(
        "a.musicxml", text.replace(time, "<beats>5</beats><beat-type>8</beat-type>")
    )
    scale = [72, 74, 76, 77, 79]
    expected = [(start + at / 2, pitch) for start in (0, 5) for at, pitch in enumerate(scale)]
    assert notes_of(engraved("a.musicxml", text)) == expected


def test_a_local_comment_with_too_many_fields_does_no_harm() -> None:
    kern = "**kern\n*clefG2\n*M4/4\n!\tto the editor\n=1\n4c\n4d\n!first\tsecond\n4e\n4f\n=2\n1g\n*-\n!\t!\n"
    assert notes_of(engraved("a.krn", kern)) == [(0, 60), (1, 62), (2, 64), (3, 65), (4, 67)]


def test_too_few_notes_are_those_that_the_sheet_shows() -> None:
    piece = engraved("a.musicxml", score(part(notes("C5 D5 E5 F5"), notes("C8 D8 E5 F5"))), ONE)
    with pytest.raises(EngravingError, match="6 of at least 8; not counted: 2 outside the sheet, the first in bar 2, staff 1"):
        check_piece(piece, ONE)


def test_more_than_seven_sharps_are_told() -> None:
    with pytest.raises(EngravingError, match="key signature '8s'; those of up to seven sharps or flats can be engraved"):
        engraved("a.musicxml", score(part(notes("C5 D5 E5 F5"), fifths=8)), ONE)
