"""Tempi in LilyPond scores: as LilyPond's own MIDI has them, also where print and MIDI are separate scores."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mido
import pytest

from tests.lilypond_tools import engrave, write

pytestmark = pytest.mark.needs("lilypond")

MUSIC = r"""\version "2.24.0"
up = \relative c'' { c4 d e f | g f e d | c e d c | g' f e d }
down = \relative c { c4 g' c, g' | c, g' c, g' | c, g' c, g' | c, g' c, g' }
print = \new PianoStaff << \new Staff \up \new Staff { \clef bass \down } >>
"""
PRINT = r"\score { \print \layout { } } "
FAST = r"\score { << \new Staff { \tempo 4 = 150 \up } \new Staff \down >> \midi { } } "
CHANGING = r"""\score { << \new Staff \up \new Staff \down { \tempo 4 = 60 s1 \tempo 4 = 120 s1*3 } >> \midi { } } """
REPEATED = r"\score { << \new Staff { \tempo 4 = 150 \up \up } \new Staff { \down \down } >> \midi { } } "
OTHER = r"""\score { \relative c''' { \tempo 4 = 200 g8 a b c d e f g } \midi { } } """


@pytest.mark.parametrize(
    ("scores", "tempo", "seconds"),
    [
        (PRINT + FAST, 150, 6.4),
        (FAST + PRINT, 150, 6.4),
        (PRINT + CHANGING, 60, 4 + 6),
        (PRINT + REPEATED, 150, 6.4),
        (r"\score { << \print \new Devnull { \tempo 4 = 90 s1 } >> \layout { } } " + FAST, 150, 6.4),
        (r"\score { << \print \new Devnull { \tempo 4 = 90 s1 } >> \layout { } \midi { } } " + OTHER, 90, 64 / 6),
    ],
)
def test_a_printed_score_takes_over_the_tempi_of_the_played_one(
    scores: str, tempo: float, seconds: float, tmp_path: Path
) -> None:
    piece = engrave(write(tmp_path, MUSIC + scores), 200)
    assert (piece.tempo, piece.seconds) == (pytest.approx(tempo, abs=0.01), pytest.approx(seconds, abs=0.01))
    assert len(piece.notes) == 32 and not piece.unshown


def test_tempo_changes_are_those_of_lilyponds_own_midi(tmp_path: Path) -> None:
    text = r"""\version "2.24.0"
    \score { \new PianoStaff <<
      \new Staff \relative c'' { \tempo 4=60 c4 d e f | \tempo 4=120 g f \tempo 8=200 e8 d c d | \tempo 2=30 c1 | c4 c c c }
      \new Staff { \clef bass c1 c c c } >> \layout { } \midi { } }"""
    path = write(tmp_path, text)
    subprocess.run(["lilypond", "--loglevel=ERROR", "-o", str(tmp_path / "own"), str(path)], check=True, timeout=200)
    expected, now = [], 0.0
    for message in mido.MidiFile(tmp_path / "own.midi"):
        now += message.time
        if message.type == "note_on" and message.velocity:
            expected.append(now)
    assert engrave(path, 200).onsets == pytest.approx(sorted(expected), abs=1e-6)
    assert expected[-1] > 10
