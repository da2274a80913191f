"""Recorded audio files and the level every performance is brought to."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.errors import UserError

RECORDING_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")


@dataclass(frozen=True)
class Audio:
    """samples: float32 (n,), full scale 1; rate in Hz."""

    samples: np.ndarray
    rate: int


def is_recording(path: Path) -> bool:
    """By its name, in upper or lower case."""
    return path.suffix.lower() in RECORDING_SUFFIXES


def load_recording(path: Path, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Any file librosa reads -> float32 (n,) mono at `rate` Hz (soxr where the file's rate differs).

    Raises UserError naming the file when it cannot be read or holds no samples.
    """
    import librosa  # slow to import, and most pieces need no decoder

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the decoders it tries; a failure is reported below
            samples, _ = librosa.load(path, sr=rate, mono=True)
    except Exception as error:  # decoders raise many kinds; each means that this file is no audio we can read
        reason = " ".join(str(error).split()) or "no decoder knows it"
        raise UserError(f"{path}: cannot be read as audio ({reason})") from None
    if not len(samples):
        raise UserError(f"{path}: holds no audio")
    return samples


def set_peak(samples: np.ndarray, peak: float) -> np.ndarray:
    """Float samples scaled so that the loudest is `peak` (1 = full scale); silence stays silence.

    log10(1 + magnitude) depends on the level, so every source is brought to the one the agents know.
    """
    loudest = np.abs(samples).max(initial=0.0)
    return samples * np.float32(peak / loudest) if loudest > 0 else samples
