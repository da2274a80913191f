"""MusicXML is read twice: what the file says is engraved, and what cannot be engraved costs a note or has a reason."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree

import pytest
from engraving_tools import TWO, assert_notes, cleaned, engraved, musicxml, notes_of, piano
from musicxml_tools import LINE, TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.musicxml.arithmetic import read_musicxml
from score_following_game.data_preparation.errors import EngravingError

THIRD = 1 / 3
MEI = "http://www.music-encoding.org/ns/mei"


def triplet(pitches: str, **options: object) -> str:
    return notes(pitches, quarters=THIRD, value=0.5, tuplet="3:2", **options)


def test_triplets_by_time_modification_alone() -> None:
    bar = triplet("C5 D5 E5", staff=1) + notes("F5 E5 D5", staff=1) + back(4) + notes("C3 G3 C3 G3", voice=5, staff=2)
    piece = piano(bar)
    assert_notes(piece, [(0, 48), (0, 72), (THIRD, 74), (2 * THIRD, 76), (1, 55), (1, 77), (2, 48), (2, 76), (3, 55), (3, 74)])
    mei = cleaned("x.musicxml", score(part(bar, staves=TWO_STAVES)), TWO)
    assert [len(tuplet) for tuplet in ElementTree.fromstring(mei).iter(f"{{{MEI}}}tuplet")] == [3]


def test_a_tuplet_that_starts_and_does_not_stop() -> None:
    start = '<tuplet type="start"/>'
    bar = note("C5", THIRD, value=0.5, tuplet="3:2", notations=start) + triplet("D5 E5") + notes("F5 G5 A5")
    assert_notes(musicxml(bar), [(0, 72), (THIRD, 74), (2 * THIRD, 76), (1, 77), (2, 79), (3, 81)])


def test_nested_tuplets() -> None:
    outer, inner = {"quarters": 2 / 3, "value": 1.0, "tuplet": "3:2"}, {"quarters": 2 / 9, "value": 0.5, "tuplet": "9:4"}
    begin = '<tuplet type="start" number="{}"/>'
    bar = (
        note("C5", **outer, divisions=36, notations=begin.format(1))  # type: ignore[arg-type]
        + note("D5", **inner, divisions=36, notations=begin.format(2))  # type: ignore[arg-type]
        + note("E5", **inner, divisions=36)  # type: ignore[arg-type]
        + note("F5", **inner, divisions=36, notations='<tuplet type="stop" number="2"/>')  # type: ignore[arg-type]
        + note("G5", **outer, divisions=36, notations='<tuplet type="stop" number="1"/>')  # type: ignore[arg-type]
        + notes("C5 E5", divisions=36)
    )
    expected = [(0, 72), (2 / 3, 74), (8 / 9, 76), (10 / 9, 77), (4 / 3, 79), (2, 72), (3, 76)]
    assert_notes(musicxml(bar, divisions=36), expected)


def test_notes_without_a_type_last_as_their_duration_says() -> None:
    bar = note("G5", 1.5, value=0) + note("F5", 0.5, value=0) + note("E5", 2, value=0)
    piece = musicxml(bar, LINE)
    assert_notes(piece, [(0, 79), (1.5, 77), (2, 76), (4, 72), (5, 74), (6, 76), (7, 77)])
    assert piece.notes[2].end == 4


@pytest.mark.parametrize("durations", [(1, 1, 2), (1, 2, 1), (1, 1, 1)])
def test_rounded_divisions(durations: tuple[int, ...]) -> None:
    """Four divisions to the quarter cannot hold a triplet: its notes take the time of their values."""
    group = "".join(
        note(pitch, duration / 4, value=0.5, tuplet="3:2", divisions=4)
        for pitch, duration in zip(("C5", "D5", "E5"), durations)
    )
    second = note("C4", 2, voice=2, divisions=4) + note("D4", 2, voice=2, divisions=4)
    counted = 2 * sum(durations) / 4 + 2
    piece = musicxml(group + group + notes("G5 A5", divisions=4) + back(counted, 4) + second, divisions=4)
    high = [(k * THIRD, pitch) for k, pitch in enumerate((72, 74, 76) * 2)]
    assert_notes(piece, [(0, 60), *high, (2, 62), (2, 79), (3, 81)])


@pytest.mark.parametrize("durations", [(0, 0, 1), (0, 1, 0), (1, 0, 0)])
def test_notes_that_the_divisions_round_to_nothing(durations: tuple[int, ...]) -> None:
    """Divisions of whole quarters: what follows, and the other voice, stand where the values say."""
    group = "".join(
        note(pitch, duration, value=0.5, tuplet="3:2", divisions=1) for pitch, duration in zip(("C5", "D5", "E5"), durations)
    )
    piece = musicxml(
        group + notes("G5 A5 B5", divisions=1) + back(4, 1) + notes("C4 D4 E4 F4", voice=2, divisions=1), divisions=1
    )
    high = [(k * THIRD, pitch) for k, pitch in enumerate((72, 74, 76))]
    assert_notes(piece, [(0, 60), *high, (1, 62), (1, 79), (2, 64), (2, 81), (3, 65), (3, 83)])


def test_durations_that_fill_the_bar_where_the_values_do_not() -> None:
    group = "".join(note(pitch, 1, value=0.5, tuplet="3:2", divisions=1) for pitch in ("C5", "D5", "E5"))
    with pytest.raises(EngravingError, match="bar 1: its notes last 4 quarters by their durations, 2 by their values"):
        musicxml(group + note("G5", 1, divisions=1), divisions=1)


@pytest.mark.parametrize("rest", [[("E5", 2.0)], [("E5", 0.5)], [("E5", 2.0), ("G5", 1.0), ("B5", 2.0)], [("G4", 4.0)]])
def test_notes_of_a_chord_keep_their_own_durations(rest: list[tuple[str, float]]) -> None:
    """They are drawn in voices of their own, since a chord has one stem, and move nothing that follows."""
    chord = note("C5") + "".join(note(pitch, length, more="<chord/>") for pitch, length in rest)
    bar = chord + notes("A5 B4 A5") + back(4) + notes("C4 D4 E4 F4", voice=2)
    text = score(part(bar, LINE))
    reading = read_musicxml(text)[1].bars[0]
    assert [(note.onset, note.duration) for note in reading.notes if note.onset == 0 and note.pitch != 60] == sorted(
        [(0, 1), *((0, Fraction(length)) for _, length in rest)], key=lambda of: of[1] != 1
    )
    piece = engraved("x.musicxml", text)
    ends = sorted(float(note.end) for note in piece.notes if note.onset == 0)
    assert ends == pytest.approx(sorted([1, 1, *(length for _, length in rest)]), abs=0.01)
    assert [onset for onset, pitch in notes_of(piece) if pitch in (81, 71)][-3:] == [1, 2, 3]
    drawn = ElementTree.fromstring(cleaned("x.musicxml", text)).find(f".//{{{MEI}}}measure")
    assert drawn is not None
    alone = {str(Fraction(4) / Fraction(length)) for _, length in rest}
    shown = {of.get("dur") for of in drawn.iter() if of.get("dur") and of.tag != f"{{{MEI}}}space"}
    assert shown == alone | {"4"}
    assert read_musicxml(text)[1].bars[0].length == 4


def test_rounded_durations_of_one_value_are_one_chord() -> None:
    third = note("C5", 1 / 3, value=0.5, tuplet="3:2", divisions=100) + note(
        "E5", 0.34, value=0.5, tuplet="3:2", more="<chord/>", divisions=100
    )
    mei = cleaned("x.musicxml", score(part(third * 3 + notes("C5 D5 E5", divisions=100), divisions=100)))
    assert mei.count("<chord") == 3


def test_gaps_of_a_third_and_voices_that_begin_late() -> None:
    forward = f"<forward><duration>{4}</duration></forward>"
    second = forward + note("E4", 2 * THIRD, value=1, tuplet="3:2", voice=2) + notes("F4 G4 A4", voice=2)
    late = LINE + back(1) + note("C4", 1, voice=2)
    piece = musicxml(LINE + back(4) + second, late)
    assert [(onset, pitch) for onset, pitch in notes_of(piece) if pitch < 72] == [
        (pytest.approx(THIRD), 64),
        (1, 65),
        (2, 67),
        (3, 69),
        (7, 60),
    ]


def test_whole_bar_rests_last_as_long_as_their_bar() -> None:
    """In a pickup and in a bar that is longer than its time signature, with the other hand playing."""
    rest = '<note><rest measure="yes"/><duration>{}</duration><voice>1</voice><staff>1</staff></note>'
    bars = [
        rest.format(12) + back(1) + notes("G3", voice=5, staff=2),
        rest.format(60) + back(5) + notes("C3 G3 C3 G3 C3", voice=5, staff=2),
        notes("C5 D5 E5 F5", staff=1) + back(4) + notes("C3 G3 C3 G3", voice=5, staff=2),
    ]
    piece = piano(*bars)
    assert [onset for onset, pitch in notes_of(piece) if pitch < 60] == list(range(10))
    assert [onset for onset, pitch in notes_of(piece) if pitch > 60] == [6, 7, 8, 9]


def test_empty_bars_last_as_long_as_their_time_signature_says() -> None:
    three = "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    piece = musicxml(LINE, "", three, LINE)
    assert [onset for onset, _ in notes_of(piece)] == [0, 1, 2, 3, 11, 12, 13, 14]


def test_rests_of_several_bars() -> None:
    sign = "<attributes><measure-style><multiple-rest>2</multiple-rest></measure-style></attributes>"
    rest = '<note><rest measure="yes"/><duration>48</duration><voice>1</voice></note>'
    piece = musicxml(LINE, sign + rest, rest, LINE)
    assert [onset for onset, _ in notes_of(piece)] == [0, 1, 2, 3, 12, 13, 14, 15]


def test_alter_decides_and_the_sheet_agrees() -> None:
    """Whatever <accidental>, unknown texts or marks above the note say."""
    sharp_mark = "<ornaments><turn/><accidental-mark>sharp</accidental-mark></ornaments>"
    bar = (
        note("F5", notations=sharp_mark)
        + note("F5")
        + note("B4", alter=-1).replace("<voice>", "<voice>", 1).replace("</type>", "</type><accidental>slash-flat</accidental>")
        + note("G5", alter=1).replace("</type>", "</type><accidental>natural</accidental>")
    )
    text = score(part(bar, LINE))
    assert [pitch for _, pitch in notes_of(engraved("x.musicxml", text))][:4] == [77, 77, 70, 80]
    printed = ElementTree.fromstring(cleaned("x.musicxml", text))
    assert ["".join(holder.get("accid", "") for holder in element.iter()) for element in printed.iter(f"{{{MEI}}}note")][
        :4
    ] == ["", "", "f", "s"]


def test_transposition_that_changes() -> None:
    change = "<attributes><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>"
    first = "<transpose><diatonic>2</diatonic><chromatic>3</chromatic></transpose>"
    piece = musicxml(LINE, change + LINE, LINE, more=first)
    assert [pitch for _, pitch in notes_of(piece)] == [75, 77, 79, 80, 70, 72, 74, 75, 70, 72, 74, 75]


def test_a_transposition_that_changes_within_a_bar() -> None:
    """It holds from there on; a voice that follows in the file and begins before it has no clear one."""
    change = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    alone = notes("C5 D5") + change + notes("E5 F5")
    assert_notes(musicxml(alone, LINE), [(0, 72), (1, 74), (2, 74), (3, 75), (4, 70), (5, 72), (6, 74), (7, 75)])
    with pytest.raises(EngravingError, match="bar 1: the transposition changes"):
        musicxml(alone + back(4) + note("E4", 4, voice=2), LINE)
    musicxml(change + LINE + back(4) + note("E4", 4, voice=2), LINE)


def test_ties_between_voices_and_over_bar_lines() -> None:
    """The tie goes on in another voice; a tie to another pitch or without an end is none."""
    begin, end = '<tie type="start"/>', '<tie type="stop"/>'
    first = notes("C5 D5 E5") + note("F5", more=begin) + back(4) + note("C4", 4, voice=2, more=begin)
    second = (
        notes("F5", more=end, voice=2) + notes("R R R", voice=2) + back(4) + notes("A5 A5 B5", voice=1) + note("G5", more=begin)
    )
    third = note("A5", more=end) + notes("G5 F5 E5")
    piece = musicxml(first, second, third)
    by_pitch = {note.pitch: note for note in piece.notes if note.onset < 4}
    assert by_pitch[77].end == 5 and by_pitch[60].end == 4
    assert (8, 81) in notes_of(piece)


def test_a_few_hidden_notes_cost_those_notes_and_more_cost_the_piece() -> None:
    hidden = back(4) + note("B4", voice=2, attributes='print-object="no"')
    piece = musicxml(LINE + hidden, *[LINE] * 9)
    assert len(piece.notes) == 40 and piece.unshown == {"hidden in print": 1}
    assert checks.check_noteheads(piece) == 1
    with pytest.raises(EngravingError, match="notes that the sheet does not show"):
        checks.check_noteheads(musicxml(*[LINE + hidden] * 10))


def test_a_note_off_the_sheet_costs_that_note() -> None:
    piece = musicxml(notes("C5 D5 C9 F5"), *[LINE] * 9)
    assert len(piece.notes) == 39 and piece.unshown == {"outside the sheet": 1}
    checks.check_inside(piece, TWO)


def test_score_timewise() -> None:
    text = score(part(LINE, notes("G5 F5 E5 D5")), part(notes("C4 C4 C4 C4"), notes("D4 D4 D4 D4")))
    root = ElementTree.fromstring(text)
    timewise = ElementTree.Element("score-timewise", version="3.1")
    timewise.append(root.find("part-list"))  # type: ignore[arg-type]
    for number in ("1", "2"):
        measure = ElementTree.SubElement(timewise, "measure", number=number)
        for own in root.findall("part"):
            ElementTree.SubElement(measure, "part", id=own.get("id", "")).extend(own[int(number) - 1])
    again = ElementTree.tostring(timewise, encoding="unicode")
    assert read_musicxml(again)[1] == read_musicxml(text)[1]
