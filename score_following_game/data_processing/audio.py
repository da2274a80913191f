"""Audio recordings, and the scaling of audio to one peak level."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.errors import UserError
from score_following_game.optional_libraries import missing_library

READ_BY_AV = (".m4a", ".aac", ".wma", ".mka", ".wv", ".ape")  # the others are read by soundfile
RECORDING_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif", ".opus", *READ_BY_AV)
_UNREAD = (".mp4", ".m4b", ".mov", ".webm", ".caf", ".amr", ".ac3", ".mp2", ".au", ".ra", ".dsf")  # named in a message
_INAUDIBLE = 1e-4  # peak, 1 = full scale: three steps of 16-bit audio
_CANCELLED = 0.1  # power of the mix, relative to that of independent channels


@dataclass(frozen=True)
class Audio:
    """samples: float32 (n,), full scale is 1; rate: Hz."""

    samples: np.ndarray
    rate: int


@dataclass(frozen=True)
class Recording:
    """samples: float32 (n,), mono.  remarks: what is odd about the file, a phrase each."""

    samples: np.ndarray
    remarks: tuple[str, ...] = ()


def is_recording(path: Path) -> bool:
    """Whether the file name has the suffix of a recording, in upper or lower case."""
    return path.suffix.lower() in RECORDING_SUFFIXES


def unread_sound(paths: Iterable[Path]) -> str:
    """A message about the files with sound of a kind that is not read, "" if there are none."""
    names = sorted(path.name for path in paths if path.suffix.lower() in _UNREAD)
    return f"{', '.join(names[:5])}{' ...' * (len(names) > 5)}: not read; convert recordings to .wav or .flac" if names else ""


def load_recording(path: Path, rate: int = SAMPLE_RATE) -> np.ndarray:
    """The samples of `read_recording`, which raises the same errors."""
    return read_recording(path, rate).samples


def read_recording(path: Path, rate: int = SAMPLE_RATE) -> Recording:
    """Read a recording, mixed to one channel and resampled to `rate` Hz by soxr where necessary.

    Channels that cancel each other are not mixed; the loudest is taken. Raises UserError naming the file when it cannot be
    read, holds no samples or is silent.
    """
    import librosa  # slow to import, and most pieces have no recording

    channels, own_rate = _decode(path)
    if not channels.size:
        raise UserError(f"{path}: holds no audio")
    peak = float(np.abs(channels).max())
    if not peak >= _INAUDIBLE:
        raise UserError(
            f"{path}: is silent (its peak is {peak:.2g} of full scale); replace it, or move it away to hear the MIDI"
        )
    samples = librosa.to_mono(channels)
    remarks: tuple[str, ...] = ()
    if _cancel(channels, samples):
        loudest = int(np.argmax((channels**2).mean(axis=1)))
        samples = channels[loudest]
        remarks = (f"its channels cancel when they are mixed, so channel {loudest + 1} alone is heard",)
    return Recording(librosa.resample(samples, orig_sr=own_rate, target_sr=rate), remarks)


def recording_seconds(path: Path) -> float | None:
    """The length of a recording as its header states it, without decoding it; None where that is not known."""
    import soundfile

    if path.suffix.lower() in READ_BY_AV:
        if missing_library("", "sound", "av"):
            return None
        from score_following_game.data_processing.audio_av import stated_seconds

        return stated_seconds(path)
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, OSError):
        return None


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """float32 (n,) or (channels, n), and the sampling rate. Raises UserError when the file cannot be read."""
    import librosa

    if path.suffix.lower() in READ_BY_AV and (missing := missing_library(f"{path}: reading it", "sound", "av")):
        raise UserError(missing)
    try:
        if path.suffix.lower() in READ_BY_AV:
            from score_following_game.data_processing.audio_av import decode

            return decode(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about decoders that it tries in turn; the final failure is reported below
            samples, rate = librosa.load(path, sr=None, mono=False)
    except Exception as error:  # decoders raise exceptions of many kinds, all for files that cannot be read
        reason = " ".join(str(error).split()) or "no decoder knows it"
        raise UserError(f"{path}: cannot be read as audio ({reason})") from None
    return samples, int(rate)


def _cancel(channels: np.ndarray, mixed: np.ndarray) -> bool:
    """Whether channels, float32 (channels, n), nearly cancel in their mean."""
    if channels.ndim == 1 or len(channels) == 1:
        return False
    independent = float((channels.astype(np.float64) ** 2).mean()) / len(channels)
    return float((mixed.astype(np.float64) ** 2).mean()) < _CANCELLED * independent


def set_peak(samples: np.ndarray, peak: float) -> np.ndarray:
    """Scale float samples to a peak of `peak` (1 = full scale), for listeners; silence is returned unchanged."""
    loudest = np.abs(samples).max(initial=0.0)
    return samples * np.float32(peak / loudest) if loudest > 0 else samples
