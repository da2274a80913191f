"""A few notes of MusicXML that cannot be played cost those notes; cue notes are printed and silent."""

from __future__ import annotations

import musicxml_tools
import pytest
from engraving_tools import TWO, engraved, musicxml, notes_of
from musicxml_tools import TWO_STAVES, back, note, notes, part, score
from odd_notes_tools import LINE, assert_costs, in_second_bar, without

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.playing import WRITTEN, Playing
from score_following_game.data_preparation.engraving.silent import (
    MICROTONE,
    NO_DURATION,
    NO_PITCH,
    NOT_MIDI,
    UNPITCHED,
)
from score_following_game.data_preparation.errors import EngravingError

ODD = "<pitch><step>D</step><octave>5</octave></pitch>"


def ten_bars(bar: str) -> EngravedPiece:
    return musicxml(musicxml_tools.LINE, bar, *[musicxml_tools.LINE] * 8)


def second(old: str, new: str) -> EngravedPiece:
    """Ten bars with the D of the second one changed."""
    changed = note("D5").replace(old, new, 1)
    assert changed != note("D5")
    return ten_bars(notes("C5") + changed + notes("E5 F5"))


@pytest.mark.parametrize(
    ("old", "new", "reason", "heads"),
    [
        (ODD, "<unpitched><display-step>E</display-step><display-octave>4</display-octave></unpitched>", UNPITCHED, 1),
        (ODD, "<unpitched/>", UNPITCHED, 1),
        *(("</type>", f"</type><notehead>{head}</notehead>", UNPITCHED, 1) for head in ("x", "slash", "diamond", "circle-x")),
        ("<octave>", "<alter>0.5</alter><octave>", MICROTONE, 1),
        ("<octave>", "<alter>-1.5</alter><octave>", MICROTONE, 1),
        ("<step>D", "<step>H", NO_PITCH, 0),
        ("<step>D</step>", "", NO_PITCH, 0),
        ("<octave>5", "<octave>A", NO_PITCH, 0),
        ("<octave>5</octave>", "", NO_PITCH, 0),
        ("<octave>", "<alter>3</alter><octave>", NO_PITCH, 0),
        (ODD, "", NO_PITCH, 0),
        ("<octave>5", "<octave>11", NOT_MIDI, 0),
        ("<octave>5", "<octave>-3", NOT_MIDI, 0),
    ],
)
def test_a_note_of_musicxml_without_a_pitch_costs_that_note(old: str, new: str, reason: str, heads: int) -> None:
    assert_costs(second(old, new), without(1), {reason: 1}, heads)


@pytest.mark.parametrize("head", ["normal", "triangle", "inverted triangle", "square", "mi"])
def test_heads_of_other_shapes_sound(head: str) -> None:
    assert_costs(second("</type>", f"</type><notehead>{head}</notehead>"), in_second_bar(LINE), {})


def test_a_cue_note_is_printed_and_silent() -> None:
    """A note of cue size only is the pianist's: the size says nothing about the sound."""
    assert_costs(second("<note >", "<note ><cue/>"), without(1), {}, heads=1)
    assert_costs(second("<type>", '<type size="cue">'), in_second_bar(LINE), {})


def test_a_voice_of_cue_notes() -> None:
    """Also one in unison with the notes that are played, and one with ties."""
    for pitches in ("C4 D4 E4 F4", "C5 D5 E5 F5"):
        cues = notes(pitches, voice=2).replace("<note >", "<note ><cue/>")
        assert_costs(ten_bars(notes("C5 D5 E5 F5") + back(4) + cues), in_second_bar(LINE), {}, heads=4)
    tied = "".join(note("C4", 2, voice=2, more=f'<tie type="{kind}"/>') for kind in ("start", "stop"))
    cues = tied.replace("<note >", "<note ><cue/>")
    assert_costs(ten_bars(notes("C5 D5 E5 F5") + back(4) + cues), in_second_bar(LINE), {}, heads=2)
    with pytest.raises(EngravingError, match="no notes"):
        musicxml(*[notes("C5 D5 E5 F5").replace("<note >", "<note ><cue/>")] * 4)


@pytest.mark.parametrize(("bad", "left"), [(0, [76, 79]), (1, [72, 79]), (2, [72, 76])])
def test_a_note_of_a_chord_costs_that_note(bad: int, left: list[int]) -> None:
    chord = [note(pitch, more="<chord/>" if place else "") for place, pitch in enumerate(("C5", "E5", "G5"))]
    chord[bad] = chord[bad].replace("<octave>5", "<octave>x")
    expected = in_second_bar([*((0.0, pitch) for pitch in left), *LINE[1:]])
    assert_costs(ten_bars("".join(chord) + notes("D5 E5 F5")), expected, {NO_PITCH: 1})


def test_a_note_of_a_triplet_or_under_a_repeat() -> None:
    thirds = "".join(note(pitch, 1 / 3, value=0.5, tuplet="3:2") for pitch in ("C5", "H5", "E5"))
    piece = ten_bars(thirds + notes("D5 E5 F5"))
    assert [pitch for onset, pitch in notes_of(piece) if 4 <= onset < 8] == [72, 76, 74, 76, 77]
    assert [float(note_.onset) for note_ in piece.notes[4:7]] == pytest.approx([4, 4 + 2 / 3, 5])
    line = notes("C5 D5 E5 F5")
    cue = notes("C5") + note("D5").replace("<note >", "<note ><cue/>") + note("E5").replace(">E<", ">H<") + notes("F5")
    sign = '<barline location="right"><repeat direction="backward"/></barline>'
    text = score(part(line, cue, line, line, line + sign, *[line] * 8))
    piece = engraved("x.musicxml", text, playing=Playing(repeats=WRITTEN))
    assert len(piece.notes) == 4 * 18 - 4 and piece.unshown == {NO_PITCH: 2} and piece.unheard == 2


def test_a_note_after_a_microtone_is_printed_with_its_own_sign() -> None:
    sharp = (
        note("F5")
        .replace("<octave>", "<alter>0.5</alter><octave>")
        .replace("</type>", "</type><accidental>quarter-sharp</accidental>")
    )
    assert_costs(ten_bars(sharp + notes("F5 G5 A5")), in_second_bar([(1, 77), (2, 79), (3, 81)]), {MICROTONE: 1}, heads=1)


def test_a_percussion_clef_for_a_note() -> None:
    clef = "<attributes><clef><sign>{}</sign><line>2</line></clef></attributes>"
    bar = clef.format("percussion") + notes("C5") + clef.format("G") + notes("D5 E5 F5")
    assert_costs(ten_bars(bar), without(0), {UNPITCHED: 1}, heads=1)
    text = score(part(*[notes("C5 D5 E5 F5")] * 4)).replace("<sign>G", "<sign>percussion")
    with pytest.raises(EngravingError, match=r"no notes.*bar 1, staff 1: without a definite pitch"):
        engraved("x.musicxml", text)


def test_an_unpitched_note_is_drawn_on_its_line_under_any_clef() -> None:
    knock = note("D3", staff=2, voice=5).replace("<pitch>", "<unpitched>").replace("</pitch>", "</unpitched>")
    knock = knock.replace("step>", "display-step>").replace("octave>", "display-octave>")
    line = notes("C5 D5 E5 F5", staff=1) + back(4)
    low = line + notes("C3 G3 E3 G3", staff=2, voice=5)
    text = score(part(low, line + knock + notes("G3 E3 G3", staff=2, voice=5), *[low] * 4, staves=TWO_STAVES))
    piece = engraved("x.musicxml", text, TWO)
    assert piece.unshown == {UNPITCHED: 1} and piece.unheard == 1 and len(piece.notes) == 47


# --- durations


@pytest.mark.parametrize(
    "bar",
    [
        notes("C5") + note("D5").replace("<duration>12</duration>", "") + notes("E5 F5"),
        notes("C5") + note("D5").replace(">12<", ">soon<") + notes("E5 F5"),
        notes("C5") + notes("D5 E5").replace("<duration>12</duration>", "") + notes("F5"),
        notes("C5 D5 E5") + note("F5").replace("<duration>12</duration>", ""),
    ],
)
def test_the_values_of_the_notes_give_missing_durations_if_they_fill_the_bar(bar: str) -> None:
    assert_costs(ten_bars(bar), in_second_bar(LINE), {})


def lacking(pitch: str, **options: object) -> str:
    """A note without duration and value."""
    text = note(pitch, value=0, **options)  # type: ignore[arg-type]
    return text[: text.index("<duration>")] + text[text.index("</duration>") + len("</duration>") :]


def test_a_note_without_duration_and_value_costs_that_note_if_the_bar_leaves_its_time() -> None:
    assert_costs(ten_bars(notes("C5") + lacking("D5") + notes("E5 F5")), without(1), {NO_DURATION: 1})
    second_voice = back(4) + note("C4", 4, voice=2)
    expected = in_second_bar([(0, 60), *(one for one in LINE if one[0] != 1)])
    assert_costs(ten_bars(notes("C5") + lacking("D5") + notes("E5 F5") + second_voice), expected, {NO_DURATION: 1})


def test_a_note_of_a_chord_lasts_as_long_as_the_chord() -> None:
    typed = note("G5", more="<chord/>").replace("<duration>12</duration>", "")
    assert_costs(ten_bars(notes("C5") + typed + notes("D5 E5 F5")), in_second_bar([LINE[0], (0, 79), *LINE[1:]]), {})
    half = typed.replace("quarter", "half")
    assert_costs(ten_bars(notes("C5") + half + notes("D5 E5 F5")), in_second_bar(LINE), {NO_DURATION: 1})


@pytest.mark.parametrize(
    "bar",
    [
        notes("C5") + note("D5", value=2).replace("<duration>12</duration>", "") + notes("E5 F5"),  # too long for the bar
        notes("C5") + lacking("D5") + lacking("E5") + notes("F5"),
        notes("C5 D5 E5") + lacking("F5") + back(2) + notes("C4 D4", voice=2),
        notes("C5 D5 E5 F5") + lacking("G5"),
    ],
)
def test_a_duration_that_the_bar_does_not_tell_is_no_guess(bar: str) -> None:
    with pytest.raises(EngravingError, match="bar 2: staff 1: a note without a duration"):
        ten_bars(bar)


def test_the_first_bar_may_be_a_pickup() -> None:
    with pytest.raises(EngravingError, match="bar 1: staff 1: a note without a duration"):
        musicxml(lacking("C5"), *[notes("C5 D5 E5 F5")] * 4)
