"""Audio recordings, and the scaling of audio to one peak level."""

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
    """samples: float32 (n,), full scale is 1; rate: Hz."""

    samples: np.ndarray
    rate: int


def is_recording(path: Path) -> bool:
    """Whether the file name has the suffix of a recording, in upper or lower case."""
    return path.suffix.lower() in RECORDING_SUFFIXES


def load_recording(path: Path, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read a recording in any format that librosa reads, resampled to `rate` Hz by soxr where necessary.

    Returns float32 (n,), mono. Raises UserError naming the file when it cannot be read or holds no samples.
    """
    import librosa  # slow to import, and most pieces have no recording

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about decoders that it tries in turn; the final failure is reported below
            samples, _ = librosa.load(path, sr=rate, mono=True)
    except Exception as error:  # decoders raise exceptions of many kinds, all for files that cannot be read
        reason = " ".join(str(error).split()) or "no decoder knows it"
        raise UserError(f"{path}: cannot be read as audio ({reason})") from None
    if not len(samples):
        raise UserError(f"{path}: holds no audio")
    return samples


def set_peak(samples: np.ndarray, peak: float) -> np.ndarray:
    """Scale float samples to a peak of `peak` (1 = full scale); silence is returned unchanged.

    log10(1 + magnitude) depends on the level, so every source is scaled to the level that the agents were trained with.
    """
    loudest = np.abs(samples).max(initial=0.0)
    return samples * np.float32(peak / loudest) if loudest > 0 else samples
