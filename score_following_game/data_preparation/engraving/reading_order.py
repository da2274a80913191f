"""The x of the onsets of a piece, which must not fall with time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece, PlayedNote
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_processing.sheet_map import SheetMap, System

_NOTEHEAD = 1.3  # width in staff spaces
_FARTHEST = 30  # onsets that may be left out in a row


def first_coordinates(notes: Sequence[PlayedNote], coord2onset: np.ndarray) -> list[tuple[Fraction, int]]:
    """(onset in quarters, index of the coordinate that gives its x) of each onset, in the order of time."""
    first: dict[Fraction, int] = {}
    for coordinate, note in coord2onset.tolist():
        first.setdefault(notes[note].onset, coordinate)
    return sorted(first.items())


def sheet_map(piece: EngravedPiece) -> SheetMap:
    """Where the onsets, bars and systems of a piece are, on a page as wide as the sheet."""
    first = first_coordinates(piece.notes, piece.score.coord2onset)
    return SheetMap(
        tuple(System(float(x), number=number, left=float(x)) for number, x in enumerate(piece.systems, 1)),
        tuple(float(piece.score.coords[coordinate, 1]) for _, coordinate in first),
        tuple(float(onset) for onset, _ in first),
        piece.bars,
    )


def out_of_order(xs: Sequence[float], notes: Sequence[int], style: Style) -> set[int]:
    """The onsets to leave out so that x never falls by a notehead or more: those with the fewest notes.

    xs, notes: x of each onset and number of its notes.
    """
    kept = list(notes)  # most notes of a series of onsets that ends with this one
    before = [-1] * len(xs)
    for place, x in enumerate(xs):
        for earlier in range(max(0, place - _FARTHEST), place):
            if xs[earlier] < x + _NOTEHEAD * style.staff_space and kept[earlier] + notes[place] >= kept[place]:
                kept[place], before[place] = kept[earlier] + notes[place], earlier
    place = max(range(len(xs)), key=kept.__getitem__, default=-1)
    left_out = set(range(len(xs)))
    while place >= 0:
        left_out.remove(place)
        place = before[place]
    return left_out


def hold_falling_x(piece: EngravedPiece, style: Style) -> EngravedPiece:
    """Move the x of an onset that lies less than a notehead to the left of an earlier one to that one's, and note it in `held`.

    Such are grace notes, and heads beside each other in a narrow bar.
    """
    coords = piece.score.coords.copy()
    held: list[int] = []
    furthest = float("-inf")
    for _, coordinate in first_coordinates(piece.notes, piece.score.coord2onset):
        x = coords[coordinate, 1]
        if furthest - _NOTEHEAD * style.staff_space < x < furthest:
            coords[coordinate, 1] = furthest
            held.append(coordinate)
        furthest = max(furthest, x)
    return replace(piece, score=replace(piece.score, coords=coords), held=tuple(held)) if held else piece
