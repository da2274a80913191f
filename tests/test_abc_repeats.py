"""The order in which the bars of an ABC tune are played: repeats, endings, parts and jumps."""

from __future__ import annotations

import re

import pytest

from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_preparation.engraving.abc.fields import quarter_tempo
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.reading import reading_of
from score_following_game.data_preparation.engraving.abc.repeats import tune_in_order
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, Tune, read_tune_book
from score_following_game.data_preparation.engraving.playing import WHOLE, Playing
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.engraving.verovio.layout import bar_order
from score_following_game.data_preparation.errors import EngravingError

WRITTEN = Playing(repeats="written")
# One bar for each letter.
A, B, C, D, E = "CDEF", "DEFG", "EFGA", "FGAB", "GABc"


def tune_of(music: str, header: str = "") -> Tune:
    (tune,) = read_tune_book(f"X:1\nT:a\nM:4/4\nL:1/4\n{header}K:C\n{music}\n")
    return tune


def order(music: str, header: str = "", playing: Playing = WRITTEN) -> list[int]:
    return bar_order(tune_in_order(tune_of(music, header), playing)[0])


@pytest.mark.parametrize(
    ("music", "names", "listed", "expected"),
    [
        (f"{A}|{B}|", "1 2", "1-2,1", [0, 1, 0]),
        (f"G|{A}|{B}|", "0 1 2", "0-1,1-2", [0, 1, 1, 2]),  # an upbeat
        (f"G|:{A}|C3:|G|{B}|", "0 1 2 2 3", "0-2,1-2b,2a", [0, 1, 2, 3, 1, 2, 3, 2]),  # a repeat within a bar
        (f"CD[K:G]EF|{B}||GA|Bc|", "1 1 2 3 4", "1,2-3", [0, 1, 2, 3]),  # half bars between plain bar lines are bars
        (f"|:{A}|1 C2:|2 D2||{B}|", "1 2 3 4", "1-2,1,3-4", [0, 1, 0, 2, 3]),
    ],
)
def test_bars_are_numbered_as_they_are_counted_on_paper(music: str, names: str, listed: str, expected: list[int]) -> None:
    _, reading = tune_in_order(tune_of(music), Playing(bars=listed))
    assert " ".join(bar.name for bar in reading.bars) == names
    assert order(music, playing=Playing(bars=listed)) == expected


@pytest.mark.parametrize(
    ("music", "expected"),
    [
        (f"{A}|{B}|]", [0, 1]),
        (f"|:{A}:|{B}|]", [0, 0, 1]),
        (f"{A}||{B}|{C}:|{D}|]", [0, 1, 2, 1, 2, 3]),  # without a sign the repeat begins at the last double bar
        (f"{A}|]{B}|{C}||{D}:|]", [0, 1, 2, 3, 3]),
        (f"|:{A}||{B}:|{C}|]", [0, 1, 0, 1, 2]),
        (f"{A}[|]{B}:|{C}|]", [0, 1, 0, 1, 2]),  # an invisible bar line
        (f"{A}||{B}|1{C}:|2{D}||{E}:|", [0, 1, 2, 1, 3, 4, 4]),
        (f"{A}||{B}|1{C}|2{D}|]", [0, 1, 2, 1, 3]),
        (f"{A}||[1{B}:|[2{C}||{D}|]", [0, 1, 0, 2, 3]),
        (f"{A}:|{B}||{C}|:{D}:|", [0, 0, 1, 2, 3, 3]),
        (f"{A}|{B}:|{C}|]", [0, 1, 0, 1, 2]),
        (f"|:{A}::{B}:|", [0, 0, 1, 1]),
        (f"|:{A}:|:{B}:|", [0, 0, 1, 1]),
        (f"[|:{A}:|][|:{B}:|]", [0, 0, 1, 1]),
        (f"|::{A}::|{B}|]", [0, 0, 0, 1]),
        (f"|:{A}|1{B}:|2{C}|]{D}|]", [0, 1, 0, 2, 3]),
        (f"|:{A}|[1{B}:|[2{C}||{D}|]", [0, 1, 0, 2, 3]),
        (f"|:{A}|[1,3 {B}:|[2 {C}:|{D}|]", [0, 1, 0, 2, 0, 1, 3]),
        (f'|:{A}|["first"{B}:|["last"{C}|]', [0, 1, 0, 2]),
        (f"{A}|{B}!fine!|{C}|{D}!D.C.!|]", [0, 1, 2, 3, 0, 1]),
        (f"{A}|!segno!{B}|{C} !fine!|{D}!D.S.alfine!|]", [0, 1, 2, 3, 1, 2]),
        (f"{A}|{B}!coda!|{C}!D.C.!|!coda!{D}|]", [0, 1, 2, 0, 1, 3]),
        (f"{A}|{B}|!coda!{C}!D.C.alcoda!|!coda!{D}|]", [0, 1, 2, 0, 1, 3]),
        (f"{A}|{B}+dacoda+|{C}+dacapo+|+coda+{D}|]", [0, 1, 2, 0, 1, 3]),
    ],
)
def test_bars_are_laid_down_as_they_sound(music: str, expected: list[int]) -> None:
    assert order(music) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [("AB", [0, 0, 1]), ("AABA", [0, 0, 0, 0, 1, 0, 0]), ("A.B2", [0, 0, 1, 1]), ("(BA)2", [1, 0, 0, 1, 0, 0]), ("B", [1])],
)
def test_parts_are_played_in_the_order_of_the_header(parts: str, expected: list[int]) -> None:
    assert order(f"P:A\n|:{A}:|\nP:B\n{B}|]", f"P:{parts}\n") == expected
    assert order(f"[P:A]|:{A}:|[P:B]{B}|]", f"P:{parts}\n") == expected


@pytest.mark.parametrize(("parts", "reason"), [("AC", "part C"), ("A(B", "cannot read"), ("(A99B99)99", "too long")])
def test_an_order_of_parts_that_leads_nowhere_is_refused(parts: str, reason: str) -> None:
    with pytest.raises(AbcError, match=re.escape(reason)):
        order(f"P:A\n{A}|\nP:B\n{B}|]", f"P:{parts}\n")


def test_a_jump_without_its_sign_is_refused() -> None:
    with pytest.raises(EngravingError, match="jump"):
        order(f"{A}|{B}!D.S.!|]")


def test_bars_can_be_chosen() -> None:
    assert order(f"|:{A}|1{B}:|2{C}|]", playing=Playing(bars="3,1-2,1")) == [2, 0, 1, 0]


def test_all_notes_sound_in_the_order_of_the_bars() -> None:
    _, reading = tune_in_order(tune_of("|:CDE-E|1 FGAB:|2 B2c2|]"), WRITTEN)
    notes = reading.sounding([0, 1, 0, 2])
    assert [note.pitch for note in notes] == [60, 62, 64, 65, 67, 69, 71, 60, 62, 64, 71, 72]
    assert [float(note.onset) for note in notes][-3:] == [10, 12, 14]


def test_tempo_changes_are_played_where_they_stand() -> None:
    tune = tune_of(f"{A}|CD[Q:1/4=60]EF|\nQ:120\n{B}|]", "Q:1/4=100\n")
    reading = reading_of(read_melody(tune), quarter_tempo(tune))
    assert reading.tempo_map([0, 1, 2]) == [(0, 100.0), (6, 60.0), (8, 120.0)]


def engrave_text(tmp_path, text: str, playing: Playing):
    (tmp_path / "a.abc").write_text(text)
    (source,) = find_sources([tmp_path / "a.abc"])
    return engrave_source(source, STYLES["nottingham"], playing=playing)[0]


def test_a_tune_is_engraved_with_its_repeats(tmp_path) -> None:
    text = f"X:1\nT:a\nM:4/4\nL:1/4\nQ:1/4=120\nK:G\n|:{A}|1{B}:|2{C}|]\n"
    once, written = (engrave_text(tmp_path, text, playing) for playing in (WHOLE, WRITTEN))
    assert (len(once.notes), len(written.notes)) == (8, 16)
    assert written.seconds == pytest.approx(2 * once.seconds, abs=0.01)
    assert written.score.sheet.shape[1] > 1.5 * once.score.sheet.shape[1]


def test_a_voice_is_chosen_and_the_piano_is_refused(tmp_path) -> None:
    text = f"X:1\nM:4/4\nL:1/4\nV:1\nV:2 name=Bass\nK:C\n[V:1]{A}|{B}|]\n[V:2]{C}|{D}|]\n"
    for part in ("2", "bass"):
        assert engrave_text(tmp_path, text, Playing(part=part, repeats="written")).notes[0].pitch == 64
    assert engrave_text(tmp_path, text, Playing(part="1")).notes[0].pitch == 60
    with pytest.raises(EngravingError, match="no such part"):
        engrave_text(tmp_path, text, Playing(part="piano"))


def test_a_part_that_begins_within_a_beam_leaves_the_beam_whole() -> None:
    tune = tune_of("CD E/F/\\\nP:B\nG/A/|")
    assert [event.new_beam for event in read_melody(tune).measures[0].events] == [True, False, True, False, False, False]


@pytest.mark.parametrize("music", ["^F2 [P:B]F2|F4|", "^F2 [1 F2:|[2 F4|", "^F2 [M:4/4]F2|F4|"])
def test_accidentals_hold_to_the_bar_line_where_a_part_or_an_ending_begins_within_the_bar(music: str) -> None:
    _, reading = tune_in_order(tune_of(music), WRITTEN)
    assert [note.pitch for bar in reading.bars for note in bar.notes] == [66, 66, 65]
