"""A piece: a long sheet image, where its notes stand in it, and the performance heard with it."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from score_following_game.config import GameConfig
from score_following_game.data_processing.performance import load_performance
from score_following_game.data_processing.score_npz import Score, read_score
from score_following_game.errors import UserError


@dataclass(frozen=True)
class Piece:
    """One piece as it was on disk, unpadded.

    sheet: uint8 (H, W). onset_frames: int64 (K,) ascending, distinct. onset_x: float32 (K,) pixels, the notehead heard at
    each of them. spectrogram: float32 (78, frames). x_falls: how often x falls from one onset to the next.
    """

    name: str
    sheet: np.ndarray
    onset_frames: np.ndarray
    onset_x: np.ndarray
    spectrogram: np.ndarray
    midi_path: Path
    source: Path

    @property
    def x_falls(self) -> int:
        return int((np.diff(self.onset_x) < 0).sum())


def load_piece(score_path: Path, config: GameConfig, sound_font: Path | None = None, name: str | None = None) -> Piece:
    """Read NAME.npz, NAME.mid and the performance beside them.

    Raises UserError naming the piece's file: a partner missing or unreadable, no notes, note indices out of range, a sheet
    too small for the config.
    """
    midi_path = next((path for path in map(score_path.with_suffix, (".mid", ".MID")) if path.is_file()),
                     score_path.with_suffix(".mid"))
    if not score_path.is_file():
        raise UserError(f"{midi_path}: its score {score_path.name} is missing")
    if not midi_path.is_file():
        raise UserError(f"{score_path}: its performance {midi_path.name} is missing")
    score = read_score(score_path)
    if score.sheet.shape[0] < config.staff_height:
        raise UserError(f"{score_path}: sheet is {score.sheet.shape[0]} px high, the game config wants staff_height "
                        f"{config.staff_height}; choose a config that fits this data set")
    performance = load_performance(midi_path, config, sound_font)
    note_frames = onset_frames(performance.onsets, config.spectrogram_params.fps)
    frames, x = merge_onsets(score, note_frames, score_path)
    return Piece(name or score_path.stem, score.sheet, frames, x, performance.spectrogram, midi_path, performance.source)


def onset_frames(seconds: np.ndarray, fps: int) -> np.ndarray:
    """float64 (n,) seconds -> int64 (n,) frames, rounded up."""
    return np.ceil(seconds * fps).astype(np.int64)


def merge_onsets(score: Score, note_frames: np.ndarray, where: Path) -> tuple[np.ndarray, np.ndarray]:
    """One notehead per onset frame: the first in notehead order -> (frames int64 (K,), x float32 (K,)), by frame.

    note_frames: int64, the frame of each of the MIDI's notes by onset time. Raises UserError when coord2onset names a note
    that the MIDI does not have.
    """
    pairs = score.coord2onset[np.argsort(score.coord2onset[:, 0], kind="stable")]
    wrong = pairs[(pairs[:, 1] < 0) | (pairs[:, 1] >= len(note_frames))]
    if len(wrong):
        raise UserError(f"{where}: notehead {wrong[0, 0]} shows note {wrong[0, 1]}, but the MIDI has {len(note_frames)} "
                        "notes; the two files do not belong together")
    frames, first = np.unique(note_frames[pairs[:, 1]], return_index=True)
    return frames, score.coords[pairs[first, 0], 1]
