"""A small LilyPond score, and engraving it."""

from __future__ import annotations

from pathlib import Path

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
from score_following_game.data_preparation.engraving.style import STYLES

PIANO = STYLES["msmd"]
MUSIC = r"""\version "2.24.0"
\header { title = "A test" copyright = "Public Domain" }
right = \relative c'' { \tempo 4 = 90 \repeat volta 2 { c8 d e f <e g>4 \grace { f16 } e4~ | e8 d c b c2 } }
left = \relative c { \clef bass c4 g' <c, e g>2 | << { g'4 g } \\ { g2 } >> c,2 }
"""
SCORE = MUSIC + r"""\score { \new PianoStaff << \new Staff \right \new Staff \left >> \layout { } \midi { } }"""


def write(folder: Path, text: str, name: str = "piece.ly") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def engrave(main: Path, time_limit: float = 60) -> EngravedPiece:
    return engrave_lilypond(main, PIANO, time_limit, main.parent)
