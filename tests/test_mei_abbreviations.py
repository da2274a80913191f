"""Abbreviations of MEI written out: repeated bars and beats, and tremolos."""

from __future__ import annotations

import pytest
from mei_tools import bar, heard, note, notes, read, score, timemap

from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei
from score_following_game.data_preparation.errors import EngravingError


def sounds(text: str) -> str:
    """Pitch@onset of the notes as they sound; the engraver must agree."""
    found = read(text)
    assert sorted((onset, pitch) for onset, _, pitch in timemap(read_mei(text)[0]).values()) == sorted(
        (onset, pitch) for onset, _, pitch in found
    )
    return " ".join(f"{pitch}@{float(onset):g}" for onset, _, pitch in found)


@pytest.mark.parametrize(
    ("bars", "result"),
    [
        (["<mRpt/>"], "60@0 62@2 64@4 65@6 64@8 65@10"),
        (["<mRpt/>", "<mRpt/>"], "60@0 62@2 64@4 65@6 64@8 65@10 64@12 65@14"),
        (["<mRpt2/>", "<mRest/>"], "60@0 62@2 64@4 65@6 60@8 62@10 64@12 65@14"),
        (['<multiRpt num="2"/>', ""], "60@0 62@2 64@4 65@6 60@8 62@10 64@12 65@14"),
        ([notes("c5", 2) + "<halfmRpt/>"], "60@0 62@2 64@4 65@6 72@8 72@10"),
        (["<halfmRpt/><halfmRpt/>"], "60@0 62@2 64@4 65@6 65@8 65@10"),  # of the bar before
        ([notes("c5") + "<beatRpt/><beatRpt/><beatRpt/>"], "60@0 62@2 64@4 65@6 72@8 72@9 72@10 72@11"),
        ([f"<beam>{notes('c5 d5', 8)}</beam><beatRpt/>"], "60@0 62@2 64@4 65@6 72@8 74@8.5 72@9 74@9.5"),
        ([f"<beam>{notes('c5 d5', 8)}<beatRpt/></beam>"], "60@0 62@2 64@4 65@6 72@8 74@8.5 72@9 74@9.5"),
        (
            [f'<tuplet num="3" numbase="2">{notes("c5 d5 e5", 8)}</tuplet><beatRpt/>'],
            "60@0 62@2 64@4 65@6 72@8 74@8.33333 76@8.66667 72@9 74@9.33333 76@9.66667",
        ),
    ],
)
def test_repeated_bars_and_beats(bars: list[str], result: str) -> None:
    assert sounds(score(bar(notes("c4 d4", 2)), bar(notes("e4 f4", 2)), *map(bar, bars))) == result


def test_a_beat_of_a_compound_meter_has_three_units() -> None:
    text = score(bar(notes("c4 d4 e4", 8) + "<beatRpt/>"), definition='meter.count="6" meter.unit="8"')
    assert sounds(text) == "60@0 62@0.5 64@1 60@1.5 62@2 64@2.5"


def test_ties_and_tuplets_within_what_is_repeated() -> None:
    """Also the accidentals hold in the copy as in the original; each staff repeats its own."""
    tied = note("c5s", 2, 'xml:id="a"') + note("c5", 4, 'xml:id="b"') + notes("d5 d5 d5", 8)
    controls = '<tie startid="#a" endid="#b"/><tupletSpan num="3" numbase="2" staff="1" tstamp="4" tstamp2="5"/>'
    text = score(bar(tied, notes("c3", 1), after=controls), bar("<mRpt/>", notes("d3", 1)), staves=2)
    assert [(float(onset), float(end)) for onset, end, pitch in heard(text) if pitch == 73] == [(0, 3), (4, 7)]
    assert [round(float(onset), 2) for onset, _, pitch in heard(text) if pitch == 74] == [3, 3.33, 3.67, 7, 7.33, 7.67]
    assert [pitch for _, _, pitch in heard(text) if pitch < 60] == [48, 50]


@pytest.mark.parametrize(
    ("content", "result"),
    [
        (note("c4", 4, 'stem.mod="1slash"'), "60@0 60@0.5"),
        (note("c4", 4, 'stem.mod="2slash"') + note("d4"), "60@0 60@0.25 60@0.5 60@0.75 62@1"),
        ("<bTrem>" + note("c4", 8, 'stem.mod="1slash"') + "</bTrem>", "60@0 60@0.25"),
        ('<bTrem unitdur="8">' + note("c4", 2, 'dots="1"') + "</bTrem>", "60@0 60@0.5 60@1 60@1.5 60@2 60@2.5"),
        (f'<bTrem unitdur="16"><chord dur="8">{notes("c4 e4", "")}</chord></bTrem>', "60@0 64@0 60@0.25 64@0.25"),
        (f'<fTrem unitdur="8">{notes("c4 d4", 2)}</fTrem>' + note("e4"), "60@0 62@0.5 60@1 62@1.5 64@2"),
        (f'<fTrem beams="1">{notes("c4 d4", 4)}</fTrem>', "60@0 62@0.5"),
        (note("c4", 4, 'stem.mod="none"') + note("d4", 4, 'stem.mod="z"'), "60@0 62@1"),
        (f'<bTrem unitdur="3">{note("c4")}</bTrem>', "60@0"),
    ],
)
def test_tremolos(content: str, result: str) -> None:
    assert sounds(score(bar(content))) == result
    assert "slash" not in read_mei(score(bar(content)))[0]


def test_a_tie_goes_on_from_the_last_stroke() -> None:
    text = score(
        bar(note("c4", 2, 'xml:id="a" stem.mod="1slash"') + note("c4", 2, 'xml:id="b"'), after='<tie startid="#a" endid="#b"/>')
    )
    by_attribute = score(bar(note("c4", 2, 'tie="i" stem.mod="1slash"') + note("c4", 2, 'tie="t"')))
    for tied in (text, by_attribute):
        assert [(float(onset), float(end)) for onset, end, _ in heard(tied)] == [(0, 0.5), (0.5, 1), (1, 1.5), (1.5, 4)]


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        (["<mRpt2/>"], "bar 2, staff 1: mRpt2 with nothing to repeat"),
        (["<beatRpt/>"], "bar 2, staff 1: beatRpt does not follow 1 quarters of music"),
        ([note("c4", 2) + "<beatRpt/>"], "bar 2, staff 1: beatRpt does not follow"),
        (["<mRest/><halfmRpt/>"], "bar 2, staff 1: halfmRpt does not follow"),
        ([f"<fTrem>{note('c4')}</fTrem>"], "bar 2, a tremolo of 1 notes"),
        (['<multiRpt num="0"/>'], "bar 2, multiRpt with num='0'"),
    ],
)
def test_reasons(bars: list[str], message: str) -> None:
    with pytest.raises(EngravingError) as refused:
        read_mei(score(bar(notes("c4 d4", 2)), *map(bar, bars)))
    assert message in refused.value.detail
