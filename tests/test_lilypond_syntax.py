"""Old and broken LilyPond syntax that convert-ly leaves: mended by rule, so that LilyPond plays all of the music."""

from __future__ import annotations

from pathlib import Path

import pytest
from lilypond_tools import PIANO, SCORE, engrave, write

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.lilypond.syntax import after_conversion, before_conversion, without_risks

pytestmark = pytest.mark.needs("lilypond")

OLD = r"""\version "2.10.33"
\header { footer = "F" tagline = "By " + \footer + \nobody }
dim = \markup { \italic dim. }
right = \relative c'' { \context Voice = "one"
  \override Fingering #'staff-padding = #'()
  c8-1 d-º e-\dim f #(set-octavation 1) g a #(set-octavation 0)| b c | d4 c b a }
left = \relative c { \clef bass c4 d e f | g a b c }
\score { \new PianoStaff << \context Staff = "up" \right \context Staff = "down" \left >>
  \midi { } \layout { \context { } } }
\paper { ragged-bottom = ##f
"""


def test_a_file_with_many_faults_is_played_whole(folder: Path) -> None:
    piece = engrave(write(folder, OLD), 200)
    assert [note.pitch for note in piece.notes if note.pitch >= 71] == [72, 74, 76, 77, 79, 81, 83, 84, 86, 84, 83, 81]
    assert len(piece.notes) == 20 and not piece.unshown
    checks.check_piece(piece, PIANO)


def test_a_file_for_a_later_version_is_tried(folder: Path) -> None:
    assert len(engrave(write(folder, SCORE.replace('"2.24.0"', '"2.99.1"')), 200).notes) > 15


def test_a_staff_without_noteheads_is_not_printed(folder: Path) -> None:
    music = r"\tempo 2 = 60 << \new Staff { c'4 d' e' f' g'1 } \new Staff { \clef bass R1 c d c } >>"
    text = rf'\version "2.24.0" \score {{ \new PianoStaff {{ {music} }} \layout {{ }} \midi {{ }} }}'
    assert engrave(write(folder, text), 200).staves == [2]


def test_music_is_not_unfolded_by_the_file_itself() -> None:
    assert before_conversion(r"\score { \unfoldRepeats \music }") == r"\score {  \music }"


def test_the_oldest_markup_is_a_line() -> None:
    """convert-ly would crash at it and leave the whole file as it is."""
    assert r"\markup \line { {a} {b} }" in before_conversion(r'\version "2.4.6" c_\markup { {a} {b} }')
    assert r"\markup { {a} {b} }" in before_conversion(r'\version "2.12.0" c_\markup { {a} {b} }')


@pytest.mark.parametrize(
    ("converted", "mended"),
    [
        (r"\ottava #0| c", r"\ottava #0 | c"),
        (r"\ottava #1<c e>", r"\ottava #1 <c e>"),
        (r"\ottava #1 c", r"\ottava #1 c"),
        (r"\ottava #-1\tuplet 3/2 c", r"\ottava #-1 \tuplet 3/2 c"),
        (r"\layout { \context { } }", r"\layout {  }"),
        ("\\layout {\n\\context Staff\n\\override X.y = #1\n}", "\\layout {\n\\context { \\Staff\n\\override X.y = #1 }\n}"),
        (r"\new Voice = a \once \override X.y = #1", r"\new Voice = a <> \once \override X.y = #1"),
        (r"\new Voice = a { \override X.y = #1 }", r"\new Voice = a { \override X.y = #1 }"),
        (r"c-\deprecatedcresc", r"c-\cresc"),
        (r"\tweak control-points #shape-curve #item", r"\propertyTweak control-points #shape-curve #item"),
    ],
)
def test_a_rule_changes_what_it_should(converted: str, mended: str) -> None:
    assert after_conversion(converted) == mended


def test_what_is_no_music_can_be_taken_out() -> None:
    text = '\\header { a = "}" b = \\markup { c } % }\n} \\markup { \\epsfile #X #10 #"scroll.eps" } { c { d }'
    assert without_risks(text) == " \\markup { \\null } { c { d }}\n"
