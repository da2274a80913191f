"""Cleaning imported scores: endings, accidentals, transposition and refused scores."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from engraving_tools import TWO, cleaned, engraved

from score_following_game.data_preparation.errors import EngravingError

DATA = Path(__file__).parent / "data"


def test_mei_cleaning() -> None:
    path = DATA / "piano.mei"
    mei = cleaned("piano.mei", path.read_text(), TWO)
    assert "grace" not in mei and "dolce" not in mei and "trill" not in mei and "rpt" not in mei
    assert "<slur" not in mei  # its end was a grace note
    assert "<dynam" in mei and mei.count("<note") == 12


def test_mei_second_endings() -> None:
    def measure(ending: str, pitch: str) -> str:
        return (
            f'<ending n="{ending}"><measure right="rptend"><staff n="1"><layer n="1"><beam>'
            f'<note dur="8" pname="{pitch}" oct="4"/><note grace="acc" dur="8" pname="a" oct="4"/>'
            "</beam></layer></staff></measure></ending>"
        )

    text = (
        '<mei xmlns="http://www.music-encoding.org/ns/mei"><music><body><mdiv><score><scoreDef><staffGrp>'
        f'<staffDef n="1"/></staffGrp></scoreDef><section>{measure("1", "c")}{measure("2", "d")}'
        f"<measure/>{measure('1', 'e')}{measure('2', 'f')}"
        "</section></score></mdiv></body></music></mei>"
    )
    mei = cleaned("x.mei", text)
    assert [pitch for pitch in "cdefa" if f'pname="{pitch}"' in mei] == ["c", "e"]
    assert "<beam" not in mei and "<ending" not in mei
    with pytest.raises(EngravingError, match="staves"):
        cleaned("x.mei", text, TWO)
    with pytest.raises(EngravingError, match="unreadable"):
        cleaned("x.mei", "<mei>")


def test_a_beam_around_a_tuplet_stays() -> None:
    """It has one child, but not one note."""
    triplet = "".join(note(pitch, dur=8) for pitch in ("c5", "d5", "e5"))
    text = mei(f'<beam><tuplet num="3" numbase="2">{triplet}</tuplet></beam>' + notes("c5 d5 e5"))
    assert cleaned("x.mei", text).count("<beam") == 1


KEY_CHANGE = '<scoreDef><keySig sig="2s"/></scoreDef>'


def mei(*measures: str, staff: str = "", head: str = "") -> str:
    """A score with one staff. Each of `measures` is the content of a layer, or an element between measures."""
    content = "".join(
        text
        if text.startswith(("<scoreDef", "<ending", "</ending")) or not text
        else f'<measure><staff n="1"><layer>{text}</layer></staff></measure>'
        for text in measures
    )
    return (
        f'<mei xmlns="http://www.music-encoding.org/ns/mei"><meiHead>{head}</meiHead><music><body><mdiv><score><scoreDef>'
        f'<staffGrp><staffDef n="1" lines="5" clef.shape="G" clef.line="2" {staff}/></staffGrp></scoreDef>'
        f"<section>{content}</section></score></mdiv></body></music></mei>"
    )


def note(pitch: str, more: str = "", dur: int = 4) -> str:
    """pitch: step, octave and perhaps a printed sign, such as "f4s"."""
    sign = f'accid="{pitch[2:]}"' if pitch[2:] else ""
    return f'<note dur="{dur}" pname="{pitch[0]}" oct="{pitch[1]}" {sign} {more}/>'


def notes(pitches: str) -> str:
    return "".join(map(note, pitches.split()))


TRANSCODED = "<encodingDesc><appInfo><application><p>Transcoded from MusicXML</p></application></appInfo></encodingDesc>"


def printed(text: str, name: str = "x.mei") -> list[str]:
    """Step, octave and sign of the notes of a cleaned score, in order."""
    root = ElementTree.fromstring(cleaned(name, text))
    return [
        note.get("pname") + note.get("oct") + "".join(part.get("accid", "") for part in note.iter())
        for note in root.iter("{http://www.music-encoding.org/ns/mei}note")
    ]


def sounding(text: str, name: str = "x.mei") -> list[int]:
    return [note.pitch for note in engraved(name, text).notes]


def test_the_sheet_shows_the_accidentals_that_sound() -> None:
    """After a dropped grace note and on notes without a sign, but not twice in a bar, in another octave, or after a tie."""
    grace = note("g4s", 'grace="unacc"', dur=8)
    sharp = 'accid.ges="s"'
    text = mei(
        grace + note("a4") + note("g4", sharp) + note("g4", sharp) + note("g5"),
        notes("g4"),
        note("f4", sharp + ' tie="i"'),
        note("f4", sharp + ' tie="t"') + note("f4", sharp) + note("f4"),
        head=TRANSCODED,
    )
    assert printed(text) == ["a4", "g4s", "g4", "g5", "g4", "f4s", "f4", "f4s", "f4n"]
    assert sounding(text) == [69, 68, 68, 79, 67, 66, 66, 65]


def test_accidentals_hold_across_the_voices_of_a_staff() -> None:
    """In time order: the second voice's F sharp, the last of a triplet, comes before that of the first voice."""
    first = note("a4") + note("f4") + note("f4", 'accid.ges="s"')
    second = f'<tuplet num="3" numbase="2">{notes("c4 d4 f4s")}</tuplet>'
    assert printed(mei(f"{first}</layer><layer>{second}", head=TRANSCODED)) == ["a4", "f4", "f4", "c4", "d4", "f4s"]


def test_musicxml_gives_the_sound_of_every_note() -> None:
    """<alter> decides, whatever the <accidental> before it in the bar. <transpose> is applied to the sound."""

    def xml_note(step: str, alter: int, sign: str = "") -> str:
        return (
            f"<note><pitch><step>{step}</step><alter>{alter}</alter><octave>4</octave></pitch><duration>1</duration>"
            f"<type>quarter</type>{sign and f'<accidental>{sign}</accidental>'}</note>"
        )

    bar = xml_note("F", 1, "sharp") + xml_note("F", 1) + xml_note("F", 0) + xml_note("B", -1)
    text = (
        '<score-partwise version="3.1"><part-list><score-part id="P1"><part-name/></score-part></part-list><part id="P1">'
        '<measure number="1"><attributes><divisions>1</divisions><key><fifths>0</fifths></key><time><beats>4</beats>'
        "<beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef><transpose><chromatic>-2</chromatic>"
        f"</transpose></attributes>{bar}</measure></part></score-partwise>"
    )
    assert printed(text, "clarinet.musicxml") == ["f4s", "f4", "f4n", "b4f"]
    assert sounding(text, "clarinet.musicxml") == [64, 64, 63, 68]


def test_signs_alone_determine_the_sound() -> None:
    """In MEI without accid.ges: key signature, signs in the bar, the sign of a dropped grace note, ties over the bar line."""
    text = mei(
        notes("f4 f4n f4 f5"),
        note("g4s", 'grace="acc"') + note("g4") + note("b4f", 'tie="i"'),
        note("b4", 'tie="t"') + notes("b4 c5x c5"),
        KEY_CHANGE,
        notes("c5 f4"),
        staff='keysig="1s"',
    )
    assert sounding(text) == [66, 65, 65, 78, 68, 70, 71, 74, 74, 73, 66]
    assert printed(text) == ["f4", "f4n", "f4", "f5", "g4s", "b4f", "b4", "b4", "c5x", "c5", "c5", "f4"]


def test_a_sign_that_contradicts_the_sound_gives_way_to_it() -> None:
    text = mei(note("f4s", 'accid.ges="n"') + notes("g4"))
    assert printed(text) == ["f4n", "g4"] and sounding(text) == [65, 67]


def test_a_key_change_between_or_in_endings() -> None:
    """Between endings it does not make the second one a first. In the second ending it applies to the music after it."""
    for between, inside in ((KEY_CHANGE, ""), ("", KEY_CHANGE)):
        text = mei(
            '<ending n="1">',
            notes("c5"),
            "</ending>",
            between,
            '<ending n="2">',
            notes("d5"),
            inside,
            notes("e5"),
            "</ending>",
            notes("f4"),
        )
        assert printed(text) == ["c5", "f4"]
        assert sounding(text) == [72, 66]


def test_endings_without_a_number_by_position() -> None:
    text = mei("<ending>", notes("c5"), "</ending>", KEY_CHANGE, "<ending>", notes("d5"), "</ending>", notes("e5"))
    assert printed(text) == ["c5", "e5"]


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [
        (("1", "2"), "c"),
        (("1, 2", "3"), "c"),
        (("1-3", "4"), "c"),
        (("1.", "2."), "c"),
        (("", ""), "c"),
        (("2", "1"), "d"),
        (("12", "1"), "d"),
    ],
)
def test_endings_by_number(numbers: tuple[str, str], kept: str) -> None:
    first, second = (f'<ending n="{number}">' if number else "<ending>" for number in numbers)
    assert printed(mei(first, notes("c5"), "</ending>", second, notes("d5"), "</ending>", notes("e5"))) == [f"{kept}5", "e5"]


def test_transposing_instruments_sound_at_their_own_pitch() -> None:
    """A clarinet's sheet is unchanged. It sounds two semitones lower, also under an octave line."""
    line = '<octave staff="1" tstamp="3" tstamp2="0m+3" dis="8" dis.place="above"/></measure>'
    text = mei(notes("c5 f5") + note("c5", 'oct.ges="6"'), staff='keysig="2s" trans.semi="-2"').replace("</measure>", line)
    assert printed(text) == ["c5", "f5", "c5"]
    assert sounding(text) == [71, 76, 83]
