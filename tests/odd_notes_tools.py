"""What is left of ten bars in which a few notes cannot be played."""

from __future__ import annotations

from engraving_tools import ONE, TWO, notes_of

from score_following_game.data_preparation.engraving import checks
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece

LINE = [(float(beat), pitch) for beat, pitch in enumerate((72, 74, 76, 77))]


def in_second_bar(bar: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """The notes of ten bars of four quarters, of which the second has these."""
    bars = [LINE, bar, *[LINE] * 8]
    return [(4 * number + beat, pitch) for number, notes_ in enumerate(bars) for beat, pitch in notes_]


def without(beat: int) -> list[tuple[float, int]]:
    return in_second_bar([one for one in LINE if one[0] != beat])


def assert_costs(piece: EngravedPiece, expected: list[tuple[float, int]], unshown: dict[str, int], heads: int = 0) -> None:
    """expected: the notes that are left.  unshown: reason -> notes.  heads: that are printed and silent."""
    assert notes_of(piece) == expected
    assert piece.unshown == unshown and piece.unheard == heads
    assert len(piece.score.coords) == len(expected)
    checks.check_piece(piece, TWO if piece.staves[0] == 2 else ONE)
