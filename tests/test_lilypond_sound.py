"""LilyPond scores whose heads do not sound as they look: transposing instruments, silent notes, strokes through stems."""

from __future__ import annotations

from pathlib import Path

import pytest
from lilypond_tools import write

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
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
