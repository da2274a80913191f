"""Orders, faults and a second reading of Humdrum."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import engraving_tools
import pytest
from humdrum_tools import bars, kern
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
from score_following_game.data_preparation.engraving.silent import NO_PITCH
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_preparation.engraving.verovio.layout import bar_order
from score_following_game.data_preparation.engraving.verovio.mei import clean_mei
from score_following_game.data_preparation.errors import EngravingError

Sound = tuple[str, Fraction, Fraction, int]


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
