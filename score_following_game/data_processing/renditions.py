"""What a score itself sounds like: its own MIDI at its own tempo, whatever its performance is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from score_following_game.config import GameConfig
from score_following_game.data_processing.performance import load_performance
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
from score_following_game.errors import UserError
from score_following_game.machine import available_cores


def score_renditions(pieces: Sequence[Piece], config: GameConfig) -> list[Piece]:
    """For each piece the one that has its score played as written: NAME.mid by the default sound font, also for
    NAME_tempo_0900 (where the two share NAME.npz) and beside a recording.

    A piece that is heard from its score's MIDI by that font is its own rendition. A piece whose recording was aligned with
    its score nearly is: its NAME.mid is timed as the recording. Take the renditions of the set as it is without recordings
    for that. Raises UserError naming the file where NAME.mid is missing, as for a score that only its tempo variants play.
    """
    with ThreadPoolExecutor(max_workers=available_cores()) as pool:
        return list(pool.map(lambda piece: _rendition(piece, config), pieces))


def _rendition(piece: Piece, config: GameConfig) -> Piece:
    score_path = find_score(place_of_score(piece.midi_path))
    midi_path = find_midi(score_path)
    if not midi_path.is_file():
        raise UserError(f"{midi_path}: is missing; it is to tell how the score of {piece.name} sounds as written")
    performance = load_performance(midi_path, config, default_sound_font(), source=midi_path)
    note_frames = onset_frames(performance.onsets, config.spectrogram_params.fps)
    frames, x = merge_onsets(read_score(score_path), note_frames, score_path)
    return replace(
        piece, onset_frames=frames, onset_x=x, spectrogram=performance.spectrogram, midi_path=midi_path, source=midi_path
    )
