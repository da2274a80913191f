"""Time signatures of MEI that hold in turn, and whole-bar rests, which are as long as the one whose turn it is."""

from __future__ import annotations

import pytest
from engraving_tools import ONE, TWO, engraved, notes_of
from mei_tools import bar, notes, score

from score_following_game.data_preparation.errors import EngravingError

THREE, TWO_BEATS, REST = notes("c5 d5 e5"), notes("f5 g5"), "<mRest/>"


def meters(*pairs: tuple[int, int], func: str = "alternating") -> str:
    signs = "".join(f'<meterSig count="{count}" unit="{unit}"/>' for count, unit in pairs)
    return f'<scoreDef><meterSigGrp func="{func}">{signs}</meterSigGrp></scoreDef>'


GROUP, FOUR = meters((3, 4), (2, 4)), '<scoreDef meter.count="4" meter.unit="4"/>'


@pytest.mark.parametrize(
    ("bars", "onsets"),
    [
        ([GROUP, bar(THREE), bar(REST), bar(THREE), bar(TWO_BEATS)], [0, 1, 2, 5, 6, 7, 8, 9]),
        ([GROUP, bar(THREE), bar("<mSpace/>"), bar(THREE), bar(TWO_BEATS)], [0, 1, 2, 5, 6, 7, 8, 9]),
        ([GROUP, bar(THREE), bar('<multiRest num="2"/>'), bar(TWO_BEATS), bar(THREE)], [0, 1, 2, 8, 9, 10, 11, 12]),
        ([GROUP, bar(notes("c5"), more='metcon="false"'), bar(THREE), bar(REST), bar(THREE)], [0, 1, 2, 3, 6, 7, 8]),
        (
            [GROUP, bar(THREE), bar(REST), '<scoreDef meter.count="4" meter.unit="4"/>', bar(REST), bar(THREE)],
            [0, 1, 2, 9, 10, 11],
        ),
    ],
)
def test_whole_bar_rests_last_as_long_as_the_meter_in_turn(bars: list[str], onsets: list[float]) -> None:
    assert [onset for onset, _ in notes_of(engraved("x.mei", score(*bars), ONE))] == onsets


def test_a_rest_of_one_hand() -> None:
    bars = bar(THREE, notes("c3 d3 e3")), bar(REST, notes("f3 g3")), bar(THREE, REST)
    assert [onset for onset, _ in notes_of(engraved("x.mei", score(GROUP, *bars, staves=2), TWO))][6:] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "bars",
    [
        [meters((3, 4), (2, 4), func="interchanging"), bar(THREE), bar(REST), bar(THREE)],
        [GROUP, bar(THREE), bar(notes("f5"), more='metcon="false"'), bar(notes("g5")), bar(REST), bar(THREE)],
    ],
)
def test_no_clear_order_is_refused(bars: list[str]) -> None:
    with pytest.raises(EngravingError, match="no clear order of the meters"):
        engraved("x.mei", score(*bars), ONE)


def test_a_whole_bar_rest_needs_a_time_signature() -> None:
    with pytest.raises(EngravingError, match="a whole-bar rest without a time signature"):
        engraved("x.mei", score(bar(THREE), bar(REST), bar(THREE), definition=""), ONE)
