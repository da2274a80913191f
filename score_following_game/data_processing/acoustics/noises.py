"""Noise: what else is heard in a room."""

from __future__ import annotations

import numpy as np

from score_following_game.data_processing.acoustics.filters import filtered

STEADY = ("white", "pink", "hum", "babble")
SUDDEN = ("clicks", "coughs")
SPEECH = (200.0, 3000.0)  # Hz
COUGH = (0.15, 0.5)  # seconds


def with_noise(
    samples: np.ndarray, kind: str, decibels: float, rate: int, random: np.random.Generator, per_minute: float = 6.0
) -> np.ndarray:
    """Add noise to samples, float (n,): float32 (n,).

    kind: one of STEADY, `decibels` below the mean power of the sounding samples; or one of SUDDEN, whose peaks are `decibels`
    above the largest sample, `per_minute` times a minute, at random moments.
    """
    n = len(samples)
    if kind in SUDDEN:
        peak = float(np.abs(samples).max(initial=0)) * 10 ** (decibels / 20)
        return (samples + peak * _sudden(kind, n, rate, per_minute, random)).astype(np.float32)
    noise = {"white": _white, "pink": _pink, "hum": _hum, "babble": _babble}[kind](n, rate, random)
    return (samples + noise * (_loudness(samples) * 10 ** (-decibels / 20) / max(noise.std(), 1e-12))).astype(np.float32)


def _loudness(samples: np.ndarray) -> float:
    """The root mean square of the samples that are not silent."""
    sounding = samples[np.abs(samples) > 0.01 * np.abs(samples).max(initial=0)]
    return float(np.sqrt((sounding.astype(np.float64) ** 2).mean())) if len(sounding) else 0.0


def _white(n: int, rate: int, random: np.random.Generator) -> np.ndarray:
    return random.normal(size=n)


def _pink(n: int, rate: int, random: np.random.Generator) -> np.ndarray:
    return filtered(_white(n, rate, random), rate, lambda frequency: 1 / np.sqrt(np.maximum(frequency, 20)))


def _hum(n: int, rate: int, random: np.random.Generator) -> np.ndarray:
    """Mains hum: 50 or 60 Hz and its overtones."""
    period = rate  # samples: a second, a whole number of periods of every overtone
    time, base = np.arange(period) / rate, random.choice([50.0, 60.0])
    overtones = zip(range(1, 9), random.uniform(0.1, 1, 8), random.uniform(0, 2 * np.pi, 8))
    second = sum(weight / order * np.sin(2 * np.pi * base * order * time + phase) for order, weight, phase in overtones)
    return np.resize(second, n)


def _babble(n: int, rate: int, random: np.random.Generator) -> np.ndarray:
    """Several voices without words: noise in the band of speech, whose loudness changes as syllables do."""
    voices = filtered(_white(n, rate, random), rate, _speech)
    syllables = max(2, int(n / rate * 5))
    loudness = np.interp(np.arange(n), np.linspace(0, n, syllables), random.gamma(1.0, 1.0, syllables))
    return voices * loudness


def _sudden(kind: str, n: int, rate: int, per_minute: float, random: np.random.Generator) -> np.ndarray:
    """Float64 (n,) with a peak of about 1 at random moments."""
    result = np.zeros(n)
    for start in random.integers(0, max(1, n), max(1, round(per_minute * n / rate / 60))):
        size = int((random.uniform(*COUGH) if kind == "coughs" else random.uniform(0.0005, 0.008)) * rate) + 1
        burst = random.normal(size=size) * np.hanning(size + 2)[1:-1]
        burst = filtered(burst, rate, _speech) if kind == "coughs" else burst
        burst *= random.uniform(0.7, 1.0) / max(np.abs(burst).max(), 1e-12)
        result[start : start + size] += burst[: n - start]
    return result


def _speech(frequency: np.ndarray) -> np.ndarray:
    """The spectrum of speech, by frequency in Hz."""
    return ((frequency > SPEECH[0]) & (frequency < SPEECH[1])) / np.maximum(frequency, SPEECH[0])
