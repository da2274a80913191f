"""The checks an engraved piece must pass to become game data. A failed check raises EngravingError with its own reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.reading_order import first_coordinates
from score_following_game.data_preparation.engraving.silent import MOST_UNSHOWN, too_many
from score_following_game.data_preparation.engraving.style import Style, style_advice
from score_following_game.data_preparation.errors import STAVES, EngravingError
from score_following_game.data_processing.midi_files import played_midi

FEWEST_NOTES = 8
_SECONDS_OFF = 0.002  # MIDI times are whole ticks
_INK = 128  # darker pixels are ink
_INK_SHARE = 0.1  # see ink_shares; the lowest of 90 000 good noteheads is 0.12
_ODD_SYSTEMS = 0.1  # share of the systems that may have another number of staves
_CONTRAST = 1.5  # ink at the noteheads / ink beside them; the lowest of 3500 good pieces is 1.8
_CONTROL_SHIFTS = (-11.0, -5.5, 5.5, 11.0)  # staff spaces: control boxes lie this far to the side of the noteheads


def check_piece(piece: EngravedPiece, style: Style) -> dict[str, float]:
    """Run all checks that need nothing but the piece.

    Returns the measurements for the manifest: noteheads (their number), unshown (number of notes without a notehead),
    unheard (number of noteheads that do not sound), held (number of onsets whose x was held, see hold_falling_x) and mended
    (number of notes at which a sign, tie or length of the source was changed) if there are any, ink and ink_beside (see
    check_ink).
    """
    check_size(piece)
    check_staves(piece, style)
    unshown = check_noteheads(piece)
    check_inside(piece, style)
    check_reading_order(piece)
    ink, beside = check_ink(piece, style)
    check_midi(piece, piece.midi)
    rare = {"unheard": piece.unheard, "held": len(piece.held), "mended": sum(piece.mended.values())}
    return {
        "noteheads": len(piece.score.coords),
        "unshown": unshown,
        **{name: count for name, count in rare.items() if count},
        "ink": round(ink, 3),
        "ink_beside": round(beside, 3),
    }


def check_size(piece: EngravedPiece) -> None:
    if len(piece.notes) < FEWEST_NOTES:
        lost = ", ".join(f"{count} {reason}" for reason, count in piece.unshown.items())
        others = f"; not counted: {lost}, the first in {piece.first_unshown or 'an unknown bar'}" if lost else ""
        raise EngravingError("too few notes", f"{len(piece.notes)} of at least {FEWEST_NOTES}{others}")


def check_staves(piece: EngravedPiece, style: Style) -> None:
    """Nearly every system must have the style's number of staves. A piano piece may have a third one for a few bars."""
    odd = [number for number, staves in enumerate(piece.staves, 1) if staves != style.staves]
    if len(odd) > _ODD_SYSTEMS * len(piece.staves):
        raise EngravingError(STAVES, f"system {odd[0]} has {piece.staves[odd[0] - 1]}{style_advice(piece.staves[odd[0] - 1])}")


def check_noteheads(piece: EngravedPiece) -> int:
    """Notes must have noteheads. Returns the number of those without one; a small share is accepted."""
    unshown = sum(piece.unshown.values())
    total = unshown + len(piece.notes)
    if too_many(unshown, total):
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(piece.unshown.items()))
        place = f"; one is in {piece.first_unshown}" if piece.first_unshown else ""
        raise EngravingError(
            "notes that the sheet does not show", f"{unshown} of {total}, at most {MOST_UNSHOWN:.0%}: {reasons}{place}"
        )
    return unshown


def check_inside(piece: EngravedPiece, style: Style) -> None:
    """Every notehead must lie entirely between the upper and the lower edge."""
    rows = piece.score.coords[:, 0]
    outside = rows[~inside(rows, style)]
    if len(outside):
        raise EngravingError("noteheads outside the sheet", f"{len(outside)} of {len(rows)}, e.g. at row {outside[0]:.1f}")


def inside(rows: np.ndarray, style: Style) -> np.ndarray:
    """Whether noteheads centred on these rows lie entirely on the sheet: bool, same shape as `rows`."""
    room = style.staff_space / 2 - 0.5
    return (rows >= room) & (rows <= style.height - 1 - room)


def check_reading_order(piece: EngravedPiece) -> None:
    """The x of an onset, taken from its first coordinate, must never decrease with time."""
    first = first_coordinates(piece.notes, piece.score.coord2onset)
    xs = np.array([piece.score.coords[coordinate, 1] for _, coordinate in first])
    falls = np.flatnonzero(np.diff(xs) < 0)
    if len(falls):
        quarter = float(first[falls[0] + 1][0])
        raise EngravingError("x falls with time", f"{len(falls)} times, first at quarter {quarter:g}")


def check_ink(piece: EngravedPiece, style: Style) -> tuple[float, float]:
    """Every notehead's box must hold ink, and on average far more than the boxes beside it. Returns both averages.

    A coordinate that was moved to the x of an earlier onset need not.
    """
    sheet, coords = piece.score.sheet, piece.score.coords
    white = white_rows(sheet, piece.systems)
    shares = ink_shares(sheet, coords, style, white)
    bare = np.setdiff1d(np.flatnonzero(shares < _INK_SHARE), piece.held)
    if len(bare):
        y, x = coords[bare[0]]
        raise EngravingError("no ink under a notehead", f"{len(bare)} of {len(shares)}, first at row {y:.0f} column {x:.0f}")
    control_means = []
    for shift in _CONTROL_SHIFTS:
        shifted = (coords[:, 1] + shift * style.staff_space) % sheet.shape[1]
        control_means.append(ink_shares(sheet, np.stack([coords[:, 0], shifted], axis=1), style, white).mean())
    control = float(np.mean(control_means))
    if shares.mean() < _CONTRAST * control:
        raise EngravingError("noteheads not where the ink is", f"share of ink {shares.mean():.2f}, beside them {control:.2f}")
    return float(shares.mean()), control


def white_rows(sheet: np.ndarray, systems: Sequence[int]) -> np.ndarray:
    """Pixels that an empty staff leaves white: bool (H, W). Within a system these are the rows whose median is not ink."""
    parts = np.split(sheet, [start for start in systems if start], axis=1)
    return np.hstack([np.broadcast_to((np.median(part, axis=1) >= _INK)[:, None], part.shape) for part in parts])


def ink_shares(sheet: np.ndarray, coords: np.ndarray, style: Style, white: np.ndarray) -> np.ndarray:
    """Share of ink per notehead, float (N,), among the pixels that an empty staff leaves white.

    Each of coords (N, 2) is the centre of a box that is one staff space high and 1.2 wide. white: see white_rows.
    """
    half = np.array([0.5, 0.6]) * style.staff_space
    low = np.maximum(np.round(coords - half).astype(int), 0)
    high = np.round(coords + half).astype(int) + 1
    boxes = [sheet[y0:y1, x0:x1][white[y0:y1, x0:x1]] for (y0, x0), (y1, x1) in zip(low, high)]
    return np.array([(box < _INK).mean() if box.size else 0.0 for box in boxes])


def check_midi(piece: EngravedPiece, midi: bytes) -> None:
    """The MIDI file must have the score's notes, each with its onset and pitch, and no pitch may overlap itself."""
    read = [note for part in played_midi(midi).midi.instruments for note in part.notes]
    read.sort(key=lambda note: note.start)
    if len(read) != len(piece.notes):
        raise EngravingError("MIDI differs from the score", f"{len(read)} notes, the score has {len(piece.notes)}")
    expected = [(onset, note.pitch) for onset, note in zip(piece.onsets, piece.notes)]
    drift = max(abs(note.start - seconds) for note, (seconds, _) in zip(read, expected))
    if drift > _SECONDS_OFF:
        raise EngravingError("MIDI differs from the score", f"an onset is {drift:.3f} s off")
    if sorted((round(note.start / _SECONDS_OFF / 4), note.pitch) for note in read) != sorted(
        (round(note.start / _SECONDS_OFF / 4), pitch) for note, (_, pitch) in zip(read, expected)
    ):
        raise EngravingError("MIDI differs from the score", "pitches")
    last: dict[int, float] = {}
    for note in read:
        if note.start < last.get(note.pitch, 0.0):
            raise EngravingError("MIDI differs from the score", f"pitch {note.pitch} overlaps itself")
        last[note.pitch] = note.end
