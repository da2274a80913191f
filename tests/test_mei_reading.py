"""Reading MEI by its own arithmetic: durations, tuplets, bars and ties."""

from __future__ import annotations

from fractions import Fraction as F

import pytest
from engraving_tools import TWO, engraved, notes_of
from mei_tools import SCALE, bar, heard, note, notes, read, score, tuplet

from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei
from score_following_game.data_preparation.errors import EngravingError


def onsets(text: str) -> list[str]:
    return [str(onset) for onset, _, _ in read(text)]


def durations(text: str) -> list[str]:
    return [str(duration) for _, duration, _ in read(text)]


# --- durations


def test_note_values_dots_defaults_and_chords() -> None:
    chord = f'<chord dur="4" dots="1">{note("c4", "")}{note("e4", 8)}</chord>'
    bare = f"<chord>{note('c4', 8)}{note('e4', 4)}</chord>"
    layer = (
        note("c4", "breve")
        + note("c4", 4, 'dots="2"')
        + note("c4", 4, content="<dot/>")
        + chord
        + bare
        + note("c4", "")
        + note("c4", 4, 'dur.ges="8"')
        + note("c4", 8, 'dur.ges="85p"')
        + note("c4", "", 'dur.ppq="12"')
        + '<rest dur="2"/><space dur="4"/>'
        + note("g4", 1)
    )
    text = score(bar(layer), staff='dur.default="16" ppq="8"')
    assert durations(text) == ["8", "7/4", "3/2", "3/2", "1/2", "1/2", "1", "1/4", "1/2", "1/2", "3/2", "4"]
    assert onsets(text)[-1] == str(8 + F(7, 4) + F(3, 2) + F(3, 2) + 1 + F(1, 4) + F(1, 2) + F(1, 2) + F(3, 2) + 2 + 1)


def test_nested_tuplets() -> None:
    inner = tuplet(notes("d4 e4 f4", 8))
    text = score(
        bar(tuplet(note("c4") + inner + note("g4")) + notes("c4 e4"), notes("c3 g3 c3 g3")), bar(SCALE, SCALE), staves=2
    )
    assert onsets(text)[:7] == ["0", "2/3", "8/9", "10/9", "4/3", "2", "3"]
    assert onsets(text)[11] == "4"


@pytest.mark.parametrize(
    ("attributes", "onset"),
    [
        ('num="3" numbase="2"', "1"),
        ('num="3"', "1"),
        ("", "1"),
        ('num="5" numbase="4"', "6/5"),
        ('num="5"', "6/5"),
        ('num="2" numbase="3"', "9/4"),
        ('num="2"', "9/4"),
    ],
)
def test_a_tuplet_without_a_number_is_known_by_its_notes(attributes: str, onset: str) -> None:
    beam = f"<beam>{notes('c4 d4 e4', 8)}</beam>"
    assert onsets(score(bar(tuplet(beam, attributes) + note("f4"))))[3] == onset
    ids = "".join(note(pitch, 8, f'xml:id="{pitch}"') for pitch in ("c4", "d4", "e4")) + note("f4")
    span = f'<tupletSpan {attributes} startid="#c4" endid="#e4"/>'
    assert onsets(score(bar(ids, after=span)))[3] == onset


def test_two_notes_without_a_number_are_a_duplet_or_nothing() -> None:
    text = score(bar(tuplet(notes("c4 d4", 8), "") + note("f4")), definition='meter.count="6" meter.unit="8"')
    assert onsets(text) == ["0", "3/4", "3/2"]
    with pytest.raises(EngravingError, match="bar 1, a tuplet without num"):
        read_mei(text.replace('meter.count="6"', 'meter.count="4"'))


def test_tuplets_by_spans_and_attributes() -> None:
    """Over the edge of a beam, by tstamp (of the end or of the last note), nested, and by the attribute tuplet."""
    beams = f"<beam>{notes('c4 d4', 8)}</beam><beam>{notes('e4 f4', 8)}</beam>"
    named = beams.replace('pname="c"', 'xml:id="a" pname="c"').replace('pname="e"', 'xml:id="b" pname="e"')
    assert onsets(score(bar(named, after='<tupletSpan num="3" numbase="2" startid="#a" endid="#b"/>'))) == [
        "0",
        "1/3",
        "2/3",
        "1",
    ]
    for end in ("2", "1.667"):
        span = f'<tupletSpan num="3" numbase="2" staff="1" tstamp="1" tstamp2="0m+{end}"/>'
        assert onsets(score(bar(beams, after=span))) == ["0", "1/3", "2/3", "1"]
    marked = "".join(note("c4", 8, f'tuplet="{mark}"') for mark in ("i1", "m1", "t1")) + note("d4")
    assert onsets(score(bar(marked))) == ["0", "1/3", "2/3", "1"]
    chords = f'<chord xml:id="a" dur="8">{note("c4", "")}</chord>' + note("d4", 8) + note("e4", 8, 'xml:id="b"') + note("f4")
    assert onsets(score(bar(chords, after='<tupletSpan num="3" numbase="2" startid="#a" endid="#b"/>')))[-1] == "1"
    with pytest.raises(EngravingError, match="bar 1, a tupletSpan without its notes"):
        read_mei(score(bar(marked, after='<tupletSpan num="3" startid="#x" endid="#y"/>')))


def test_grace_notes_take_no_time() -> None:
    grace = note("b4", 8, 'grace="acc"') + f"<graceGrp>{note('b4', 8)}</graceGrp>"
    grace += f'<chord dur="8" grace="acc">{note("b4", "")}</chord>'
    assert read(score(bar(grace + note("c4") + grace + note("d4")))) == [(F(0), F(1), 60), (F(1), F(1), 62)]


# --- bars


@pytest.mark.parametrize(
    ("first", "second", "more", "length"),
    [
        (note("c4"), "<mRest/>", "", "4"),
        (note("c4"), "<mSpace/>", "", "1"),
        (note("c4"), '<space dur="2"/>', "", "2"),
        (note("c4"), "<mRest/>", 'metcon="false"', "1"),
        (note("c4", 1) + note("c4"), "<mRest/>", "", "5"),
    ],
)
def test_the_length_of_a_bar(first: str, second: str, more: str, length: str) -> None:
    full = bar(SCALE, SCALE)
    text = score(full, bar(first, second, more=more), full, staves=2)
    assert str(read_mei(text)[1].bars[1].length) == length
    assert onsets(text)[-1] == str(4 + F(length) + 3)


EMPTY = ("", "<mSpace/>", note("c4", 8, 'grace="acc"'), "<clef shape='G' line='2'/>")


@pytest.mark.parametrize("content", EMPTY)
@pytest.mark.parametrize("meter", [(4, 4), (3, 8)])
def test_a_bar_in_which_nothing_takes_time_is_full(content: str, meter: tuple[int, int]) -> None:
    """For the file's own arithmetic and on the sheet."""
    count, unit = meter
    length = 4 * count / unit
    full = bar(notes("c4 d4 e4 f4"[: 3 * count - 1], unit))
    text = score(full, bar(content), full, definition=f'meter.count="{count}" meter.unit="{unit}"')
    assert read_mei(text)[1].bars[1].length == length
    assert notes_of(engraved("x.mei", text))[count] == (2 * length, 60)


def test_a_bar_without_a_staff_takes_no_time() -> None:
    text = score(bar(SCALE), "<measure/>", bar(SCALE))
    assert notes_of(engraved("x.mei", text))[4] == (4, 60)


@pytest.mark.parametrize(
    ("before", "content", "length"),
    [("c4 d4", "<mRest/>", "2"), ("c4 d4", "", "2"), ("c4", "<mRest/>", "3"), ("c4 d4 e4 f4", "<mRest/>", "4")],
)
def test_an_incomplete_bar_of_rests_is_what_the_bar_before_lacks(before: str, content: str, length: str) -> None:
    full, short = bar(SCALE, SCALE), 'metcon="false"'
    divided = bar(notes(before), "<mRest/>", more=short), bar(content, content, more=short)
    text = score(full, *divided, full, staves=2)
    assert str(read_mei(text)[1].bars[2].length) == length
    end = 4 + len(before.split()) + int(length)
    assert notes_of(engraved("x.mei", text, TWO))[-4] == (end, 60)


HALF, QUARTER, RESTS = notes("c4 d4"), note("c4"), "<mRest/>"


@pytest.mark.parametrize(
    ("bars", "lengths"),
    [
        ([(HALF, 'right="rptend"'), (HALF, "")], "4 2 2 4"),
        ([(HALF, 'right="dbl"'), (SCALE, "")], "4 2 4 4"),
        ([(HALF, ""), (SCALE, 'left="rptstart"')], "4 2 4 4"),
        ([(SCALE, 'right="rptend"'), (QUARTER, "")], "4 4 1 4"),
        ([(HALF, ""), (HALF, "")], "4 2 2 4"),
        ([(QUARTER, ""), (notes("c4 d4 e4"), "")], "4 1 3 4"),
        ([(SCALE, ""), (HALF, "")], "4 4 4 4"),
        ([(QUARTER, ""), (HALF, "")], "4 4 4 4"),
        ([(HALF, 'right="dashed"'), (SCALE, "")], "4 4 4 4"),
        ([(HALF, 'metcon="true" right="dbl"'), (SCALE, "")], "4 4 4 4"),
    ],
)
def test_rests_beside_an_incomplete_bar_are_as_short(bars: list[tuple[str, str]], lengths: str) -> None:
    """At a repeat sign, double bar or final bar line, and where two bars add up to one; else the bar is full."""
    full = bar(SCALE, SCALE)
    divided = [bar(music, RESTS, more=more) for music, more in bars]
    text = score(full, *divided, full, staves=2)
    assert " ".join(str(bar.length) for bar in read_mei(text)[1].bars) == lengths
    end = sum(map(int, lengths.split()[:-1]))
    assert notes_of(engraved("x.mei", text, TWO))[-4] == (end, 60)
    last = score(full, bar(HALF, RESTS), staves=2)
    assert read_mei(last)[1].bars[-1].length == 2


def test_rests_of_several_bars_are_written_out() -> None:
    rest = '<multiRest num="3"/>'
    text = score(bar(SCALE, SCALE), bar(rest, rest, more='n="2" right="rptend"'), bar(SCALE, SCALE), staves=2)
    mei, reading = read_mei(text)
    assert [bar.name for bar in reading.bars][1:4] == ["2", "3", "4"]
    assert onsets(text)[-1] == str(4 + 12 + 3)
    assert ['right="rptend"' in measure for measure in mei.split("<measure")[1:]] == [False, False, False, True, False]
    with pytest.raises(EngravingError, match="bar 2: a rest of '0' bars"):
        read_mei(text.replace('num="3"', 'num="0"'))


def test_a_pickup_is_as_short_as_its_notes() -> None:
    text = score(bar(note("c4"), "<mRest/>"), bar(SCALE, SCALE), staves=2)
    assert onsets(text)[:2] == ["0", "1"]
    assert 'metcon="false"' in read_mei(text)[0]


def test_meters() -> None:
    changes = [
        '<scoreDef meter.count="3+2" meter.unit="8"/>',
        '<scoreDef><meterSigGrp func="mixed"><meterSig count="3" unit="8"/><meterSig count="2" unit="4"/></meterSigGrp>'
        "</scoreDef>",
        '<scoreDef meter.sym="cut"/>',
        '<staffDef n="1"><meterSig count="3" unit="4"/></staffDef>',
    ]
    text = score(bar(SCALE), *(change + bar("<mRest/>") for change in changes))
    bars = read_mei(text)[1].bars
    assert [bar.meter for bar in bars] == [(4, 4), (5, 8), (7, 8), (2, 2), (3, 4)]
    assert [str(bar.length) for bar in bars] == ["4", "5/2", "7/2", "4", "3"]


@pytest.mark.parametrize("group", [False, True])
def test_a_time_signature_in_a_layer(group: bool) -> None:
    """At the beginning of the layer it is that of the bar, at its end that of the next one, each on its own staff."""
    parts = '<meterSig count="2" unit="4"/><meterSig count="1" unit="4"/>'
    sign = f'<meterSigGrp func="mixed">{parts}</meterSigGrp>' if group else '<meterSig count="3" unit="4"/>'
    clef, short, two = '<clef shape="G" line="2"/>', bar("<mRest/>", "<mRest/>"), bar(SCALE, SCALE)
    three = bar(notes("c4 d4 e4"), notes("e3 d3 c3"))
    for texts in (
        [two, bar(clef + sign + "<mRest/>", sign + "<mRest/>"), three],
        [bar(SCALE + sign, SCALE + sign), short, three],
        [bar(SCALE, SCALE + sign), bar(sign + "<mRest/>", "<mRest/>"), three],
    ):
        text = score(*texts, staves=2)
        assert [(bar.length, bar.meter) for bar in read_mei(text)[1].bars] == [(4, (4, 4)), (3, (3, 4)), (3, (3, 4))]
        assert notes_of(engraved("x.mei", text, TWO))[-2:] == [(9, 48), (9, 64)]


# --- ties


def test_ties_by_attribute() -> None:
    first = note("c5", 2, 'tie="i"') + note("c5", 4, 'tie="m"') + note("c5", 4, 'tie="i"')
    chords = "".join(f'<chord dur="2" tie="{tie}">{notes("e4 g4", "")}</chord>' for tie in "it")
    text = score(bar(first + "|" + chords), bar(note("c5", 4, 'tie="t"') + note("d5") + note("d5", 2, 'tie="t"')))
    assert heard(text) == [(0, 4, 64), (0, 4, 67), (0, 3, 72), (3, 5, 72), (5, 6, 74), (6, 8, 74)]


def test_ties_by_element() -> None:
    """By ids of notes or chords and by tstamp; not to another pitch, and not without an end."""
    chords = "".join(f'<chord xml:id="{name}" dur="2">{notes("e4 g4", "")}</chord>' for name in "xy")
    ties = '<tie startid="#x" endid="#y"/><tie staff="1" layer="2" tstamp="4" tstamp2="1m+1"/><tie startid="#y"/>'
    text = score(bar(f"{chords}|{notes('c5 c5 c5 c5')}", after=ties), bar(note("e4", 1) + "|" + note("c5", 1)))
    assert [note for note in heard(text) if note[2] != 72] == [(0, 4, 64), (0, 4, 67), (4, 8, 64)]
    assert [note for note in heard(text) if note[2] == 72] == [(0, 1, 72), (1, 2, 72), (2, 3, 72), (3, 8, 72)]
    hanging = '<tie startid="#a" tstamp2="0m+5"/>'
    assert len(heard(score(bar(note("c4", 1, 'xml:id="a"'), after=hanging), bar(note("c4", 1))))) == 2
    slurred = note("c4", 4, 'xml:id="a"') + note("d4", 4, 'xml:id="b"')
    assert len(heard(score(bar(slurred, after='<tie startid="#a" endid="#b"/>')))) == 2
