"""MusicXML is read twice: what the file says is engraved, and what cannot be engraved costs a note or has a reason."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from engraving_tools import TWO, cleaned, engraved, notes_of
from musicxml_tools import DIVISIONS, TWO_STAVES, back, note, notes, part, score

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.musicxml.arithmetic import read_musicxml
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.errors import EngravingError

DATA = Path(__file__).parent / "data"
THIRD = 1 / 3
MEI = "http://www.music-encoding.org/ns/mei"
LINE = notes("C5 D5 E5 F5")


def made(*bars: str, **options: object) -> EngravedPiece:
    return engraved("x.musicxml", score(part(*bars, **options)))  # type: ignore[arg-type]


def piano(*bars: str, **options: object) -> EngravedPiece:
    return engraved("x.musicxml", score(part(*bars, staves=TWO_STAVES, **options)), TWO)  # type: ignore[arg-type]


def assert_notes(piece: EngravedPiece, expected: list[tuple[float, int]]) -> None:
    assert [pitch for _, pitch in notes_of(piece)] == [pitch for _, pitch in expected]
    assert [onset for onset, _ in notes_of(piece)] == pytest.approx([onset for onset, _ in expected])


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
    assert_notes(made(bar), [(0, 72), (THIRD, 74), (2 * THIRD, 76), (1, 77), (2, 79), (3, 81)])


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
    assert_notes(made(bar, divisions=36), expected)


def test_notes_without_a_type_last_as_their_duration_says() -> None:
    bar = note("G5", 1.5, value=0) + note("F5", 0.5, value=0) + note("E5", 2, value=0)
    piece = made(bar, LINE)
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
    piece = made(group + group + notes("G5 A5", divisions=4) + back(counted, 4) + second, divisions=4)
    high = [(k * THIRD, pitch) for k, pitch in enumerate((72, 74, 76) * 2)]
    assert_notes(piece, [(0, 60), *high, (2, 62), (2, 79), (3, 81)])


@pytest.mark.parametrize("durations", [(0, 0, 1), (0, 1, 0), (1, 0, 0)])
def test_notes_that_the_divisions_round_to_nothing(durations: tuple[int, ...]) -> None:
    """Divisions of whole quarters: what follows, and the other voice, stand where the values say."""
    group = "".join(
        note(pitch, duration, value=0.5, tuplet="3:2", divisions=1) for pitch, duration in zip(("C5", "D5", "E5"), durations)
    )
    piece = made(group + notes("G5 A5 B5", divisions=1) + back(4, 1) + notes("C4 D4 E4 F4", voice=2, divisions=1), divisions=1)
    high = [(k * THIRD, pitch) for k, pitch in enumerate((72, 74, 76))]
    assert_notes(piece, [(0, 60), *high, (1, 62), (1, 79), (2, 64), (2, 81), (3, 65), (3, 83)])


def test_durations_that_fill_the_bar_where_the_values_do_not() -> None:
    group = "".join(note(pitch, 1, value=0.5, tuplet="3:2", divisions=1) for pitch in ("C5", "D5", "E5"))
    with pytest.raises(EngravingError, match="bar 1: its notes last 4 quarters by their durations, 2 by their values"):
        made(group + note("G5", 1, divisions=1), divisions=1)


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
    piece = made(LINE + back(4) + second, late)
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
    piece = made(LINE, "", three, LINE)
    assert [onset for onset, _ in notes_of(piece)] == [0, 1, 2, 3, 11, 12, 13, 14]


def test_rests_of_several_bars() -> None:
    sign = "<attributes><measure-style><multiple-rest>2</multiple-rest></measure-style></attributes>"
    rest = '<note><rest measure="yes"/><duration>48</duration><voice>1</voice></note>'
    piece = made(LINE, sign + rest, rest, LINE)
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
    piece = made(LINE, change + LINE, LINE, more=first)
    assert [pitch for _, pitch in notes_of(piece)] == [75, 77, 79, 80, 70, 72, 74, 75, 70, 72, 74, 75]


def test_a_transposition_that_changes_within_a_bar() -> None:
    """It holds from there on; a voice that follows in the file and begins before it has no clear one."""
    change = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    alone = notes("C5 D5") + change + notes("E5 F5")
    assert_notes(made(alone, LINE), [(0, 72), (1, 74), (2, 74), (3, 75), (4, 70), (5, 72), (6, 74), (7, 75)])
    with pytest.raises(EngravingError, match="bar 1: the transposition changes"):
        made(alone + back(4) + note("E4", 4, voice=2), LINE)
    made(change + LINE + back(4) + note("E4", 4, voice=2), LINE)


def test_ties_between_voices_and_over_bar_lines() -> None:
    """The tie goes on in another voice; a tie to another pitch or without an end is none."""
    begin, end = '<tie type="start"/>', '<tie type="stop"/>'
    first = notes("C5 D5 E5") + note("F5", more=begin) + back(4) + note("C4", 4, voice=2, more=begin)
    second = (
        notes("F5", more=end, voice=2) + notes("R R R", voice=2) + back(4) + notes("A5 A5 B5", voice=1) + note("G5", more=begin)
    )
    third = note("A5", more=end) + notes("G5 F5 E5")
    piece = made(first, second, third)
    by_pitch = {note.pitch: note for note in piece.notes if note.onset < 4}
    assert by_pitch[77].end == 5 and by_pitch[60].end == 4
    assert (8, 81) in notes_of(piece)


def test_a_few_hidden_notes_cost_those_notes_and_more_cost_the_piece() -> None:
    hidden = back(4) + note("B4", voice=2, attributes='print-object="no"')
    piece = made(LINE + hidden, *[LINE] * 9)
    assert len(piece.notes) == 40 and piece.unshown == {"hidden in print": 1}
    assert checks.check_noteheads(piece) == 1
    with pytest.raises(EngravingError, match="notes that the sheet does not show"):
        checks.check_noteheads(made(*[LINE + hidden] * 10))


def test_a_note_off_the_sheet_costs_that_note() -> None:
    piece = made(notes("C5 D5 C9 F5"), *[LINE] * 9)
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


def test_tempo_changes_are_played() -> None:
    def tempo(quarters_per_minute: int) -> str:
        return f'<direction><direction-type><words>a</words></direction-type><sound tempo="{quarters_per_minute}"/></direction>'

    metronome = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>60</per-minute></metronome>"
        "</direction-type></direction>"
    )
    piece = made(tempo(60) + LINE, notes("G5 G5") + metronome + notes("E5 E5"), LINE)
    assert piece.onsets == pytest.approx([0, 1, 2, 3, 4, 5, 6, 6.5, 7, 7.5, 8, 8.5], abs=1e-3)
    checks.check_midi(piece, piece.midi)


def metronome(content: str) -> str:
    return f"<direction><direction-type><metronome>{content}</metronome></direction-type></direction>"


def beat(unit: str, per_minute: str = "") -> str:
    """unit: like "quarter" or "quarter."."""
    speed = f"<per-minute>{per_minute}</per-minute>" if per_minute else ""
    return f"<beat-unit>{unit.strip('.')}</beat-unit>{'<beat-unit-dot/>' * unit.count('.')}{speed}"


def words(text: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type></direction>"


@pytest.mark.parametrize(
    ("mark", "tempo"),
    [
        *((metronome(beat("quarter", text)), 60) for text in ("60", "60-66", "60 - 66", "ca.60", "c. 60", "(60)", "= 60")),
        (metronome(beat("quarter", "60,5")), 60.5),
        (metronome(beat("half.", "30.5")), 91.5),
        (metronome(beat("64th", "960")), 60),
        (metronome(beat("long", "5")), 80),
        (
            metronome(
                beat("quarter") + "<beat-unit-tied><beat-unit>16th</beat-unit></beat-unit-tied><per-minute>60</per-minute>"
            ),
            75,
        ),
        (metronome(beat("quarter", "Allegro")), None),
        (metronome(beat("quarter") + beat("half")), None),  # nothing to refer to
        *(
            (words(f"Andante ({text})"), 60)
            for text in ("\u2669 = 60", "\u266a=120", "q = ca. 60", "half = 30", "\ueca5\u2009= 60-66")
        ),
        *(
            (words(text), 90)
            for text in ("\u2669. = 60", "q.=60", "Dotted quarter = 60", "\ue1d5\ue1e7 = 60", "\U0001d15f. = c. 60")
        ),
        *(
            (words(text), None)
            for text in ("a quarter past 60", "the = 60", "\u266b = \u2669\u266a", "\u2669 = \u266a", "play at 60")
        ),
        (words("q = 60").replace("</direction>", '<sound tempo="80"/></direction>'), 80),
    ],
)
def test_tempo_marks(mark: str, tempo: float | None) -> None:
    assert read_musicxml(score(part(mark + LINE)))[1].bars[0].tempi == (() if tempo is None else ((0, tempo),))


def test_a_mark_may_refer_to_the_tempo_before_it() -> None:
    """Two notes of one length, of which the first is at the old tempo; one home of the tempo for all parts."""
    faster, slower = metronome(beat("quarter") + beat("half")), metronome(beat("quarter.") + beat("quarter"))
    first = metronome(beat("quarter", "60")) + notes("C5 D5") + faster + faster + notes("E5 F5")
    bars = read_musicxml(score(part(first, LINE, LINE), part(LINE, slower + LINE, slower + LINE)))[1].bars
    assert [bar.tempi for bar in bars] == [((0, 60), (2, 120)), ((0, 80),), ((0, pytest.approx(160 / 3)),)]


def test_tempi_of_all_parts_in_order_of_time_at_their_sounding_offsets() -> None:
    def tempo(quarters_per_minute: int, within: str = "", beside: str = "") -> str:
        sound = f'<sound tempo="{quarters_per_minute}">{within}</sound>'
        return f"<direction><direction-type><words>a</words></direction-type>{beside}{sound}</direction>"

    def tempi(*parts: str) -> tuple[tuple[float, float], ...]:
        return read_musicxml(score(*map(part, parts)))[1].bars[0].tempi

    here, half, low = notes("C5 D5"), 2 * DIVISIONS, notes("C4 D4 E4 F4")
    assert tempi(here + tempo(120) + here, tempo(60) + low) == ((0, 60), (2, 120))
    assert tempi(tempo(60) + here + tempo(120) + here, tempo(90) + low) == ((0, 60), (2, 120))  # the first part counts
    assert tempi(here + tempo(120) + back(2) + tempo(60) + low) == ((0, 60), (2, 120))
    assert tempi(tempo(120, within=f"<offset>{half}</offset>") + LINE) == ((2, 120),)
    assert tempi(f'<sound tempo="120"><offset>{half}</offset></sound>' + LINE) == ((2, 120),)
    assert tempi(here + tempo(120, beside=f'<offset sound="yes">{-half}</offset>') + here) == ((0, 120),)
    assert tempi(here + tempo(120, beside=f"<offset>{-half}</offset>") + here) == ((2, 120),)  # of print only


def tremolo(kind: str, strokes: int) -> str:
    return f'<ornaments><tremolo type="{kind}">{strokes}</tremolo></ornaments>'


@pytest.mark.parametrize("bars", [1, 2])
def test_a_tie_goes_on_from_the_last_note_of_a_tremolo(bars: int) -> None:
    """Within a bar and over the bar line; of a tremolo between two notes and of strokes through one stem."""
    pair = {"quarters": 0.5, "value": 1.0, "tuplet": "2:1", "more": '<tie type="start"/>'}
    alternating = note("E5", 0.5, value=1.0, tuplet="2:1", notations=tremolo("start", 2))
    alternating += note("G5", **pair, notations=tremolo("stop", 2))  # type: ignore[arg-type]
    stop, start = '<tie type="stop"/>', '<tie type="start"/>'
    repeating = note("C5", more=start, notations=tremolo("single", 1))
    ends = note("G5", more=stop), note("C5", more=stop)
    if bars == 1:
        piece = made(alternating + ends[0] + repeating + ends[1])
        assert_notes(piece, [*((k / 4, 79 if k % 2 else 76) for k in range(4)), (2, 72), (2.5, 72)])
        return
    piece = made(notes("C5 C5 C5") + alternating, ends[0] + notes("D5 D5") + repeating, ends[1] + notes("D5 D5 D5"))
    expected = [(0, 72), (1, 72), (2, 72), *((3 + k / 4, 79 if k % 2 else 76) for k in range(4)), (5, 74), (6, 74)]
    assert_notes(piece, [*expected, (7, 72), (7.5, 72), (9, 74), (10, 74), (11, 74)])


def test_strokes_and_repeated_bars_are_written_out() -> None:
    pair = {"quarters": 1.0, "value": 2.0, "tuplet": "2:1"}
    bar = (
        note("C5", notations=tremolo("single", 1))
        + note("D5")
        + note("E5", **pair, notations=tremolo("start", 2))  # type: ignore[arg-type]
        + note("G5", **pair, notations=tremolo("stop", 2))  # type: ignore[arg-type]
    )
    sign = '<attributes><measure-style><measure-repeat type="{}">1</measure-repeat></measure-style></attributes>'
    rest = '<note><rest measure="yes"/><duration>48</duration><voice>1</voice></note>'
    piece = made(bar, sign.format("start") + rest, sign.format("stop") + LINE)
    first = [(0, 72), (0.5, 72), (1, 74), *((2 + k / 4, 79 if k % 2 else 76) for k in range(8))]
    assert_notes(piece, [*first, *((onset + 4, pitch) for onset, pitch in first), (8, 72), (9, 74), (10, 76), (11, 77)])


def test_divisions_that_a_part_does_not_state_or_that_are_wrong() -> None:
    """The values of the notes tell them; one of two parts would be out of step."""
    text = score(part(LINE, LINE, notes("C5 D5 E5 F5", quarters=0.5)), part(LINE, LINE, LINE))
    stated = f"<divisions>{DIVISIONS}</divisions>"
    first = Playing(part="1")
    as_it_is = notes_of(engraved("x.musicxml", text, playing=first))
    assert notes_of(engraved("x.musicxml", text.replace(stated, "", 1), playing=first)) == as_it_is
    with pytest.raises(EngravingError, match="part Part 1: most notes last 2 times their values"):
        engraved("x.musicxml", text.replace(stated, f"<divisions>{DIVISIONS // 2}</divisions>", 1), playing=first)
    unclear = text.replace(stated, "", 1).replace("<type>quarter", "<type>half", 6)
    with pytest.raises(EngravingError, match="it states no <divisions>"):
        engraved("x.musicxml", unclear, playing=first)


def test_rests_for_repeated_beats_are_refused() -> None:
    """Where the file has the notes themselves they are played."""

    def under(content: str) -> tuple[str, str]:
        start, stop = (
            f'<attributes><measure-style><beat-repeat type="{kind}" slashes="1"/></measure-style></attributes>'
            for kind in ("start", "stop")
        )
        return notes("C5 D5") + start + content, note("R") + stop + notes("C5 D5 E5")

    for bars in (under(notes("R R")), under(notes("E5 F5"))):
        with pytest.raises(EngravingError, match="beat-repeat"):
            made(*bars)
    assert_notes(
        made(under(notes("E5 F5"))[0], under("")[1].replace(note("R"), note("B4"))),
        [(0, 72), (1, 74), (2, 76), (3, 77), (4, 71), (5, 72), (6, 74), (7, 76)],
    )
    made(LINE, under(notes("E5 F5"))[0].replace("start", "stop"), notes("R C5 D5 E5"))


def test_a_repeated_bar_of_one_hand() -> None:
    sign = '<attributes><measure-style number="2"><measure-repeat type="{}">1</measure-repeat></measure-style></attributes>'
    right = notes("C5 D5 E5 F5", staff=1)
    piece = piano(
        right + back(4) + notes("C3 G3 C3 G3", voice=5, staff=2),
        sign.format("start") + notes("G5 F5 E5 D5", staff=1) + back(4) + notes("R R R R", voice=5, staff=2),
    )
    assert [pitch for onset, pitch in notes_of(piece) if onset >= 4] == [48, 79, 55, 77, 48, 76, 55, 74]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<transpose>", '<transpose number="x">'),
        ("</attributes>", '</attributes><barline><repeat direction="backward" times="²"/></barline>'),
    ],
)
def test_attributes_that_are_no_numbers_count_as_missing(old: str, new: str) -> None:
    text = score(part(LINE, LINE, more="<transpose><chromatic>2</chromatic></transpose>")).replace(old, new, 1)
    assert [pitch for _, pitch in notes_of(engraved("x.musicxml", text))] == [74, 76, 78, 79] * 2


def test_a_note_that_lasts_no_time_costs_that_note() -> None:
    piece = made(LINE.replace("<duration>12<", "<duration>0<", 1), *[LINE] * 9)
    assert len(piece.notes) == 39 and piece.unshown == {"not drawn by the engraver": 1}


def test_elements_nested_too_deeply_are_refused() -> None:
    with pytest.raises(EngravingError, match="nested"):
        made(LINE, LINE + "<direction>" * 3000 + "</direction>" * 3000)


def random_edits(text: str, seed: int, number: int) -> str:
    """The text with some of its elements dropped, doubled or with another's text or name of an attribute."""
    rng = random.Random(seed)
    root = ElementTree.fromstring(text)
    for _ in range(number):
        parents = [(parent, child) for parent in root.iter() for child in parent]
        parent, child = rng.choice(parents)
        place = list(parent).index(child)
        kind = rng.randrange(4)
        if kind == 0:
            parent.remove(child)
        elif kind == 1:
            parent.insert(place, ElementTree.fromstring(ElementTree.tostring(child)))
        elif kind == 2:
            child.text = rng.choice(["", "0", "-1", "7", "x", "1e9", "3.5", "yes", rng.choice(parents)[1].text or ""])
        elif child.attrib:
            child.set(rng.choice(list(child.attrib)), rng.choice(["", "0", "2", "start", "stop", "no", "x"]))
    return ElementTree.tostring(root, encoding="unicode")


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_edits_end_in_agreement_or_in_a_reason(seed: int) -> None:
    """`engraved` compares both readings, so a piece that comes back agrees with its file."""
    text = random_edits((DATA / "song.musicxml").read_text(), seed, 1 + seed % 3)
    try:
        piece = engraved("song.musicxml", text)
    except EngravingError as error:
        assert error.reason
    else:
        assert all(note.end > note.onset >= Fraction(0) for note in piece.notes)
