"""Humdrum by its own arithmetic: small texts for each feature, and the engraver's timing of real files."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import engraving_tools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.humdrum.arithmetic import read_humdrum
from score_following_game.data_preparation.engraving.humdrum.order import expansion, repeat_marks
from score_following_game.data_preparation.engraving.importing import import_score
from score_following_game.data_preparation.engraving.order import written_order
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.read_bar import ReadBar
from score_following_game.data_preparation.engraving.reading import LENGTH, Reading
from score_following_game.data_preparation.engraving.silent import NO_PITCH, UNPITCHED
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_preparation.engraving.verovio.layout import bar_order
from score_following_game.data_preparation.engraving.verovio.mei import clean_mei
from score_following_game.data_preparation.errors import EngravingError

Sound = tuple[str, Fraction, Fraction, int]


def kern(*lines: str) -> str:
    """A text with one spine for each field of the first line; "&" stands for the space in a chord."""
    rows = [" ".join("**kern" for _ in lines[0].split()), *lines, " ".join("*-" for _ in lines[-1].split())]
    return "".join(row.replace(" ", "\t").replace("&", " ") + "\n" for row in rows)


def bars(text: str) -> tuple[ReadBar, ...]:
    return read_humdrum(text)[1].bars


def pitches(text: str) -> list[tuple[float, float, int]]:
    """(onset, duration, pitch) of the notes of the first bar."""
    return [(float(note.onset), float(note.duration), note.pitch) for note in bars(text)[0].notes if note.pitch is not None]


def engraved(text: str) -> tuple[list[str], list[Sound]]:
    """What verovio makes of a text: ids of its measures, and (id, onset, duration, pitch) of its notes."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    importer, player = verovio.toolkit(), verovio.toolkit()
    importer.setOptions({"inputFrom": "humdrum", "breaks": "none", "xmlIdSeed": 1})
    assert importer.loadData(text)
    root = ElementTree.fromstring(importer.getMEI())
    for parent in root.iter():  # grace notes and arpeggios would take time from others
        parent[:] = [child for child in parent if not child.get("grace") and child.tag != f"{MEI}arpeg"]
    player.setOptions({"inputFrom": "mei", "breaks": "none", "expandNever": True})
    mei = re.sub(r"(</?)ns0:", r"\1", ElementTree.tostring(root, encoding="unicode").replace("xmlns:ns0=", "xmlns="))
    assert player.loadData(mei)
    player.renderToTimemap()
    sounds = []
    for id_ in (note.get(ID, "") for note in root.iter(f"{MEI}note")):
        times = player.getTimesForElement(id_)
        onset, duration = Fraction(*times["qfracOn"][0]), Fraction(*times["qfracDuration"][0])
        sounds.append((id_, onset, duration, int(player.getMIDIValuesForElement(id_)["pitch"])))
    return [measure.get(ID, "") for measure in root.iter(f"{MEI}measure")], sounds


def read(text: str) -> tuple[int, list[Sound]]:
    """Our reading of a text in the same terms."""
    reading = read_humdrum(text)[1]
    starts = reading.starts(range(len(reading.bars)))
    notes = [(start, note) for start, bar in zip(starts, reading.bars) for note in bar.notes]
    return len(reading.bars), [(n.id, start + n.onset, n.duration, n.pitch) for start, n in notes if n.pitch is not None]


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


def test_a_second_score_in_a_file_is_refused() -> None:
    with pytest.raises(EngravingError, match="line 4: a second score begins here"):
        read_humdrum(kern("4c") + kern("4d"))


def test_the_parts_of_a_divided_bar_are_one_bar_of_an_order() -> None:
    names = ["1", "2", "2", "3", "1"]
    reading = Reading(tuple(ReadBar(name, Fraction(4), ()) for name in names))
    marks = [BarMarks() for _ in names]
    assert Playing(bars="2-3,2a,2b").order(reading, marks) == [1, 2, 3, 1, 2]
    for again in ("1-2", "2c"):
        with pytest.raises(EngravingError, match="no such bar"):
            Playing(bars=again).order(reading, marks)
    marks[1:3] = BarMarks(ending=(1,)), BarMarks(ending=(2,))
    with pytest.raises(EngravingError, match="there are 2 bars '2'"):
        Playing(bars="2").order(reading, marks)


def test_repeated_groups_are_written_out() -> None:
    text = "!!!filter: transpose -t P5\n" + kern("*rep *tremolo", "4c 8e@", ". 8e", "*Xrep *Xtremolo", "4d 4f")
    assert "rep" not in read_humdrum(text)[0] and "tremolo" not in read_humdrum(text)[0]
    assert len(engraved(read_humdrum(text)[0])[1]) == 5 and len(engraved(text)[1]) != 5
    assert sorted(engraved(read_humdrum(text)[0])[1]) == sorted(read(text)[1])


def test_repeated_groups_that_the_file_hides_are_shown() -> None:
    """In every voice of that spine, and not elsewhere."""
    group = ("*^ *", "4cyy 4eyy 2gyy", "4ryy 4d .", "*v *v *")
    text = kern("4c 4g", "*rep *", *group, "*Xrep *", "4cyy 4gyy").replace("**kern\t**kern\t**kern", "**kern\t**kern")
    assert read_humdrum(text)[0].split("\n")[4:6] == ["4c\t4e\t2gyy", "4r\t4d\t."]
    assert read_humdrum(text)[0].split("\n")[8] == "4cyy\t4gyy"


@pytest.mark.parametrize(("token", "read_as"), [("8cec", "8r"), ("8d&/", "8d"), ("4c&4dfd", "4c"), ("16.", "16.r")])
def test_a_note_that_cannot_be_read_is_left_out(token: str, read_as: str) -> None:
    assert read_humdrum(kern("4c", token))[0].split("\n")[2] == read_as
    with pytest.raises(EngravingError, match=r"line 2: .*, and 1 more such mistakes"):
        bars(kern(token, token))


def test_notes_that_cannot_be_read_are_counted() -> None:
    """As notes that the sheet does not show; the notes of their chord that can be read are no loss."""
    lines = [line for number in range(1, 40) for line in (f"={number}", "4c", "4d", "4e", "4f")]
    lost = {"8cec": 1, "4c&4dfd": 1, "2xx": 1, "4g@16@": 1}
    for token, count in lost.items():
        text = kern("*clefG2", "*M4/4", token, *lines, "==")
        assert [len(bar.lost) for bar in bars(text)][:2] == [count, 0]
        mei, reading = import_score(Path("x.krn"), text)
        piece = engrave(clean_mei(mei, STYLES["nottingham"]), STYLES["nottingham"], reading, 100.0)
        assert piece.unshown == {NO_PITCH: count}
    assert not any(bar.lost for bar in bars(kern(*lines)))


def test_notes_of_a_chord_that_state_another_duration_are_counted() -> None:
    """The chord has one stem: it is drawn and played as long as its first note says."""
    text = kern("*clefG2", "*M4/4", "4c&8e&4g", "4d&4f", "4c", "4c", "=2", "8qc&4qd", "1c&1e", "==")
    reading = read_humdrum(text)[1]
    assert set(reading.mended.values()) == {LENGTH} and reading.mended.keys() == {"note-L4F1S2"}
    assert [float(note.duration) for note in reading.bars[0].notes] == [1] * 7
    assert import_score(Path("x.krn"), text)[1].mended_in([0]) == {LENGTH: 1}
    assert import_score(Path("x.krn"), text)[1].mended_in([1]) == {}


def test_marked_notes_are_printed_in_black() -> None:
    text = kern(*["4c 4e@"] * 4) + "!!!RDF**kern: @ = marked note, color=grey\n"
    mei, _ = import_score(Path("marked.krn"), text)
    assert 'color="grey"' in mei and 'color="grey"' not in clean_mei(mei, STYLES["msmd"])


def test_a_note_above_the_top_staff_is_printed_on_it() -> None:
    text = kern(*["4C> 4e"] * 4, "4C 4e>") + "!!!RDF**kern: > = above\n"
    cleaned = clean_mei(import_score(Path("above.krn"), text)[0], STYLES["msmd"])
    assert [note.get("staff") for note in ElementTree.fromstring(cleaned).iter(f"{MEI}note")] == [None] * 5 + ["1"] * 4 + [None]


def test_a_chord_of_several_values_and_a_scaled_note_last_as_read() -> None:
    text = kern("*M4/4 *M4/4", "*rscale:2 *", "4C 4c&2e", "4D 4d", "2E 2f")
    mei, _ = import_score(Path("values.krn"), text)
    notes = {note.get(ID): note for note in ElementTree.fromstring(mei).iter(f"{MEI}note")}
    assert "dur.ges" not in mei and notes["note-L4F2S2"].get("dur") is None
    assert [notes[f"note-L{line}F1"].get("dur") for line in (4, 5, 6)] == ["4", "4", "2"]


def test_an_empty_line_takes_no_time() -> None:
    text = kern("*M2/4 *M2/4", "=1 =1", "4c 4e", "4d 4f", "=2 =2", ". .", "2d 2f")
    assert sorted(engraved(read_humdrum(text)[0])[1]) == sorted(read(text)[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (kern("4c 4e", "4d 8f", "4e 8f"), "line 4: spine 1 is at another time than the others .0.5 quarters later"),
        (kern("4c 8e", "4d .", "=2 =2"), "line 3: spine 1 is at another time"),
        (kern("4c 4e", "4d"), "line 3: 1 fields, expected 2"),
        ("**kern\n4c\n", "must begin with .. and end with"),
        ("4c\n*-\n", "line 1: Humdrum must begin with"),
        ("", "must begin with"),
        (kern("*x *", "4c 4d"), "line 2: a single"),
    ],
)
def test_faults_are_named_with_their_line(text: str, reason: str) -> None:
    with pytest.raises(EngravingError, match=reason):
        read_humdrum(text)


def test_order_by_repeat_signs() -> None:
    text = kern("4c", "=1", "4d", "=2:|!", "4e", "=3!|:", "4f", "=:|!", "=||", "4g", "==:|!")
    assert expansion(text) is None and written_order(repeat_marks(text)) == [0, 1, 0, 1, 2, 3, 3, 4, 4]
    assert set(repeat_marks(kern("4c", "=1", "4d"))) == {BarMarks()}


def test_jumps_in_words_are_made_besides_the_repeat_signs() -> None:
    bars = ("=1", "1c", "=2:|!", "1d", "!LO:TX:t=Fine", "=3!|:", "1e", "=4:|!", "1f", "!LO:TX:t=D.C.&al&Fine", "==")
    text = kern("*clefG2", "*M4/4", *bars)
    assert bar_order(import_score(Path("x.krn"), text, Playing(repeats="written"))[0]) == [0, 0, 1, 2, 2, 3, 0, 1]
    with pytest.raises(EngravingError, match="bar 3: a repeat begins that has no end"):
        import_score(Path("x.krn"), text.replace("=4:|!", "=4"), Playing(repeats="written"))
    chosen = Playing(repeats="written", bars="1-4")  # an order of one's own needs no signs
    assert bar_order(import_score(Path("x.krn"), text.replace("=4:|!", "=4"), chosen)[0]) == [0, 1, 2, 3]


def test_order_by_expansion_lists() -> None:
    sections = ("=1", "*>A", "4c", "=2", "*>A1", "4d", "=3:|!", "*>A2", "4e", "*>B", "=4", "4f")
    lists = ("4g", "*>[A,A1,A,A2,B]", "*>norep[A,A2,B]")
    assert expansion(kern(*lists, *sections)) == {"": [0, 1, 2, 1, 3, 4], "norep": [0, 1, 3, 4]}
    before = ("*>A", "*clefG2", "=1", "4c", "*>B", "=2", "4d")  # the first section begins before the first bar line
    assert expansion(kern("*>[A,B,A]", "*>norep[A,B]", *before)) == {"": [0, 1, 0], "norep": [0, 1]}
    assert expansion(kern("*>[A.1,B,A.1]", "*>A.1", "=1", "4c", "*>B", "=2", "4d")) == {"": [0, 1, 0]}
    with pytest.raises(EngravingError, match="line 5: a second section 'A'"):
        expansion(kern("*>[A,B]", "*>A", "4c", "*>A", "=1", "4d"))
    with pytest.raises(EngravingError, match="line 3: the order names a section 'A1'"):
        expansion(kern(*lists, *sections).replace("*>A1", "*>A9"))
    with pytest.raises(EngravingError, match="line 7: a section begins in the middle of a bar"):
        expansion(kern(*lists, "=1", "4c", "*>A", "4d", *sections[3:]))


_VALUES = [(Fraction(2), "2"), (Fraction(3, 2), "4."), (Fraction(1), "4"), (Fraction(1, 2), "8"), (Fraction(1, 4), "16")]


@st.composite
def voices(draw: st.DrawFn) -> str:
    """Bars of 4/4 in two spines, each of random values that fill the bar, with some rests and chords."""
    lines = ["**kern\t**kern", "*M4/4\t*M4/4"]
    for number in range(1, draw(st.integers(1, 3)) + 1):
        lines.append(f"={number}\t={number}")
        columns = [_voice(draw) for _ in range(2)]
        times = sorted(columns[0].keys() | columns[1].keys())
        lines += ["\t".join(column.get(time, ".") for column in columns) for time in times]
    return "\n".join([*lines, "==\t==", "*-\t*-"]) + "\n"


def _voice(draw: st.DrawFn) -> dict[Fraction, str]:
    now, tokens = Fraction(0), {}
    while now < 4:
        if now.denominator == 1 and draw(st.booleans()):
            for k in range(3):
                tokens[now + Fraction(k, 3)] = f"12{draw(st.sampled_from(['c', 'f#', 'BB-', 'r']))}"
            now += 1
            continue
        length, value = draw(st.sampled_from([pair for pair in _VALUES if now + pair[0] <= 4]))
        notes = draw(st.sampled_from([["c"], ["e-"], ["GG"], ["r"], ["c", "e"], ["f##", "aa"]]))
        tokens[now] = " ".join(value + note for note in notes)
        now += length
    return tokens


@settings(max_examples=25)
@given(voices())
def test_both_readings_of_generated_music_agree(text: str) -> None:
    prepared, reading = read_humdrum(text)
    measures, sounds = engraved(prepared)
    assert all(bar.length == 4 for bar in reading.bars) and len(measures) == len(reading.bars)
    assert sorted(sounds) == sorted(read(text)[1])


@pytest.mark.parametrize("hidden", ["", "yy"])
def test_a_beam_of_grace_notes_that_goes_on_over_a_rest_takes_no_time(hidden: str) -> None:
    rest = f"4r{hidden}"
    text = kern("*M3/4", rest, "8qgL", "16qaa", rest, "8qddd", "8qeeeJ", "4gg", "=2", "8eL", "16qqf", "8eJ", "4e", "4e")
    expected = [(2, 79), (3, 64), (3.5, 64), (4, 64), (5, 64)]
    assert engraving_tools.notes_of(engraving_tools.engraved("a.krn", text)) == expected


REAL = [(name, place) for name in ("polish_piano", "chopin_first_editions") for place in range(10)]


@pytest.mark.parametrize(("collection", "place"), REAL)
def test_both_readings_of_real_music_agree(shared: Path, collection: str, place: int) -> None:
    files = sorted((shared / "data" / collection).glob("*.krn"), key=lambda file: (file.stat().st_size, file.name))
    text = files[len(files) * place // 40].read_text(encoding="utf-8")
    prepared, reading = read_humdrum(text)
    measures, sounds = engraved(prepared)
    assert len(measures) == len(reading.bars) and sounds
    assert sorted(sounds) == sorted(read(text)[1])


@pytest.mark.parametrize("sign", ["*M4/0", "*M0/4", "*M" + 5000 * "9" + "/4"])
def test_an_impossible_meter_is_none(sign: str) -> None:
    assert bars(kern(sign, "4c", "4d", "=2", "4e", "4f"))[0].meter is None


def test_three_sharps_cannot_be_read() -> None:
    with pytest.raises(EngravingError, match="3 accidentals"):
        read_humdrum(kern("4c###", "4d###", "4e", "4f"))
