"""The 78-band log-frequency spectrogram of audio samples (paper, section 3.2; in 2018 computed by madmom)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import soxr

from score_following_game.data_processing.long_sound import SampleFile

_FRAMES = 2**14  # that are computed at once
SAMPLE_RATE = 22050
FRAME_SIZE = 2048
FPS = 20
BANDS_PER_OCTAVE = 12
LOWEST, HIGHEST, REFERENCE = 60.0, 6000.0, 440.0  # Hz


def compute_spectrogram(
    samples: np.ndarray,
    sample_rate: int = SAMPLE_RATE,
    *,
    rate: int = SAMPLE_RATE,
    frame_size: int = FRAME_SIZE,
    fps: int = FPS,
) -> np.ndarray:
    """Compute the log-frequency spectrogram of a recording; its level is not changed.

    samples: int16 or float, (n,) or (n, channels), at `sample_rate` Hz; resampled to `rate` Hz where that differs.
    Returns float32 (78, ceil(n * fps / rate)): log10(1 + filtered magnitude); frame k is centred on second k / fps.
    Raises ValueError for samples of another type or shape.
    """
    return compress(band_magnitudes(samples, sample_rate, rate=rate, frame_size=frame_size, fps=fps))


def band_magnitudes(
    samples: np.ndarray | SampleFile,
    sample_rate: int = SAMPLE_RATE,
    *,
    rate: int = SAMPLE_RATE,
    frame_size: int = FRAME_SIZE,
    fps: int = FPS,
) -> np.ndarray:
    """What `compute_spectrogram`, which has the same arguments and errors, takes the logarithm of: float32 (78, frames)."""
    if not isinstance(samples, SampleFile):
        samples = to_mono(samples)
        if sample_rate != rate:
            samples = resample(samples, sample_rate, rate)
    # Integer full scale counts as 1. The window is scaled instead of the samples, which saves a copy.
    window = np.hanning(frame_size)
    if isinstance(samples, np.ndarray) and samples.dtype == np.int16:
        window = window / np.iinfo(np.int16).max
    hop, filters = rate / fps, filterbank(rate, frame_size)
    n_frames = int(np.ceil(len(samples) / hop))
    bands = np.empty((n_frames, filters.shape[1]), np.float32)
    for first in range(0, n_frames, _FRAMES):  # in parts, so that hours of audio fit into memory
        last = min(first + _FRAMES, n_frames)
        bands[first:last] = _magnitudes(samples, window, hop, first, last) @ filters
    return bands.T


def compress(magnitudes: np.ndarray) -> np.ndarray:
    """log10(1 + magnitude), float32 of the same shape."""
    return np.log10(magnitudes + np.float32(1)).astype(np.float32)


def to_mono(samples: np.ndarray) -> np.ndarray:
    """Average (n, channels) over the channels. Returns (n,) of the same type; integers are truncated toward zero."""
    samples = np.asarray(samples)
    if samples.dtype != np.int16 and samples.dtype.kind != "f":
        raise ValueError(f"samples are {samples.dtype}, expected int16 or float")
    if samples.ndim == 1:
        return samples
    if samples.ndim != 2 or not samples.shape[1]:
        raise ValueError(f"samples have shape {samples.shape}, expected (n,) or (n, channels)")
    return samples.mean(axis=1).astype(samples.dtype)


def resample(samples: np.ndarray, sample_rate: int, rate: int) -> np.ndarray:
    """Resample (n,) to `rate` Hz (soxr, high quality). Returns float32 (m,); int16 full scale becomes 1."""
    return soxr.resample(to_float(samples), sample_rate, rate, quality="HQ")


def to_float(samples: np.ndarray) -> np.ndarray:
    """The samples as float32; int16 full scale becomes 1."""
    return (samples / np.float32(np.iinfo(np.int16).max) if samples.dtype == np.int16 else samples).astype(np.float32)


def _magnitudes(samples: np.ndarray | SampleFile, window: np.ndarray, hop: float, first: int, last: int) -> np.ndarray:
    """Short-time magnitudes of (n,), of the frames from `first` to before `last`: float32 (frames, frame_size // 2), without
    the Nyquist bin.

    Frame k is centred on sample int(k * hop); the signal is padded with zeros.
    """
    size = len(window)
    starts = (np.arange(first, last) * hop).astype(np.int64) - size // 2
    begin, end = int(starts[0]), int(starts[-1]) + size
    within = samples[max(0, begin) : min(end, len(samples))]
    padded = np.concatenate([np.zeros(max(0, -begin)), within, np.zeros(max(0, end - max(begin, 0) - len(within)))])
    magnitudes = np.empty((last - first, size // 2), np.float32)
    for block in range(0, last - first, 256):
        places = (starts[block : block + 256, None] - begin) + np.arange(size)
        spectrum = np.fft.rfft(padded[places] * window, axis=1)[:, : size // 2]
        magnitudes[block : block + 256] = np.abs(spectrum.astype(np.complex64))
    return magnitudes


@lru_cache(maxsize=8)
def filterbank(rate: int = SAMPLE_RATE, frame_size: int = FRAME_SIZE) -> np.ndarray:
    """float32 (frame_size // 2, bands): triangular filters, each of sum 1, a semitone apart on a 440 Hz grid.

    Their corners lie on FFT bins.
    """
    n_bins = frame_size // 2
    steps = np.arange(
        np.floor(BANDS_PER_OCTAVE * np.log2(LOWEST / REFERENCE)), np.ceil(BANDS_PER_OCTAVE * np.log2(HIGHEST / REFERENCE))
    )
    centres = REFERENCE * 2 ** (steps / BANDS_PER_OCTAVE)
    centres = centres[(centres >= LOWEST) & (centres <= HIGHEST)]
    corners = _nearest_bins(centres, np.arange(n_bins) * rate / frame_size)
    bank = np.zeros((n_bins, len(corners) - 2), np.float32)
    # Duplicate corners are kept, so low bands may share bins: the number of bands must not depend on the frame size.
    for band, (start, centre, stop) in enumerate(zip(corners, corners[1:], corners[2:])):
        if stop - start < 2:
            centre, stop = start, start + 1
        bank[start:centre, band] = np.linspace(0, 1, centre - start, endpoint=False)
        bank[centre:stop, band] = np.linspace(1, 0, stop - centre, endpoint=False)
        bank[:, band] /= bank[:, band].sum()
    return bank


def _nearest_bins(frequencies: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Index of the bin nearest to each frequency, ties to the upper one; from 1 to len(bins) - 1."""
    upper = np.clip(np.searchsorted(bins, frequencies), 1, len(bins) - 1)
    return upper - (frequencies - bins[upper - 1] < bins[upper] - frequencies)
