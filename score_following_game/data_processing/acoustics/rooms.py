"""Rooms and microphones: impulse responses whose direct sound comes first, so that onsets stay where they are."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve, sosfilt

from score_following_game.data_processing.acoustics.filters import filtered

SPEED_OF_SOUND = 343.0  # m/s
SIDES = ((2.5, 2.5, 2.2), (20.0, 15.0, 8.0))  # of rooms: least and largest length, width, height, metres
REFLECTIONS = 4  # order of the early reflections
MIXED = 0.05  # seconds after the direct sound: from here on the reflections are a diffuse tail
DIRECT = (-4.0, 12.0)  # decibels of the direct sound relative to the reflected sound
REVERBERATION = (0.2, 3.0)  # seconds in which the sound decays by 60 dB
KNOTS, CURVE = 8, 4.0  # of a microphone's curve: points on a logarithmic axis, standard deviation in decibels
LOW_CUT, HIGH_CUT = (30.0, 180.0), (4000.0, 10500.0)  # Hz


def draw_room(rate: int, random: np.random.Generator, seconds: float | None = None) -> np.ndarray:
    """An impulse response, float64 (n,) at `rate` Hz, with the direct sound, 1, first.

    seconds: the reverberation time; by default drawn. The early reflections are those of a box (image sources, computed by
    pyroomacoustics), the tail is noise that decays, in the treble faster than in the bass.
    """
    seconds = float(np.exp(random.uniform(*np.log(REVERBERATION)))) if seconds is None else seconds
    early = _early_reflections(rate, random)
    reflected = _tail(rate, seconds, random)
    mixed = np.zeros(max(len(early), len(reflected)))
    mixed[: len(reflected)] = reflected
    shared = min(len(early), int(MIXED * rate))
    mixed[1:shared] += early[1:shared] / max(np.sqrt((early[1:shared] ** 2).sum()), 1e-9) * np.sqrt((reflected**2).sum()) * 0.7
    mixed[0] = 0
    mixed *= 10 ** (-random.uniform(*DIRECT) / 20) / max(np.sqrt((mixed**2).sum()), 1e-9)
    mixed[0] = 1
    return mixed


def in_room(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Samples, float (n,), as heard in a room: float32 (n,)."""
    return fftconvolve(samples.astype(np.float32), response.astype(np.float32))[: len(samples)]


def through_microphone(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    """Samples, float (n,), with another frequency response and no delay: float32 (n,)."""
    knots = np.linspace(np.log2(40), np.log2(rate / 2), KNOTS)
    curve = random.normal(0, CURVE, KNOTS)
    low, high = random.uniform(*LOW_CUT), random.uniform(*HIGH_CUT)

    def gain(frequency: np.ndarray) -> np.ndarray:
        decibels = np.interp(np.log2(np.maximum(frequency, 20)), knots, curve)
        edges = (1 + (low / np.maximum(frequency, 1)) ** 4) * (1 + (frequency / high) ** 4)
        return 10 ** (decibels / 20) / np.sqrt(edges)

    return filtered(samples, rate, gain)


def _early_reflections(rate: int, random: np.random.Generator) -> np.ndarray:
    """The response of a box to the first orders, from the direct sound on."""
    import pyroomacoustics  # slow to import

    size = random.uniform(*SIDES)
    source, microphone = (random.uniform(0.15, 0.85, 3) * size for _ in range(2))
    material = pyroomacoustics.Material(float(random.uniform(0.1, 0.6)))
    room = pyroomacoustics.ShoeBox(size, fs=rate, materials=material, max_order=REFLECTIONS)
    room.add_source(source)
    room.add_microphone(microphone)
    room.compute_rir()
    response = np.asarray(room.rir[0][0], np.float64)
    arrival = np.linalg.norm(source - microphone) / SPEED_OF_SOUND * rate
    first = round(arrival) + pyroomacoustics.constants.get("frac_delay_length") // 2
    return response[min(first, len(response) - 1) :]


def _tail(rate: int, seconds: float, random: np.random.Generator) -> np.ndarray:
    """Decaying noise, float64 (n,): silent at first, diffuse after MIXED seconds."""
    n = int(min(1.2 * seconds, 3.6) * rate) + 1
    time = np.arange(n) / rate
    noise = random.normal(size=n)
    share = np.exp(-2 * np.pi * 1500 / rate)
    low = sosfilt([[1 - share, 0, 0, 1, -share, 0]], noise)  # below about 1.5 kHz
    treble = random.uniform(0.3, 0.8)  # of the reverberation time
    tail = low * 10 ** (-3 * time / seconds) + (noise - low) * 10 ** (-3 * time / (treble * seconds))
    return tail * (1 - np.exp(-((time / MIXED) ** 2)))
