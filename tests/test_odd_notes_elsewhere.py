"""A few notes that cannot be played cost those notes: MEI, Humdrum and ABC."""

from __future__ import annotations

from collections.abc import Callable

import mei_tools
import pytest
from engraving_tools import ONE, TWO, engraved, engraved_melody, melody_of, musicxml, notes_of
from musicxml_tools import note, notes
from odd_notes_tools import LINE, assert_costs, in_second_bar, without

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.abc.reading import reading_of
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.silent import (
    MICROTONE,
    NO_DURATION,
    NO_PITCH,
    NOT_MIDI,
    UNPITCHED,
    too_many,
)
from score_following_game.data_preparation.errors import EngravingError

# --- MEI


def mei(odd: str, change: Callable[[str], str] = str) -> EngravedPiece:
    """Ten bars, the second one with this content."""
    line = mei_tools.bar(mei_tools.notes("c5 d5 e5 f5"))
    return engraved("x.mei", change(mei_tools.score(line, mei_tools.bar(odd), *[line] * 8)))


@pytest.mark.parametrize(
    ("odd", "reason", "heads"),
    [
        (mei_tools.note("d5", more='cue="true"'), "", 1),
        ('<chord dur="4" cue="true"><note pname="d" oct="5"/><note pname="f" oct="5"/></chord>', "", 2),
        ('<note loc="4" dur="4"/>', UNPITCHED, 1),
        (mei_tools.note("d5", more='head.shape="x"'), UNPITCHED, 1),
        (mei_tools.note("d5", more='head.shape="U+E0A9"'), UNPITCHED, 1),
        (mei_tools.note("d51qs"), MICROTONE, 1),
        (mei_tools.note("d5", content='<accid accid.ges="1qf"/>'), MICROTONE, 1),
        ('<note dur="4"/>', NO_PITCH, 0),
        (mei_tools.note("h5"), NO_PITCH, 0),
        ('<note pname="d" oct="A" dur="4"/>', NO_PITCH, 0),
        ('<note pname="d" dur="4"/>', NO_PITCH, 0),
        ('<note pname="d" oct="11" dur="4"/>', NOT_MIDI, 0),
        (mei_tools.note("d5", ""), NO_DURATION, 0),
    ],
)
def test_a_note_of_mei_costs_that_note(odd: str, reason: str, heads: int) -> None:
    after = mei_tools.notes("e5 f5")
    assert_costs(mei(mei_tools.notes("c5") + odd + after), without(1), {reason: 1} if reason else {}, heads)


def test_a_sign_of_a_microtone_holds_for_the_bar() -> None:
    """In MEI that does not say how each note sounds. A later sign ends it."""
    piece = mei(mei_tools.notes("d51qs d5 d5n d5"))
    assert_costs(piece, in_second_bar([(2, 74), (3, 74)]), {MICROTONE: 2}, heads=2)


def test_chords_layers_and_clefs_of_mei() -> None:
    after = mei_tools.notes("d5 e5 f5")
    chord = '<chord dur="4"><note pname="h" oct="5"/><note pname="c" oct="5"/></chord>'
    assert_costs(mei(chord + after), in_second_bar(LINE), {NO_PITCH: 1})
    assert_costs(mei(chord.replace('"c"', '"x"') + after), without(0), {NO_PITCH: 2})
    cues = mei_tools.notes("c5 d5 e5 f5") + "|" + mei_tools.notes("c4 c4 c4 c4")
    layer = mei(cues, lambda text: text.replace('<layer n="2"', '<layer n="2" cue="true"'))
    assert_costs(layer, in_second_bar(LINE), {}, heads=4)
    clefs = '<clef shape="perc"/>' + mei_tools.notes("c5") + '<clef shape="G" line="2"/>'
    assert_costs(mei(clefs + after), without(0), {UNPITCHED: 1}, heads=1)


def test_small_notes_of_humdrum_in_mei_sound() -> None:
    """Verovio marks them as cue notes, though in Humdrum only the size is meant."""
    made = "<encodingDesc><appInfo><application><p>Transcoded from {}</p></application></appInfo></encodingDesc>"
    bar = mei_tools.bar(mei_tools.notes("c5") + mei_tools.note("d5", more='cue="true"') + mei_tools.notes("e5 f5"))
    for form, number in (("Humdrum", 16), ("MusicXML", 12)):
        assert len(engraved("x.mei", mei_tools.score(*[bar] * 4, head=made.format(form))).notes) == number


def test_a_staff_of_drums_is_no_reason_to_refuse_the_others() -> None:
    line, drum = mei_tools.notes("c5 d5 e5 f5"), '<note loc="4" dur="1"/>'
    text = mei_tools.score(*[mei_tools.bar(line, drum)] * 4, staves=2).replace('clef.shape="F"', 'clef.shape="perc"')
    assert len(engraved("x.mei", text, playing=Playing(part="1")).notes) == 16
    with pytest.raises(EngravingError, match=r"no notes.*bar 1, staff 1: without a definite pitch"):
        engraved("x.mei", text, playing=Playing(part="2"))


@pytest.mark.parametrize(
    "odd",
    [
        mei_tools.note("c5", "") + mei_tools.note("d5", "") + mei_tools.notes("e5 f5"),
        mei_tools.note("c5", "") + mei_tools.note("d5", 8) + mei_tools.notes("e5"),
        mei_tools.note("c5", "") + mei_tools.notes("d5 e5 f5") + "|" + mei_tools.notes("c4 c4 c4"),
    ],
)
def test_a_duration_that_the_layers_of_mei_do_not_tell(odd: str) -> None:
    with pytest.raises(EngravingError, match="bar 2, staff 1: a note without a duration"):
        mei(odd)


# --- Humdrum


def humdrum_text(*rows: str, opening: str = "=1 =1") -> str:
    """Two staves: these rows as the first bar, and seven bars of four quarters. opening: the bar line before."""
    bars = [row for number in range(2, 9) for row in (f"={number} ={number}", "4C 4c", "4D 4d", "4E 4e", "4F 4f")]
    text = ["**kern **kern", "*clefF4 *clefG2", "*M4/4 *M4/4", opening, *rows, *bars, "== ==", "*- *-"]
    return "\n".join(row.replace(" ", "\t").replace("&", " ") for row in text) + "\n"


def humdrum(*rows: str) -> EngravedPiece:
    return engraved("x.krn", humdrum_text(*rows), TWO)


@pytest.mark.parametrize(
    ("first", "reason", "heads"),
    [("4h", NO_PITCH, 0), ("4" + "c" * 9, NO_PITCH, 0), ("c", NO_DURATION, 0), ("4c", "", 0)],
)
def test_a_note_of_humdrum_costs_that_note(first: str, reason: str, heads: int) -> None:
    piece = humdrum(f"4C {first}", "4D 4d", "4E 4e", "4F 4f")
    assert piece.unshown == ({reason: 1} if reason else {}) and piece.unheard == heads
    upper = [] if reason else [(0.0, 60)]
    assert notes_of(piece)[: 7 + len(upper)] == [(0.0, 48), *upper, (1, 50), (1, 62), (2, 52), (2, 64), (3, 53), (3, 65)]


@pytest.mark.parametrize("rows", [("C c", "4D 4d", "2E 2e"), ("4.C c", "8D .", ". 8d", "2E 2e"), ("2C c", ". 4d", "2E 2e")])
def test_a_duration_that_no_other_spine_tells(rows: tuple[str, ...]) -> None:
    with pytest.raises(EngravingError, match=r"line 5: .* has no duration"):
        humdrum(*rows)


def test_a_rest_alone_in_its_bar_lasts_as_long_as_the_bar() -> None:
    rests = ("* *^", "r r r", "* *v *v", "=1b =1b", "*M3/4 *M3/4", "r r", "=1c =1c", "*M4/4 *M4/4")
    piece = humdrum(*rests, "4C 4c", "4D 4d", "4E 4e", "4F 4f")
    assert piece.unshown == {} and notes_of(piece)[:4] == [(7, 48), (7, 60), (8, 50), (8, 62)]


@pytest.mark.parametrize(
    ("rows", "opening"), [(("2C 2c", "=:|! =:|!", "r r"), "=1 =1"), (("r r",), "* *"), (("r r", "=:|! =:|!", "2C 2c"), "=1 =1")]
)
def test_a_rest_in_a_part_of_a_bar_needs_a_duration(rows: tuple[str, ...], opening: str) -> None:
    """Nobody says how long the part of a divided bar is, or an upbeat."""
    with pytest.raises(EngravingError, match="'r' has no duration"):
        engraved("x.krn", humdrum_text(*rows, opening=opening), TWO)


def test_heads_and_sizes_of_humdrum() -> None:
    """Notes of cue size are played: in first editions they are runs and cadenzas."""
    shaped = humdrum("* *head:x", "4C 4c", "* *Xhead", "4D 4d", "4E 4e", "4F 4f")
    assert shaped.unshown == {UNPITCHED: 1} and shaped.unheard == 1 and len(shaped.notes) == 63
    small = humdrum("* *cue", "4C 4c", "* *Xcue", "4D 4d", "4E 4e", "4F 4f")
    assert not small.unshown and not small.unheard and len(small.notes) == 64


@pytest.mark.parametrize(
    ("instrument", "printed"),
    [
        ("*ITrd1c2", "g4 a4 b4 c5 d5 c5 b4 a4"),
        ("*ITrd+1c+2", "g4 a4 b4 c5 d5 c5 b4 a4"),
        ("*ITrd4c7", "c5 d5 e5 f5 g5 f5 e5 d5"),
        ("*ITrd-2c-3", "d4 e4 f4 g4 a4 g4 f4 e4"),
        ("*ITrd7c12", "f5 g5 a5 b5 c6 b5 a5 g5"),
        ("*Trd1c2", "f4 g4 a4 b4 c5 b4 a4 g4"),  # the data have been transposed; they sound as they are
    ],
)
def test_a_transposing_part_of_humdrum_sounds_as_the_file_has_it(instrument: str, printed: str) -> None:
    lines = ["**kern", "*clefG2", instrument, "*k[b-]", "*M4/4", "=1", "4f", "4g", "4a", "4b-", "=2"]
    text = "\n".join([*lines, "4cc", "4b-", "4a", "4g", "==", "*-", ""])
    piece = engraved("x.krn", text)
    assert [pitch for _, pitch in notes_of(piece)] == [65, 67, 69, 70, 72, 70, 69, 67] and not piece.unshown
    assert heights(piece) == [int(place[1]) * 7 + "cdefgab".index(place[0]) for place in printed.split()]


def heights(piece: EngravedPiece) -> list[int]:
    """Steps above C0 of the heads, by their place on a staff with a treble clef: its middle line is B4."""
    return [4 * 7 + 6 - round((y - (ONE.height - 1) / 2) / (ONE.staff_space / 2)) for y in piece.score.coords[:, 0].tolist()]


def test_an_instrument_that_changes_before_or_after_a_bar_line() -> None:
    for rows in (("*ITrd2c3", "=2"), ("=2", "*ITrd2c3")):
        lines = ["**kern", "*clefG2", "*ITrd1c2", "*M4/4", "=1", "4f", "4g", "4a", "4b-", *rows, "4cc", "4b-", "4a", "4g"]
        piece = engraved("x.krn", "\n".join([*lines, "==", "*-", ""]))
        assert [pitch for _, pitch in notes_of(piece)] == [65, 67, 69, 70, 72, 70, 69, 67]
        assert heights(piece)[:5] == [32, 33, 34, 35, 37]  # G4 A4 B4 C5, then E flat 5


# --- ABC


@pytest.mark.parametrize(
    ("odd", "reason"),
    [("^/c", MICROTONE), ("_3/2c", MICROTONE), ("^^^c", MICROTONE), ("c'''''''", NOT_MIDI), ("!style=x!c", UNPITCHED)],
)
def test_a_note_of_abc_costs_that_note(odd: str, reason: str) -> None:
    tune = melody_of(f"X:1\nM:4/4\nL:1/4\nK:C\ncdef|{odd}def|" + "cdef|" * 8)
    piece = engraved_melody(tune)
    assert_costs(piece, without(0), {reason: 1})
    assert [len(bar.lost) for bar in reading_of(tune, None).bars[:3]] == [0, 1, 0]


def test_chords_and_later_notes_of_abc() -> None:
    line = "X:1\nM:4/4\nL:1/4\nK:C\ncdef|"
    assert_costs(engraved_melody(melody_of(line + "[c^/g]def|" + "cdef|" * 8)), in_second_bar(LINE), {})
    assert_costs(engraved_melody(melody_of(line + "^/dd=dd|" + "cdef|" * 8)), in_second_bar([(2, 74), (3, 74)]), {MICROTONE: 2})
    with pytest.raises(AbcError, match="style=x"):
        melody_of("X:1\nV:1 style=x\nK:C\ncdef|")


# --- how many


def test_one_note_may_be_missing_and_five_percent() -> None:
    assert [too_many(missing, total) for missing, total in ((1, 8), (2, 8), (2, 39), (2, 40), (3, 40), (3, 60))] == [
        *(False, True, True, False, True, False)
    ]


def test_too_many_notes_are_a_reason_with_bar_and_staff() -> None:
    odd = note("D5").replace(">D<", ">H<")
    line = notes("C5 D5 E5 F5")
    assert checks.check_piece(musicxml(line, line, notes("C5") + odd + notes("E5 F5")), ONE)["unshown"] == 1
    with pytest.raises(EngravingError, match=r"2 of 12, at most 5%: 2 pitch cannot be read; one is in bar 2, staff 1"):
        checks.check_piece(musicxml(line, notes("C5") + odd + odd + notes("F5"), line), ONE)
