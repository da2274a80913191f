"""The x of the onsets of a piece, which must not fall with time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.style import Style

_NOTEHEAD = 1.3  # width in staff spaces


def first_coordinates(piece: EngravedPiece) -> list[tuple[Fraction, int]]:
    """(onset in quarters, index of the coordinate that gives its x) of each onset, in the order of time."""
    first: dict[Fraction, int] = {}
    for coordinate, note in piece.score.coord2onset.tolist():
        first.setdefault(piece.notes[note].onset, coordinate)
    return sorted(first.items())


def hold_falling_x(piece: EngravedPiece, style: Style) -> EngravedPiece:
    """Move the x of an onset that lies less than a notehead to the left of an earlier one to that one's. Counted in `held`.

    Such are grace notes, and heads beside each other in a narrow bar.
    """
    coords = piece.score.coords.copy()
    held, furthest = 0, float("-inf")
    for _, coordinate in first_coordinates(piece):
        x = coords[coordinate, 1]
        if furthest - _NOTEHEAD * style.staff_space < x < furthest:
            coords[coordinate, 1] = furthest
            held += 1
        furthest = max(furthest, x)
    return replace(piece, score=replace(piece.score, coords=coords), held=held) if held else piece
