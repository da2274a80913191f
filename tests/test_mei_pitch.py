"""How the notes of MEI sound: signs, keys, ties, octave lines, transposition; and the engraver's word on it."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import pytest
import verovio
from engraving_tools import engraved
from hypothesis import given, settings
from hypothesis import strategies as st
from mei_tools import bar, note, notes, read, score, timemap

from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei
from score_following_game.data_preparation.errors import EngravingError

TRANSCODED = "<encodingDesc><appInfo><application><p>Transcoded from MusicXML</p></application></appInfo></encodingDesc>"


def pitches(text: str) -> list[int]:
    return [pitch for _, _, pitch in read(text)]


def alters(text: str) -> list[int]:
    return [note.alter for bar in read_mei(text)[1].bars for note in bar.notes if note.pitch is not None]


def test_signs_hold_for_the_bar_in_their_octave_on_their_staff() -> None:
    text = score(
        bar(notes("f4 f4n f4 f5"), notes("f4 f4 f4 f4")),
        bar(note("g4s", 8, 'grace="acc"') + notes("g4 c5x c5"), notes("g4 g4 c5")),
        definition='keysig="1s"',
        staves=2,
    )
    assert pitches(text) == [66, 65, 65, 78, 66, 66, 66, 66, 68, 74, 74, 67, 67, 72]
    assert alters(text) == [1, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 0, 0, 0]


def test_signs_hold_across_voices_in_time_order() -> None:
    """The sign at beat 2 of the second voice counts at beat 3 of the first. A note printed on the other staff follows that."""
    other = note("f4", 2, 'staff="2"')
    text = score(bar(f"{notes('f4 a4 f4 a4')}|<space dur='4'/>{notes('f4s a4 a4')}", f"{notes('f4s')}"), bar(other), staves=2)
    assert pitches(text)[:8] == [65, 69, 66, 69, 66, 69, 69, 66]
    crossing = score(bar("<space dur='4'/>" + other, notes("f4s a4")), staves=2)
    assert pitches(crossing)[0] == 66
    assert read_mei(crossing)[1].bars[0].notes[1].staff == 1


def test_ties_carry_signs_over_the_bar_line() -> None:
    text = score(bar(note("b4f", 1, 'tie="i"')), bar(note("b4", 2, 'tie="t"') + note("b4", 2)))
    assert pitches(text) == [70, 70, 71]
    by_element = score(
        bar(note("b4f", 1, 'xml:id="a"'), after='<tie startid="#a" endid="#b"/>'), bar(note("b4", 1, 'xml:id="b"'))
    )
    assert pitches(by_element) == [70, 70]


@pytest.mark.parametrize(
    ("content", "attributes", "alter"),
    [
        ('<accid accid="s"/>', "", 1),
        ('<accid accid="s" func="edit"/>', "", 1),
        ('<supplied><accid accid="f"/></supplied>', "", -1),
        ('<accid accid.ges="f"/>', "", -1),
        ("", 'accid="n" accid.ges="s"', 1),
        ("", 'accid.ges="ff"', -2),
    ],
)
def test_where_a_sign_may_stand(content: str, attributes: str, alter: int) -> None:
    assert alters(score(bar(note("a4", 4, attributes, content)), definition='keysig="7f"')) == [alter]


def test_key_signatures_wherever_they_stand() -> None:
    """In definitions (old and new names, of one staff or all), listed sign by sign, and in the middle of a bar."""
    listed = '<keySig><keyAccid pname="f" accid="s"/><keyAccid pname="b" accid="f"/></keySig>'
    text = score(
        bar(notes("f4 b4 e4")),
        f"<scoreDef>{listed}</scoreDef>",
        bar(notes("f4 b4 e4")),
        '<staffDef n="1" key.sig="3f"/>',
        bar(notes("f4 b4 e4") + '<keySig sig="0"/>' + notes("e4")),
        bar(notes("f4 b4 e4")),
        definition='key.sig="1s"',
    )
    assert alters(text) == [1, 0, 0, 1, -1, 0, 0, -1, -1, 0, 0, 0, 0]
    with pytest.raises(EngravingError, match="key signature '9s'"):
        read_mei(score(bar(notes("c4")), definition='keysig="9s"'))


@pytest.mark.parametrize(
    "definition", ['<scoreDef keysig="mixed"/>', '<scoreDef key.sig="mixed"/>', '<scoreDef><keySig sig="mixed"/></scoreDef>']
)
def test_a_mixed_key_signature_that_lists_no_sign_has_none(definition: str) -> None:
    text = score(bar(notes("f4 b4 e4f g4")), definition, bar(notes("f4 b4 e4f g4")), definition='keysig="1s"')
    assert alters(text) == [1, 0, -1, 0, 0, 0, -1, 0]
    assert [note.pitch for note in engraved("x.mei", text).notes] == [66, 71, 63, 67, 65, 71, 63, 67]
    listed = text.replace(definition, '<scoreDef><keySig sig="mixed"><keyAccid pname="b" accid="f"/></keySig></scoreDef>')
    assert alters(listed) == [1, 0, -1, 0, 0, -1, -1, 0]


def test_mei_of_the_engraver_says_what_sounds() -> None:
    sharp = 'accid.ges="s"'
    text = score(bar(note("f4", 4, sharp) + notes("f4 g4s g4")), definition='keysig="1s"', head=TRANSCODED)
    assert alters(text) == [1, 0, 1, 0]
    assert alters(read_mei(text)[0]) == [1, 0, 1, 0]  # the prepared text is still known as the engraver's
    assert alters(text.replace("Transcoded", "Typed")) == [1, 1, 1, 1]


def test_signs_in_mei_that_the_engraver_made_from_abc() -> None:
    """There only the key signature sounds (accid.ges), also after a sign in the same bar."""
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    assert toolkit.loadData("X:1\nT:t\nM:4/4\nL:1/4\nK:D\nF=FFf|d_dd2|F4|\n")
    assert alters(toolkit.getMEI()) == [1, 0, 0, 1, 0, -1, -1, 1]
    assert len(engraved("x.mei", toolkit.getMEI()).notes) == 8


def test_transpositions_may_change() -> None:
    text = score(
        bar(notes("c5")),
        '<scoreDef><staffGrp><staffDef n="1" trans.semi="-3"/></staffGrp></scoreDef>',
        bar(notes("c5")),
        '<staffDef n="1" trans.diat="-7"/>',
        bar(notes("c5")),
        '<staffDef n="1" trans.semi="0"/>',
        bar(notes("c5")),
        staff='trans.semi="-2" trans.diat="-1"',
    )
    assert pitches(text) == [70, 69, 60, 72]
    assert [note.transposition for bar in read_mei(text)[1].bars for note in bar.notes] == [-2, -3, -12, 0]
    with pytest.raises(EngravingError, match="'-1' without trans"):
        read_mei(score(bar(notes("c5")), staff='trans.diat="-1"'))


def test_octaves() -> None:
    """oct.ges is the sounding octave, oct the written one; clefs change neither; a staff may have a default."""
    assert pitches(score(bar(notes("c5") + note("c5", 4, 'oct.ges="6"')), staff='clef.dis="8" clef.dis.place="below"')) == [
        72,
        84,
    ]
    bare = '<note pname="c" dur="4"/>'
    assert pitches(score(bar(bare), staff='oct.default="3"')) == [48]
    assert 'oct="3"' in read_mei(score(bar(bare), staff='oct.default="3"'))[0]


@pytest.mark.parametrize(
    ("line", "sounds"),
    [
        ('<octave startid="#d" endid="#f" dis="8" dis.place="above" staff="1"/>', [72, 86, 76, 77, 79]),
        ('<octave startid="#d" endid="#e" dis="8" dis.place="above"/>', [72, 86, 88, 77, 79]),
        ('<octave tstamp="2" tstamp2="1m+1" dis="15" dis.place="below" staff="1"/>', [72, 50, 52, 53, 55]),
        ('<octave tstamp="2" tstamp2="0m+3" dis="8" staff="2"/>', [72, 74, 76, 77, 79]),
        ('<octave tstamp="2" staff="1"/>', [72, 74, 76, 77, 79]),
    ],
)
def test_octave_lines(line: str, sounds: list[int]) -> None:
    """A line raises the notes under it, unless the file says their sounding octaves itself (here that of f)."""
    named = "".join(note(f"{step}5", 4, f'xml:id="{step}"') for step in "cdef")
    if 'endid="#f"' in line:
        named = named.replace('xml:id="d"', 'xml:id="d" oct.ges="6"')
    text = score(bar(named, after=line), bar(notes("g5")))
    assert pitches(text) == sounds
    assert [sound[2] for sound in timemap(read_mei(text)[0]).values()] == sounds


def test_an_octave_line_ends_at_a_beat_of_the_bar_in_which_it_ends() -> None:
    """The second quarter of 2/4, not the second eighth of 6/8, as which it would reach the first note only."""
    line = '<octave tstamp="1" tstamp2="1m+2" dis="8" dis.place="above" staff="1"/>'
    change = '<scoreDef meter.count="2" meter.unit="4"/>'
    text = score(
        bar(notes("c5 d5 e5 f5 g5 a5", 8), after=line), change, bar(notes("c5 d5")), definition='meter.count="6" meter.unit="8"'
    )
    assert pitches(text) == [84, 86, 88, 89, 91, 93, 84, 86]
    assert [note.pitch for note in engraved("x.mei", text).notes] == pitches(text)


@pytest.mark.parametrize(
    ("ends", "sounds"),
    [
        ('tstamp2="0m+2"', [84, 86, 76, 77, 79, 81]),
        ('tstamp2="1m+1"', [84, 86, 88, 89, 91, 81]),
        ("", [72, 74, 76, 77, 79, 81]),
    ],
)
def test_an_octave_line_from_a_beat_without_a_staff_is_on_the_only_one(ends: str, sounds: list[int]) -> None:
    """Engraved, it raises the notes that it raises in the file, also in later bars."""
    line = f'<octave tstamp="1" {ends} dis="8" dis.place="above"/>'
    text = score(bar(notes("c5 d5 e5 f5"), after=line), bar(notes("g5 a5")))
    assert pitches(text) == sounds
    assert [note.pitch for note in engraved("x.mei", text).notes] == sounds
    two = score(bar(notes("c5"), notes("c3"), after=line), staves=2)
    with pytest.raises(EngravingError, match="bar 1, an octave line without its staff"):
        read_mei(two)


# --- against the engraver


VALUE = st.sampled_from((2, 4, 8, 16))
PITCH = st.tuples(st.sampled_from("cdefgab"), st.integers(2, 6), st.sampled_from(("", "s", "f", "n")))


@st.composite
def items(draw: st.DrawFn, depth: int = 0) -> str:
    """A note, rest, chord, space, beam or tuplet. Signs come with their sound, as the engraver needs it."""
    kind = draw(st.integers(0, 6 if depth < 1 else 3))
    value, dots = draw(VALUE), draw(st.integers(0, 2))
    length = f'dur="{value}" dots="{dots}"'
    step, octave, sign = draw(PITCH)
    sound = f'accid.ges="{sign or "n"}"'
    if kind == 0:
        return f"<rest {length}/>"
    if kind == 1:
        return f"<space {length}/>"
    if kind == 2:
        return (
            f'<chord {length}><note pname="c" oct="3" accid.ges="n"/><note pname="{step}" oct="{octave + 2}" {sound}/></chord>'
        )
    if kind == 3:
        return note(f"{step}{octave}", value, f'dots="{dots}" {sound}')
    content = "".join(draw(st.lists(items(depth + 1), min_size=2, max_size=4)))
    if kind == 4:
        return f"<beam>{content}</beam>"
    num, base = draw(st.sampled_from(((3, 2), (5, 4), (2, 3), (7, 4))))
    return f'<tuplet num="{num}" numbase="{base}">{content}</tuplet>'


LAYER = st.lists(items(), min_size=1, max_size=4).map("".join)


@settings(max_examples=40)
@given(st.lists(st.tuples(LAYER, LAYER | st.just("<mRest/>")), min_size=1, max_size=3))
def test_both_readings_of_generated_mei_agree(bars: list[tuple[str, str]]) -> None:
    opening = bar(notes("c4 c4 c4 c4"), notes("c3 c3 c3 c3"))
    text = score(opening, *(bar(*staves) for staves in bars), opening, staves=2)
    prepared, reading = read_mei(text)
    starts = reading.starts(range(len(reading.bars)))
    expected = {
        note.id: (start + note.onset, note.duration, note.pitch)
        for start, bar in zip(starts, reading.bars)
        for note in bar.notes
        if note.pitch is not None
    }
    engraved = timemap(prepared)
    assert engraved.keys() == expected.keys()
    for name, (onset, duration, pitch) in expected.items():
        # The engraver counts in fractions of limited size.
        assert abs(engraved[name][0] - onset) < Fraction(1, 500) and abs(engraved[name][1] - duration) < Fraction(1, 500), name
        assert engraved[name][2] == pitch
    assert len(ElementTree.fromstring(prepared).findall(".//{*}measure")) == len(reading.bars)
