"""Filters that do not delay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.fft


def filtered(samples: np.ndarray, rate: int, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Multiply the spectrum of samples, float (n,), by `gain` of the frequencies in Hz. Returns float32 (n,).

    The phase stays, so that sounds keep their places.
    """
    size = scipy.fft.next_fast_len(len(samples) + rate // 10, real=True)  # its end does not reach round to the beginning
    spectrum = scipy.fft.rfft(samples.astype(np.float32), size)
    spectrum *= gain(scipy.fft.rfftfreq(size, 1 / rate)).astype(np.float32)
    return scipy.fft.irfft(spectrum, size)[: len(samples)]
