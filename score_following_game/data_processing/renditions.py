"""Renditions of scores: each score as it is written, at its own tempo, independent of the performance."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from score_following_game.config import GameConfig
from score_following_game.data_processing.performance import load_performance, spectrogram_of_midi
from score_following_game.data_processing.piece import (
    Piece,
    find_midi,
    find_score,
    merge_onsets,
    onset_frames,
    place_of_score,
)
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.synthesis import default_sound_font
from score_following_game.data_processing.written_score import is_performance, read_written, written_path
from score_following_game.errors import UserError
from score_following_game.machine import worker_threads


def score_renditions(pieces: Sequence[Piece], config: GameConfig) -> list[Piece]:
    """Each piece with its score played as written: NAME.mid with the default sound font.

    This also holds for NAME_tempo_0900 where it shares NAME.npz, and for pieces with a recording. If the MIDI file was aligned
    with the recording, it has the recording's timing, so the rendition does too; use the set without recordings to avoid that.
    Where NAME.mid is a person's performance, NAME.score.json says what is written.
    Raises UserError naming the file where NAME.mid is missing, as for a score that has tempo variants only.
    """
    with ThreadPoolExecutor(max_workers=worker_threads()) as pool:
        return list(pool.map(lambda piece: _rendition(piece, config), pieces))


def _rendition(piece: Piece, config: GameConfig) -> Piece:
    score_path = find_score(place_of_score(piece.midi_path))
    if written_path(score_path).is_file():
        return _as_written(piece, written_path(score_path), config)
    midi_path = find_midi(score_path)
    if is_performance(midi_path):
        raise UserError(
            f"{written_path(score_path)}: is missing; {midi_path.name} is a person's performance, and only that file "
            "says what is written: make the set again"
        )
    if not midi_path.is_file():
        raise UserError(f"{midi_path}: is missing; it is needed to play the score of {piece.name} as written")
    performance = load_performance(midi_path, config, default_sound_font(), source=midi_path)
    note_frames = onset_frames(performance.onsets, config.spectrogram_params.fps)
    frames, x = merge_onsets(read_score(score_path), note_frames, score_path)
    return replace(
        piece,
        onset_frames=frames,
        onset_x=x,
        spectrogram=performance.spectrogram,
        midi_path=midi_path,
        source=midi_path,
        notes=None,
    )


def _as_written(piece: Piece, path: Path, config: GameConfig) -> Piece:
    score = read_written(path)
    seconds, x = np.array(score.onsets).T
    if x.min() < 0 or x.max() >= piece.sheet.shape[1]:
        raise UserError(f"{path}: a notehead is not on the sheet of {piece.name}; make the piece again")
    frames, first = np.unique(onset_frames(seconds, config.spectrogram_params.fps), return_index=True)
    return replace(
        piece,
        onset_frames=frames,
        onset_x=x[first].astype(np.float32),
        spectrogram=spectrogram_of_midi(score.midi(), config, default_sound_font()),
        source=path,
        notes=None,
    )
