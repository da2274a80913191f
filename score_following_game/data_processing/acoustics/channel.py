"""What happens to sound on its way: drifting gain, another tuning, wow, and lossy coding."""

from __future__ import annotations

import numpy as np
from scipy.signal import istft, stft

DRIFT = 4.0  # seconds between two independent gains
WINDOW = 1024  # of the coding, samples
BANDS = 24  # of the coding


def with_drifting_gain(samples: np.ndarray, decibels: float, rate: int, random: np.random.Generator) -> np.ndarray:
    """A gain that changes slowly within +-`decibels`. Returns float32 (n,)."""
    n = len(samples)
    knots = random.uniform(-decibels, decibels, int(n / rate / DRIFT) + 2)
    drift = np.interp(np.arange(n) / rate, np.arange(len(knots)) * DRIFT, knots)
    return (samples * 10 ** (drift / 20)).astype(np.float32)


def retuned(samples: np.ndarray, cents: float) -> tuple[np.ndarray, float]:
    """Play samples, float (n,), faster or slower, so that they sound `cents` higher.

    Returns float32 (m,), and the factor for times in them.
    """
    factor = 2 ** (-cents / 1200)
    moments = np.arange(int(len(samples) * factor)) / factor
    return np.interp(moments, np.arange(len(samples)), samples).astype(np.float32), factor


def with_wow(samples: np.ndarray, depth: float, hertz: float, rate: int) -> np.ndarray:
    """A tape that runs unevenly. depth: largest relative change of speed, for instance 0.005. Returns float32 (n,).

    Sounds move by at most depth / (pi * hertz) seconds.
    """
    time = np.arange(len(samples)) / rate
    moved = (time + depth / (2 * np.pi * hertz) * np.sin(2 * np.pi * hertz * time)) * rate
    return np.interp(moved, np.arange(len(samples)), samples).astype(np.float32)


def coded(samples: np.ndarray, rate: int, decibels: float, highest: float) -> np.ndarray:
    """Samples after lossy coding in the manner of mp3: float32 (n,), not delayed.

    Of every moment and band of the spectrum what lies more than `decibels` below its loudest bin is left out, and what lies
    above `highest` Hz.
    """
    if len(samples) < WINDOW:
        return samples.astype(np.float32)
    frequency, _, spectrum = stft(samples, rate, nperseg=WINDOW)
    magnitude = np.abs(spectrum)
    edges = np.unique(np.geomspace(1, len(frequency), BANDS + 1).astype(int)) - 1
    floor = np.maximum.reduceat(magnitude, edges[:-1], axis=0).repeat(np.diff([*edges[:-1], len(frequency)]), axis=0)
    kept = (magnitude >= floor * 10 ** (-decibels / 20)) & (frequency[:, None] <= highest)
    return istft(spectrum * kept, rate, nperseg=WINDOW)[1][: len(samples)].astype(np.float32)
