"""LilyPond scores with repeats: played as printed, or unfolded in print and sound."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import mido
import pytest
from lilypond_tools import PIANO, write

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
from score_following_game.data_preparation.engraving.lilypond.syntax import jump_in_words
from score_following_game.data_preparation.engraving.playing import WRITTEN, Playing
from score_following_game.data_preparation.errors import EngravingError

pytestmark = pytest.mark.needs("lilypond")

RIGHT = r"""right = \relative c'' {
  \repeat volta 2 { c4 d e f | \repeat volta 2 { g1 } } \alternative { { a1 } { b2 c } }
  \repeat tremolo 8 { c,16 e } | \repeat percent 2 { d4 e f g } }
"""
LEFT = r"""left = \relative c { \clef bass
  \repeat volta 2 { c1 | \repeat volta 2 { d } } \alternative { { e } { f } } g | a | b }
"""
SHEET = r"\new PianoStaff << \new Staff \right \new Dynamics { s1\f s1*5 } \new Staff \left >>"
ABBREVIATIONS = [72, 76] * 8 + [74, 76, 77, 79] * 2


def engrave(folder: Path, music: str, repeats: str = WRITTEN) -> EngravedPiece:
    main = write(folder, rf'\version "2.24.0" {music} \score {{ {SHEET} \layout {{ }} \midi {{ }} }}')
    return engrave_lilypond(main, PIANO, 100, folder, playing=Playing(repeats=repeats))


def onsets_and_pitches(piece: EngravedPiece) -> list[tuple[float, int]]:
    return sorted((float(note.onset), note.pitch) for note in piece.notes)


def test_repeats_are_unfolded_in_print_and_sound(folder: Path) -> None:
    """The notes are those of LilyPond's own \\unfoldRepeats, and each repetition has its own noteheads."""
    piece = engrave(folder, RIGHT + LEFT)
    own = write(folder, rf'\version "2.24.0" {RIGHT} {LEFT} \score {{ \unfoldRepeats {SHEET} \midi {{ }} }}', "own.ly")
    subprocess.run(["lilypond", "--loglevel=ERROR", "-o", str(folder / "own"), str(own)], check=True, timeout=100)
    expected = []
    for track in mido.MidiFile(folder / "own.midi").tracks:
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity:
                expected.append((now / 384, message.note))
    assert onsets_and_pitches(piece) == sorted(expected) and len(expected) == 12 + 3 + 24 + 8 + 3
    assert len(piece.score.coords) == len(expected) and not piece.unshown
    xs = [piece.score.coords[row, 1] for row, _ in piece.score.coord2onset]
    assert all(before <= after + 9 for before, after in pairwise(xs))
    checks.check_piece(piece, PIANO)


def test_by_default_sections_sound_once_and_abbreviations_are_written_out(folder: Path) -> None:
    piece = engrave(folder, RIGHT + LEFT, "once")
    melody = [note.pitch for note in piece.notes if note.pitch >= 60]
    assert melody == [72, 74, 76, 77, 79, 81, 83, 84, *ABBREVIATIONS]
    assert len(piece.score.coords) == len(piece.notes) == len(melody) + 7


@pytest.mark.parametrize(
    "left",
    [
        r"left = { \clef bass c1 d e f g a b }",  # no repeat
        r"left = \relative c { \repeat volta 2 { c1 d } e f \repeat volta 2 { g } a b }",  # of the same length, elsewhere
    ],
)
def test_a_repeat_in_one_hand_only_is_refused(left: str, folder: Path) -> None:
    with pytest.raises(EngravingError) as error:
        engrave(folder, RIGHT + left)
    assert error.value.reason == "a repeat in some voices only" and "--repeats once" in error.value.detail


@pytest.mark.parametrize("playing", [Playing(bars="1-2"), Playing(part="2")])
def test_a_part_and_bars_cannot_be_chosen(playing: Playing, folder: Path) -> None:
    with pytest.raises(EngravingError) as error:
        engrave_lilypond(write(folder, "{ c' }"), PIANO, 100, folder, playing=playing)
    assert error.value.reason == "not for LilyPond" and "--" in error.value.detail


@pytest.mark.parametrize("words", [r'\mark "D.C. al Fine"', r"c4^\markup { \italic Da capo }", r'\jump "D.S."'])
def test_a_jump_in_words_is_refused(folder: Path, words: str) -> None:
    """LilyPond would go on to the end."""
    music = RIGHT.replace("{ c4 d e f", "{ WORDS c4 d e f") + LEFT
    with pytest.raises(
        EngravingError, match=r"piece.ly: LilyPond does not play the words '(D\.C\. al Fine|Da capo|D\.S\.)'"
    ) as caught:
        engrave(folder, music.replace("WORDS", words))
    assert caught.value.reason == "no clear order of the bars"


def test_words_that_are_no_jump_in_a_lilypond_score() -> None:
    title = r'\header { title = "Da Capo" } % D.C. al Fine'
    music = r'dalSegno = { c4^"dolce" } d,c. \mark "Fine"'
    assert not jump_in_words(f"{title}\n{music}") and jump_in_words(f'{title}\n{music} _"D. S. al Coda"') == "D. S. al Coda"
