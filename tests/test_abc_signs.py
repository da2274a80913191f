"""Decorations, chords, rests, tempi and note values of ABC, and music that is refused."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import pytest
from abc_tools import melody_of, pitches

from score_following_game.data_preparation.engraving.abc.fields import quarter_tempo
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei, note_values
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, Tune, read_tune_book


def test_ornaments_and_texts_do_not_sound() -> None:
    assert pitches('"Am"A "^text"B {gf}c !trill!d ~e .f|y A(BA)u|+trill+B|') == [69, 71, 72, 74, 76, 77, 69, 71, 69, 71]


@pytest.mark.parametrize(
    "music", ["A2 B2!\nc2 d2!\n|e4", "A2! B2! c2 d2|!\ne4!", "A2!B2c2!d2|!!fermata!e4!trill!!", "A2!B2 !\nc2|d2 !f!e4"]
)
def test_exclamation_marks_that_end_lines_hide_no_note(music: str) -> None:
    assert pitches(music) == [69, 71, 72, 74, 76]


NAMES = "f ff p sfz mf 1 > + ^ <( >) ~( -) // trill( 8va( 15mb) D.C. D.C.alfine dacapo style=normal fermata beambr1 trem2 GP"


@pytest.mark.parametrize("name", [*NAMES.split(), "D.C. al Fine", "D. S. al coda", "da capo", "to coda"])
def test_decorations_do_not_sound(name: str) -> None:
    assert melody_of(f"A2!{name}!B2|!{name}!c4|").notes() == [(0, 2, 69), (2, 2, 71), (4, 4, 72)]


def test_macros_are_written_out_between_exclamation_marks_that_end_lines() -> None:
    (tune,) = read_tune_book("X:1\nM:4/4\nL:1/4\nm: ~c2 = c d\nU: T = !f!\nK:C\nA2! ~c2 TB2! |\n")
    assert [pitch for *_, pitch in read_melody(tune).notes()] == [69, 72, 74, 71]


def test_chords_keep_their_top_note() -> None:
    assert melody_of("[GB]2 [+ce]|[c/2G/2] [A,^c]|").notes() == [
        (0, 2, 71),
        (2, 1, 76),
        (3, Fraction(1, 2), 72),
        (Fraction(7, 2), 1, 73),
    ]


def test_rests_inside_chords_do_not_count() -> None:
    assert melody_of("[zC]2 [E2x]/ [z3/C2G]|[z]3 [zx]2 [Fz-]|F4|").notes() == [
        (0, 2, 60),
        (2, 1, 64),
        (3, 2, 67),
        (10, 5, 65),
    ]


def test_ties_and_texts_inside_chords() -> None:
    assert melody_of("[A-c-][Ac][Ac]|").notes() == [(0, 2, 72), (2, 1, 72)]
    assert melody_of("[A-c][Ac]|").notes() == [(0, 1, 72), (1, 1, 72)]  # only the lower note is tied
    assert pitches('["Bm"CE]["a|]"C!f!~E u]+fermata+[CE]|') == [64, 64, 64]


def test_only_known_names_between_plus_signs_are_decorations() -> None:
    assert pitches("+ff+A +>(+B +D.C.+c|") == [69, 71, 72]
    for music in ("+CEG+ A|", "+ace+ A|", "A + B|", "+x+A|"):
        with pytest.raises(AbcError, match=r"write an old-style chord \+CEG\+ as \[CEG\]"):
            melody_of(music)


def test_rests() -> None:
    assert melody_of("A z B|Z2|c z/ x/|").notes() == [(0, 1, 69), (2, 1, 71), (11, 1, 72)]


@pytest.mark.parametrize(
    "music",
    [
        "A & B|",
        "AB[c|",
        "A (3B/c/[d e|",
        "[V:1]AB|\nV:2\nAB|",
        "A#B|",
        ">A",
        "A0|",
        "[]|",
        "[Cz-Z]|",
        "[C>E]|",
        "[A#c]|",
        '["Bm"]|',
        "(3:0:3ABc|",
        "(3:2:0ABc|",
        "[L:0/4]A|",
    ],
)
def test_music_that_is_refused(music: str) -> None:
    with pytest.raises(AbcError):
        melody_of(music)


@pytest.mark.parametrize(
    ("headers", "tempo"),
    [
        ({"Q": "1/4=120"}, 120),
        ({"Q": "3/8=60"}, 90),
        ({"Q": '"Allegro" 1/2=66'}, 132),
        ({"Q": "1/4 1/8=80"}, 120),
        ({"Q": "160", "L": "1/8"}, 80),
        ({"Q": "120", "M": "2/4"}, 30),
        ({"Q": "C=160", "L": "1/8"}, 80),
        ({"Q": "C3=80", "L": "1/8"}, 120),
        ({"Q": "C3/2 = 80", "L": "1/4"}, 120),
        ({"Q": "C/=80", "L": "1/4"}, 40),
        ({"Q": '"Andante" 1/4=100-110'}, 100),
        ({"Q": "1/4=ca.60"}, 60),
        ({"Q": 'Andante 1/4 = ca. 60.5 "or 70"'}, 60.5),
        ({"Q": "Allegro 120 - 130", "L": "1/8"}, 60),
        ({"Q": "1/4=80/min"}, 80),
        ({"Q": "13/8"}, None),
        ({"Q": '"C=80"'}, None),
        ({"Q": "1/4=Lento"}, None),
        ({}, None),
        ({"Q": "Lento"}, None),
    ],
)
def test_tempo(headers: dict[str, str], tempo: float | None) -> None:
    assert quarter_tempo(Tune("1", "", "", headers)) == tempo


@pytest.mark.parametrize("text", ["120=1/4", "4=60", "mm=60", "C0=60", "1/4=1/8", "1/4.=80"])
def test_a_tempo_of_an_unknown_note_value_is_refused(text: str) -> None:
    with pytest.raises(AbcError, match=r"cannot read tempo|contains a zero"):
        quarter_tempo(Tune("1", "", "", {"Q": text}))


def test_note_values() -> None:
    assert note_values(Fraction(3, 8)) == [(4, 1)]
    assert note_values(Fraction(7, 16)) == [(4, 2)]
    assert note_values(Fraction(5, 8)) == [(2, 0), (8, 0)]
    assert note_values(Fraction(2)) == [(1, 0), (1, 0)]
    with pytest.raises(AbcError, match="1/3"):
        note_values(Fraction(1, 3))


@pytest.mark.parametrize(
    ("music", "written", "beats"),
    [
        ("G2/3A4/3 z2|", ["1/4 3:2", "1/2 3:2", "1/2"], "2/3 4/3"),
        ("G/3A/3z/3 c2/3d2/3e2/3|", ["1/8 3:2"] * 3 + ["1/4 3:2"] * 3, "1/3 1/3 2/3 2/3 2/3"),
        ("G2/3 A B/3 c2|", ["1/4 3:2", "3/8 3:2", "1/8 3:2", "1/2"], "2/3 1 1/3 2"),
        ("G2/5A2/5B4/5[c2/5e] z2|", ["1/8 5:4"] * 2 + ["1/4 5:4", "1/8 5:4", "1/2"], "2/5 2/5 4/5 2/5"),
        (
            "(3GAB c/3(d2/3(3efg)|",
            ["1/4 3:2"] * 3 + ["1/8 3:2", "1/4 3:2"] + ["1/4 3:2"] * 3,
            "2/3 2/3 2/3 1/3 2/3 2/3 2/3 2/3",
        ),
        ("G2/3>A2/3c2/3 z2|", ["1/4", "1/8 3:2", "1/4 3:2", "1/2"], "1 1/3 2/3"),
    ],
)
def test_lengths_that_no_note_value_has_are_written_as_tuplets(music: str, written: list[str], beats: str) -> None:
    melody = melody_of(music)
    events = melody.measures[0].events
    assert [f"{e.written}" + (f" {e.tuplet.number}:{e.tuplet.base}" if e.tuplet else "") for e in events] == written
    assert [length for _, length, _ in melody.notes()] == [Fraction(beat) for beat in beats.split()]
    drawn = ElementTree.fromstring(melody_to_mei(melody)).findall(".//{*}tuplet")
    assert len(drawn) == len({event.tuplet for event in events if event.tuplet})


@pytest.mark.parametrize("music", ["G2/3 A z2|", "(3G/3AB c|", "A/3B/5c|", "A2/3|A4/3|"])
def test_lengths_that_cannot_be_written_are_named(music: str) -> None:
    with pytest.raises(AbcError, match="note values cannot add up to"):
        melody_to_mei(melody_of(music))


def test_mei() -> None:
    """Ids are in time order, accid and accid.ges differ, spaces separate beams, and a long note is two tied values."""
    root = ElementTree.fromstring(melody_to_mei(melody_of("^F/F/ A/B/ c/d/e/f/|(3A/B/c/ F5/2 z|", K="D")))
    ns = "{http://www.music-encoding.org/ns/mei}"
    notes = list(root.iter(f"{ns}note"))
    assert [note.get("{http://www.w3.org/XML/1998/namespace}id") for note in notes] == [f"n{k}" for k in range(1, 14)]
    assert [(note.get("accid"), note.get("accid.ges")) for note in notes[:3]] == [("s", None), (None, "s"), (None, None)]
    assert [len(beam) for beam in root.iter(f"{ns}beam")] == [2, 2, 4, 3]
    sharps = list(ElementTree.fromstring(melody_to_mei(melody_of("^^F F|"))).iter(f"{ns}note"))
    assert [(note.get("accid"), note.get("accid.ges")) for note in sharps] == [("x", None), (None, "ss")]  # as MEI spells them
    assert [note.get("dur") for note in notes[-2:]] == ["2", "8"]
    assert [(tie.get("startid"), tie.get("endid")) for tie in root.iter(f"{ns}tie")] == [("#n12", "#n13")]
    tuplet = root.find(f".//{ns}tuplet")
    assert (tuplet.get("num"), tuplet.get("numbase")) == ("3", "2")
    assert [measure.get("right") for measure in root.iter(f"{ns}measure")] == ["single", "end"]
