"""LilyPond scores whose heads do not sound as they look: transposing instruments, silent notes, strokes through stems."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from lilypond_tools import write

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
from score_following_game.data_preparation.engraving.repetition import stroke_duration
from score_following_game.data_preparation.engraving.silent import UNPITCHED
from score_following_game.data_preparation.engraving.style import STYLES

pytestmark = pytest.mark.needs("lilypond")


def engrave(folder: Path, *staves: str) -> EngravedPiece:
    """staves: the content of each."""
    staff = " ".join(rf"\new Staff {{ {content} }}" for content in staves)
    main = write(folder, rf'\version "2.24.0" \score {{ << {staff} >> \layout {{ }} \midi {{ }} }}')
    return engrave_lilypond(main, STYLES["nottingham" if len(staves) == 1 else "msmd"], 100, folder)


def sounding(piece: EngravedPiece) -> list[tuple[float, int]]:
    return [(float(note.onset), note.pitch) for note in piece.notes]


def test_a_transposing_instrument_sounds_at_its_own_pitch(folder: Path) -> None:
    """Each staff for itself, from where it says so until it says otherwise."""
    clarinet = r"\transposition bes c''4 d'' \transposition a c'' <d'' fis''> | \transposition c' c''4 d''~ d''2"
    piece = engrave(folder, clarinet, r"\clef bass \transposition c c1 | c1")
    high = [(0, 70), (1, 72), (2, 69), (3, 71), (3, 75), (4, 72), (5, 74)]
    assert sounding(piece) == sorted([*high, (0, 36), (4, 36)])
    assert len(piece.score.coords) == 9 and not piece.unshown and not piece.unheard


def test_chord_symbols_are_no_notes(folder: Path) -> None:
    """Also under settings of their own. LilyPond would play them."""
    symbols = r"\new ChordNames \with { midiMinimumVolume = #0.5 } \chordmode { c1 g:7 }"
    music = r"\new Staff { c'4 d' e' f' g' a' b' c'' }"
    for midi in (r"\midi { }", "", r"\midi { \context { \Score midiChannelMapping = #'instrument } }"):
        main = write(folder, rf'\version "2.24.0" \score {{ << {symbols} {music} >> \layout {{ }} {midi} }}')
        piece = engrave_lilypond(main, STYLES["nottingham"], 100, folder)
        assert [pitch for _, pitch in sounding(piece)] == [60, 62, 64, 65, 67, 69, 71, 72]
        assert not piece.unshown and not piece.unheard


STROKES = [  # a note or chord, its written quarters, strokes and quarters
    ("c'2:8", 2, 1, 2),
    ("c'2:16", 2, 2, 2),
    ("c'2:64", 2, 4, 2),  # played as thirty-seconds
    ("<c' e'>4.:8", Fraction(3, 2), 1, Fraction(3, 2)),
    (r"\stemUp c'8:16 \stemNeutral", Fraction(1, 2), 1, Fraction(1, 2)),
    (r"\tuplet 3/2 { c'2:16( e'4:8)", 2, 2, Fraction(4, 3)),
    ("", 1, 1, Fraction(2, 3)),  # the e'4:8 of the triplet
    ("} c'16:16", Fraction(1, 4), 0, Fraction(1, 4)),  # has these flags already
    ("e'16", Fraction(1, 4), 0, Fraction(1, 4)),
    ("c'8[ e'8:16]", Fraction(1, 2), 0, Fraction(1, 2)),
    ("", Fraction(1, 2), 1, Fraction(1, 2)),
]


def test_strokes_are_written_out_as_in_the_other_formats(folder: Path) -> None:
    onsets, now = set(), Fraction(0)
    for _, written, strokes, quarters in STROKES:
        each = stroke_duration(Fraction(written), strokes) * quarters / written if strokes else Fraction(quarters)
        onsets |= {now + place * each for place in range(int(quarters / each))}
        now += quarters
    piece = engrave(folder, rf"\cadenzaOn {' '.join(text for text, *_ in STROKES)} \cadenzaOff c'1")
    assert sorted({note.onset for note in piece.notes}) == [pytest.approx(onset, abs=0.01) for onset in sorted(onsets | {now})]
    assert len(piece.score.coords) == len(piece.notes) and not piece.unshown and not piece.unheard


def test_ties_of_strokes(folder: Path) -> None:
    """A tie between two tremolos, or into one, loses no stroke; one to a plain note holds the last stroke."""
    piece = engrave(folder, "c'2:8~ <c' e'>4:8 ~ q4 | g'2 ~ g'2:8 | { c'4:8 } e'2.")
    held = {(note.onset, note.pitch): note.end - note.onset for note in piece.notes}
    onsets = [(0, 60), (0.5, 60), (1, 60), (1.5, 60), (2, 60), (2, 64), (2.5, 60), (2.5, 64)]
    assert sounding(piece) == [*onsets, (4, 67), (6, 67), (6.5, 67), (7, 67), (7.5, 67), (8, 60), (8.5, 60), (9, 64)]
    assert float(held[Fraction(5, 2), 64]) == pytest.approx(1.5, abs=0.01)


PLAIN = "c'4 d' e' f' | " * 12
SILENT = [  # music of a bar, what of it is played, number of those lost
    (r"\xNote c'4 d' e' f'", [62, 64, 65], 1),
    (r"<c' \xNote e'>4 d' e' f'", [60, 62, 64, 65], 1),
    (r"c'4 <\tweak style #'slash d' f'>4 e' f'", [60, 65, 64, 65], 1),
    (r"\override NoteHead.style = #'xcircle c'4 d' \revert NoteHead.style e' f'", [64, 65], 2),
    (r"c'4 <d' g'\harmonic> e' f'", [60, 62, 64, 65], 1),
    (r"\override NoteHead.style = #'baroque c'4 d' \revert NoteHead.style \tiny e' f' \normalsize", [60, 62, 64, 65], 0),
    (r"\new CueVoice { c'4 d' e' f' }", [], 0),
    (r"<< { \voiceOne g'1 \oneVoice } \new CueVoice { \voiceTwo g'4 d' e' f' } >>", [67], 0),
    (r"\cueDuring other #UP { c'1 }", [60], 0),
]


def test_notes_without_a_pitch_and_cues_are_printed_and_silent(folder: Path) -> None:
    """As in the other formats: the former are a loss, the latter another player's."""
    quoted = rf"\addQuote other {{ {PLAIN} {PLAIN} }}"
    bars = " ".join(bar for bar, *_ in SILENT)
    main = write(folder, rf'\version "2.24.0" {quoted} \score {{ \new Staff {{ {bars} {PLAIN} }} \layout {{ }} }}')
    piece = engrave_lilypond(main, STYLES["nottingham"], 100, folder)
    played = [[note.pitch for note in piece.notes if note.onset // 4 == bar] for bar in range(len(SILENT))]
    assert played == [pitches for _, pitches, _ in SILENT]
    assert piece.unshown == {UNPITCHED: sum(lost for *_, lost in SILENT)}
    assert piece.unheard == piece.unshown[UNPITCHED] + 3 * 4  # and the cues
