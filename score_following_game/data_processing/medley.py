"""New music from old: pieces put together from passages of several, so that what is learnt is to read and not the tunes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from score_following_game.data_processing.piece import Piece

PASSAGE = (3, 16)  # notes
LENGTH = 60  # notes of a medley, at the least
BEFORE = 9  # pixels before a notehead where a passage is cut out, or halfway to the note before
HEARD = 1  # frames before an onset in which it begins to be heard


def medleys(pieces: Sequence[Piece], number: int, seed: int) -> list[Piece]:
    """So many, named medley~1, medley~2, ...; the same for the same seed and pieces. Passages are taken from the sheets of the
    commonest height, where x rises from note to note; none where there are no such passages."""
    heights = [piece.sheet.shape[0] for piece in pieces]
    height = max(set(heights), key=lambda value: (heights.count(value), value))
    usable = [
        piece
        for piece in pieces
        if piece.sheet.shape[0] == height and len(piece.onset_x) > PASSAGE[0] and _is_heard(piece) and not piece.x_falls
    ]
    if not usable:
        return []
    return [_medley(usable, f"medley~{index}", np.random.default_rng([seed, 7, index])) for index in range(1, number + 1)]


def _is_heard(piece: Piece) -> bool:
    return piece.spectrogram.shape[1] > piece.onset_frames[-1]


def _medley(pieces: Sequence[Piece], name: str, random: np.random.Generator) -> Piece:
    sheets, sounds, frames, x = [], [], [], []
    notes = width = length = 0
    while notes < LENGTH:
        piece = pieces[random.integers(len(pieces))]
        count = min(int(random.integers(PASSAGE[0], PASSAGE[1] + 1)), len(piece.onset_x) - 1)
        first = 0 if not notes else int(random.integers(len(piece.onset_x) - count))  # a medley begins with clef and key
        left, right = _cut(piece, first), _cut(piece, first + count)
        begin, end = (max(0, int(piece.onset_frames[note]) - HEARD) for note in (first, first + count))
        passage = slice(first, first + count)
        sheets.append(piece.sheet[:, left:right])
        sounds.append(piece.spectrogram[:, begin:end])
        frames.append(piece.onset_frames[passage] - begin + length)
        x.append(piece.onset_x[passage] - np.float32(left) + np.float32(width))
        notes, width, length = notes + count, width + right - left, length + end - begin
    return Piece(name, np.hstack(sheets), np.concatenate(frames), np.concatenate(x), np.hstack(sounds), Path(name), Path(name))


def _cut(piece: Piece, note: int) -> int:
    """The column at which a passage that begins with a note begins; the first passage with the sheet."""
    if note == 0:
        return 0
    x = piece.onset_x
    return int(x[note] - min(BEFORE, (x[note] - x[note - 1]) / 2))
