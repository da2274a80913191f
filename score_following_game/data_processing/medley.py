"""Medleys: pieces composed of passages of several others, so that agents learn to read and not to know the tunes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from score_following_game.data_processing.note_table import NoteTable
from score_following_game.data_processing.piece import Piece

PASSAGE = (3, 16)  # shortest and longest passage, notes
LENGTH = 60  # least number of notes in a medley
BEFORE = 9  # pixels before its first notehead at which a passage is cut, or halfway to the previous note
HEARD = 1  # frames before an onset in which its sound already shows


def medleys(pieces: Sequence[Piece], number: int, seed: int) -> list[Piece]:
    """`number` medleys, named medley~1, medley~2, ...; determined by the seed and the pieces.

    Passages come from pieces with the most common sheet height in which x rises from note to note. Without such pieces the
    result is empty.
    """
    heights = [piece.sheet.shape[0] for piece in pieces]
    height = max(set(heights), key=lambda value: (heights.count(value), value))
    usable = [
        piece
        for piece in pieces
        if piece.sheet.shape[0] == height
        and len(piece.onset_x) > PASSAGE[0]
        and _sounds_to_the_end(piece)
        and not piece.x_falls
    ]
    if not usable:
        return []
    return [_medley(usable, f"medley~{index}", np.random.default_rng([seed, 7, index])) for index in range(1, number + 1)]


def _sounds_to_the_end(piece: Piece) -> bool:
    return piece.spectrogram.shape[1] > piece.onset_frames[-1]


def _medley(pieces: Sequence[Piece], name: str, random: np.random.Generator) -> Piece:
    sheets: list[np.ndarray] = []
    sounds: list[np.ndarray] = []
    frames: list[np.ndarray] = []
    x: list[np.ndarray] = []
    tables: list[NoteTable | None] = []
    notes = width = length = 0
    while notes < LENGTH:
        piece = pieces[int(random.integers(len(pieces)))]
        count = min(int(random.integers(PASSAGE[0], PASSAGE[1] + 1)), len(piece.onset_x) - 1)
        first = (
            0 if not notes else int(random.integers(len(piece.onset_x) - count))
        )  # a medley begins with a clef and a key signature
        left, right = _cut(piece, first), _cut(piece, first + count)
        begin, end = (max(0, int(piece.onset_frames[note]) - HEARD) for note in (first, first + count))
        passage = slice(first, first + count)
        sheets.append(piece.sheet[:, left:right])
        sounds.append(piece.spectrogram[:, begin:end])
        frames.append(piece.onset_frames[passage] - begin + length)
        x.append(piece.onset_x[passage] - np.float32(left) + np.float32(width))
        heard = int(piece.onset_frames[first]), int(piece.onset_frames[first + count])
        tables.append(piece.notes and _passage_of(piece.notes, heard, (left, right), length - begin, width - left))
        notes, width, length = notes + count, width + right - left, length + end - begin
    path = Path(name)
    medley = Piece(name, np.hstack(sheets), np.concatenate(frames), np.concatenate(x), np.hstack(sounds), path, path)
    return replace(medley, notes=_joined([table for table in tables if table is not None])) if all(tables) else medley


def _passage_of(notes: NoteTable, heard: tuple[int, int], seen: tuple[int, int], later: int, further: int) -> NoteTable:
    """The notes that begin within frames, and the heads within columns, moved by `later` frames and by `further` pixels."""
    begins = (notes.frame >= heard[0]) & (notes.frame < heard[1])
    shown = (notes.head_x >= seen[0]) & (notes.head_x < seen[1])
    head_x = notes.head_x[shown] + np.float32(further)
    return NoteTable(notes.frame[begins] + later, notes.pitch[begins], head_x, notes.head_pitch[shown])


def _joined(tables: list[NoteTable]) -> NoteTable:
    columns = zip(*((table.frame, table.pitch, table.head_x, table.head_pitch) for table in tables))
    return NoteTable(*map(np.concatenate, columns))


def _cut(piece: Piece, note: int) -> int:
    """Column at which the passage that begins with this note is cut; the first one includes the beginning of the sheet."""
    if note == 0:
        return 0
    x = piece.onset_x
    return int(x[note] - min(BEFORE, (x[note] - x[note - 1]) / 2))
