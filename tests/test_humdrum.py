"""Humdrum by its own arithmetic: small texts for each feature, and the engraver's timing of real files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from humdrum_tools import bars, kern

from score_following_game.data_preparation.engraving.humdrum.arithmetic import read_humdrum
from score_following_game.data_preparation.engraving.importing import import_score
from score_following_game.data_preparation.engraving.silent import UNPITCHED
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_preparation.engraving.verovio.mei import clean_mei
from score_following_game.data_preparation.errors import EngravingError


def pitches(text: str) -> list[tuple[float, float, int]]:
    """(onset, duration, pitch) of the notes of the first bar."""
    return [(float(note.onset), float(note.duration), note.pitch) for note in bars(text)[0].notes if note.pitch is not None]


@pytest.mark.parametrize(
    ("token", "duration", "pitch", "alter"),
    [
        ("4c", 1.0, 60, 0),
        ("4cc", 1.0, 72, 0),
        ("4C", 1.0, 48, 0),
        ("4CC#", 1.0, 37, 1),
        ("8..B--\\L", 0.875, 57, -2),
        ("(4A.-X/", 1.5, 56, -1),  # the dot and the flat apart from their number and letter
        ("8e\\-", 0.5, 63, -1),
        ("0gn", 8.0, 67, 0),
        ("00g", 16.0, 67, 0),
        ("3%2f", 8 / 3, 65, 0),
        ("12d", 1 / 3, 62, 0),
    ],
)
def test_tokens(token: str, duration: float, pitch: int, alter: int) -> None:
    (note,) = bars(kern(token))[0].notes
    assert (float(note.duration), note.pitch, note.alter) == pytest.approx((duration, pitch, alter))
    assert note.id == "note-L2F1" and note.staff == 1


def test_a_note_without_a_definite_pitch_costs_that_note() -> None:
    text = kern(*["4c"] * 4, "=2", "4d", "4dR", "4e", "4f", "=3", *["4c"] * 4)
    assert [float(bar.lost[0].onset) for bar in bars(text) if bar.lost] == [1]


def test_a_part_without_definite_pitches_is_no_mistake_of_the_file() -> None:
    """Its notes are lost from its own staff; another part can be played."""
    _, reading = read_humdrum(kern('*I"Drum *I"Flute', "4R 4c", "4Re 4d", "4R 4e", "4R 4f"))
    assert [(note.silent, note.staff) for note in reading.bars[0].lost] == [(UNPITCHED, 2)] * 4
    with pytest.raises(EngravingError, match="3 more such mistakes"):
        read_humdrum(kern("4h 4c", "4h 4d", "4h 4e", "4h 4f"))


@pytest.mark.parametrize("token", ["4dTR", "4d#tR", "4dMR", "4dSR", "4RdO", "4dTR&4fTR", "[4dTR"])
def test_a_turn_at_the_end_of_an_ornament_costs_nothing(token: str) -> None:
    text = kern("*clefG2", "*M4/4", "4c", token, "4e", "4f", "=2", *["4c"] * 4, "==")
    mei, reading = import_score(Path("x.krn"), text)
    piece = engrave(clean_mei(mei, STYLES["nottingham"]), STYLES["nottingham"], reading, 100.0)
    assert not piece.unshown and next(note.pitch for note in piece.notes if note.onset == 1) == 62 + ("#" in token)


def test_chords_rests_and_grace_notes() -> None:
    text = kern("4c&4e&2g 2r", "8qd&8f .", "qqd .", "4d .")
    ids = [(note.id, note.staff, note.pitch, float(note.onset), float(note.duration)) for note in bars(text)[0].notes]
    assert ids == [
        ("note-L2F1S1", 2, 60, 0, 1),
        ("note-L2F1S2", 2, 64, 0, 1),
        ("note-L2F1S3", 2, 67, 0, 1),  # a chord has one stem, and the duration of its first note
        ("mrest-L2F2", 1, None, 0, 2),
        ("note-L5F1", 2, 62, 1, 1),
    ]


def test_ties() -> None:
    text = kern("[4c", "4c_", "=2", "4c]", "4c", "[4d", "4e]", "4d]")
    assert [note.tied_to for bar in bars(text) for note in bar.notes] == ["", "note-L2F1", "note-L3F1", "", "", "", ""]


@pytest.mark.parametrize("first", ["[4c", "."])
def test_unisons_of_one_staff_have_a_tie_each(first: str) -> None:
    """They begin together or one after the other, and end together."""
    text = kern("*^", "[2c 4e" if first == "." else "4c 4e", f"{first} [4c", "=2 =2", "4c] 4c]", "4d 4e")
    tied = [note.tied_to for note in bars(text)[1].notes][:2]
    assert len(set(tied)) == 2 and all(tied)


def test_a_tie_goes_on_in_another_voice_of_its_staff() -> None:
    text = kern("*^", "4c [4e", "*v *v", "=2", "4e]")
    assert [note.tied_to for bar in bars(text) for note in bar.notes] == ["", "", "note-L3F2"]


def test_spines_split_join_and_change_places() -> None:
    text = kern("*^ *", "4c 2e 2g", "4d . .", "*v *v *", "*x *x", "4a 4f").replace("**kern\t**kern\t**kern", "**kern\t**kern")
    assert [(note.pitch, note.staff, float(note.onset)) for note in bars(text)[0].notes] == [
        (60, 2, 0), (64, 2, 0), (67, 1, 0), (62, 2, 1), (69, 1, 2), (65, 2, 2),
    ]  # fmt: skip


def test_of_several_versions_the_first_is_drawn_and_played() -> None:
    versions = ["*^", "*strophe *strophe", "*S/fin *S/orig", "4e 8g", ". 8a", "[4f 4b", "*Xstrophe *Xstrophe", "*v *v"]
    rows = [
        "**kern",
        "*clefG2",
        "*M4/4",
        "=1",
        "4c",
        "4d",
        *versions,
        "=2",
        "4f]",
        "4d",
        "*^",
        "2e 2c",
        "*v *v",
        "==",
        "*-",
        "",
    ]
    mei, reading = import_score(Path("x.krn"), "\n".join(rows).replace(" ", "\t"))
    piece = engrave(clean_mei(mei, STYLES["nottingham"]), STYLES["nottingham"], reading, 100.0)
    played = [(float(note.onset), note.pitch) for note in piece.notes]
    assert played == [(0, 60), (1, 62), (2, 64), (3, 65), (5, 62), (6, 60), (6, 64)] and piece.unshown == {}


def test_other_spines_are_not_music() -> None:
    text = "**kern\t**dynam\t**kern\t**text\n4c\tp\t4e\tla\n.\tf\t.\t.\n4d\t.\t4f\t.\n*-\t*-\t*-\t*-\n"
    assert [(note.id, note.staff) for note in bars(text)[0].notes] == [
        ("note-L2F1", 2), ("note-L2F3", 1), ("note-L4F1", 2), ("note-L4F3", 1),
    ]  # fmt: skip


def test_bars() -> None:
    text = kern("*M3/4", "4c", "=1", "2.d", "=2", "=:|!", "4e", "=-", "2e", "=3||", "*M2/4", "2f", "==")
    assert [(bar.name, float(bar.length), bar.meter) for bar in bars(text)] == [
        ("0", 1, (3, 4)), ("1", 3, (3, 4)), ("2", 1, (3, 4)), ("2", 2, (3, 4)), ("3", 2, (2, 4)),
    ]  # fmt: skip


def test_an_invisible_bar_line_in_a_note_is_none() -> None:
    text = kern("2c 4e", "=2- =2-", ". 4f", "=3 =3", "4c 4e")
    prepared, reading = read_humdrum(text)
    assert [float(bar.length) for bar in reading.bars] == [2, 1]
    assert prepared.split("\n")[2] == "!\t!"
    with pytest.raises(EngravingError, match="line 3: a bar line in the middle of a note"):
        bars(text.replace("=2-", "=2"))


def test_tempi() -> None:
    text = kern("*MM90", "4c", "*MM120", "4d", "=2", "*MM60.5", "4e")
    assert [bar.tempi for bar in bars(text)] == [((0, 90.0), (1, 120.0)), ((0, 60.5),)]
    marked = "!!!OMD: Allegro [half-dot=40]\n" + kern("4c")
    assert bars(marked)[0].tempi == ((0, 120.0),)
    assert bars(marked.replace("4c", "*MM80\n4c"))[0].tempi == ((0, 80.0),)


@pytest.mark.parametrize(
    ("lines", "tempi"),
    [
        (["{60}", "", "", "*MM90"], [(0, 120), (4, 90)]),
        (["", "*MM90", "", "{60}"], [(0, 90), (4, 120)]),
        (["{60}", "*MM90", "{40}", ""], [(0, 90), (4, 80)]),
        (["", "{60}", "{40}", "*MM90"], [(0, 120), (4, 90)]),
        (["", "{60}", "", "*MM90\n{40}"], [(0, 120), (4, 90)]),
        (["", "", "", "*MM90", "{60}"], [(0, 120), (4, 90)]),
        (["", "", "", "", "{60}"], [(0, 120)]),
    ],
    ids=["mark first", "mark last", "mark, then both", "both", "both, mark second", "mark after the music", "nothing else"],
)
def test_marks_and_interpretations_hold_until_the_next_tempo(lines: list[str], tempi: list[tuple[float, float]]) -> None:
    """The lines stand at the top, before bar 1, at its end, in bar 2, and at the end of the file."""
    top, first, before, second, end = [*lines, ""][:5]
    rows = [top, "**kern", first, "=1", *["4c"] * 4, before, "=2", second, *["4d"] * 4, "==", "*-", end]
    text = "\n".join(row for row in rows if row)
    reading = read_humdrum(re.sub(r"\{(\d+)\}", r"!!!OMD: Allegro [half]=\1", text) + "\n")[1]
    assert reading.tempo_map(range(2)) == tempi


@pytest.mark.parametrize(
    ("mark", "tempo"),
    [
        ("M.M. [dotted-half]= 50.", 150),
        ("[half note] = ca. 84.", 168),
        ("([quarter-dot]=69.)", 103.5),
        ("eighth = 100", 50),
        ("[half] = 60-66", 120),
        ("[quarter = 60-66]", 60),
        ("[quarter=c 60]", 60),
        ("[quarter] = circa 60", 60),
        ("[half] = [quarter], [quarter] = 90", 90),
        ("[half]=[quarter]=60", 60),
    ],
)
def test_how_marks_name_their_notes(mark: str, tempo: float) -> None:
    assert bars(f"!!!OMD: Presto. {mark}\n" + kern("4c"))[0].tempi == ((0, tempo),)
    written = kern("4c").replace("4c", f"*MM{mark}\n4c")
    assert bars(written)[0].tempi == ((0, tempo),)


@pytest.mark.parametrize("text", ["*MM66", "*MM66.", "*MM=66", "*MM66-72"])
def test_how_a_number_is_written(text: str) -> None:
    assert bars(kern(text, "4c"))[0].tempi == ((0, 66.0),)


def test_a_groupetto_takes_no_time() -> None:
    prepared, reading = read_humdrum(kern("4c", "16dQ", "16e#Q", "4d"))
    assert [(note.onset, note.duration, note.pitch) for note in reading.bars[0].notes] == [(0, 1, 60), (1, 1, 62)]
    assert "16dq" in prepared


@pytest.mark.parametrize("text", ["*MM[Allegro]", "*MM[quarter=0]", "*MM[quarter=]", "*MM0", "*MMquarter"])
def test_words_are_no_tempo(text: str) -> None:
    assert bars(kern(text, "4c"))[0].tempi == ()


def test_an_instrument_is_read_as_it_sounds_and_written_as_it_reads() -> None:
    text = kern("*ITrd-1c-2", "4c", "4d-", "*ITrd0c0", "4c")
    assert [(note.pitch, note.alter) for note in bars(text)[0].notes] == [(60, -1), (61, -1), (60, 0)]


@pytest.mark.parametrize(
    ("clef", "instrument"), [("*clefGv2", "*ITrd7c12"), ("*clefFv4", "*ITrd7c12"), ("*clefG^2", "*ITrd-7c-12")]
)
def test_an_octave_that_clef_and_instrument_state_counts_once(clef: str, instrument: str) -> None:
    """Also where the clef comes later; an instrument alone, or with a clef of another column, is kept."""
    for lines in ([clef, instrument], [instrument, clef], [instrument, "4d", clef]):
        assert "ITr" not in read_humdrum(kern(*lines, "4c"))[0]
    assert "ITr" in read_humdrum(kern(instrument, "*clefG2", "4c"))[0]
    assert "ITr" in read_humdrum(kern(f"{clef} {instrument}", "4c 4c"))[0]
    assert "ITr" in read_humdrum(kern(clef, "*ITrd1c2", "4c"))[0]
