"""The level of music, which clicks, coughs and drums do not change, and the gain that brings it to the level of the agents.

log10(1 + magnitude) depends on the level, so every source of sound is scaled to one level. The published audio was played at
one gain and reaches a peak of 0.134 of full scale. The peak itself is no measure of a recording: one click sets it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from score_following_game.data_processing.long_sound import SampleFile

BLOCKS = 20  # per frame
BURSTS = 2  # so many of them may be clicks
TONE = 13  # bands: a tone is what rises above the median of its octave
LOWEST_BAND = 16  # of the flatness, about 150 Hz: lower bands share bins
MUSIC = 0.4  # flatness of the spectrum (geometric by arithmetic mean), above which a frame is noise
LOUD = 0.3  # of the loudest frames' tones
CREST, ABOVE = 97, 1.26  # percentile of the ratio of steady peak and tones, and how much higher a peak may be (2 dB)
FAINTEST = 0.004  # equivalent peak; what is fainter is not raised further
_FRAMES, _BLOCKS_AT_ONCE = 2**14, 2**14
MEMORY = 30.0  # seconds of sound from which a running level is measured
RISE, FALL = 3.0, 60.0  # dB per second: how fast a running gain follows


@dataclass(frozen=True)
class FrameLevels:
    """Of n frames of sound, float (n,) each.

    peak: the largest sample, 1 = full scale. steady_peak: the same, bursts of a few milliseconds aside. tones: the magnitude of
    the spectrum's peaks. flatness: of the spectrum, from 0 for a tone to about 1 for noise.
    """

    peak: np.ndarray
    steady_peak: np.ndarray
    tones: np.ndarray
    flatness: np.ndarray

    def join(self, other: FrameLevels, longest: int) -> FrameLevels:
        """These frames and the others after them, but only the last `longest`."""
        pairs = ((getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return FrameLevels(*(np.concatenate(pair)[-longest:] for pair in pairs))

    def __getitem__(self, frames: slice) -> FrameLevels:
        """Some of the frames."""
        return FrameLevels(*(getattr(self, field.name)[frames] for field in fields(self)))


def frame_levels(samples: np.ndarray | SampleFile, magnitudes: np.ndarray, hop: float) -> FrameLevels:
    """Measure frames. samples: float (n,), 1 = full scale; magnitudes: of its bands, (78, frames); hop: samples per frame."""
    blocks = np.sort(_block_peaks(samples, magnitudes.shape[1], hop), axis=1)
    parts = [_tones_and_flatness(magnitudes[:, first : first + _FRAMES]) for first in range(0, magnitudes.shape[1], _FRAMES)]
    tones, flatness = np.concatenate(parts, axis=1) if parts else np.zeros((2, 0))
    return FrameLevels(blocks[:, -1], blocks[:, -1 - BURSTS], tones, flatness)


def tones_of(magnitudes: np.ndarray) -> np.ndarray:
    """The magnitude of the spectrum's peaks of frames, float (78, n): float64 (n,)."""
    from scipy.ndimage import median_filter  # a third of a second to import, which most processes need not wait for

    magnitudes = magnitudes.astype(np.float64)
    return np.linalg.norm((magnitudes - median_filter(magnitudes, (TONE, 1))).clip(min=0), axis=0)


def _tones_and_flatness(magnitudes: np.ndarray) -> np.ndarray:
    """Of n frames, float64 (2, n)."""
    upper = magnitudes[LOWEST_BAND:].astype(np.float64) + 1e-9
    return np.array([tones_of(magnitudes), np.exp(np.log(upper).mean(axis=0)) / upper.mean(axis=0)])


def equivalent_peak(levels: FrameLevels) -> float:
    """The peak of music, 1 = full scale; 0 for silence.

    It is the largest sample, except that noise-like frames do not count and that no frame counts for more than its tones
    allow: the ratio of peak and tones is limited to that of the music's other loud frames. On MIDI files played by a piano it
    was the peak within 0.8 dB (24 folk tunes, 24 piano pieces); clicks and coughs 20 dB above the peak changed it by 0, drums
    6 dB above it by up to 1 dB, white noise 10 dB below the music by up to 1.3 dB.
    """
    if not levels.tones.any() or not levels.peak.any():
        return 0.0
    loud = levels.tones >= LOUD * np.percentile(levels.tones, 95)
    music = levels.flatness <= max(MUSIC, np.percentile(levels.flatness[loud], 20))
    crest = ABOVE * np.percentile(levels.steady_peak[loud & music] / levels.tones[loud & music], CREST)
    return float(np.minimum(levels.peak, crest * levels.tones)[music].max())


def gain_for(level: float, samples: np.ndarray | SampleFile, magnitudes: np.ndarray, hop: float) -> float:
    """The factor that brings music to the equivalent peak `level`; 1 for silence. Arguments as for `frame_levels`."""
    own = equivalent_peak(frame_levels(samples, magnitudes, hop))
    return level / own if own > 0 else 1.0


class RunningGain:
    """The gain for music in progress: it follows the level of the last half minute, down at once and up slowly."""

    def __init__(self, level: float, fps: int) -> None:
        """level: the equivalent peak that the music is brought to. fps: frames per second."""
        self.level, self.fps = level, fps
        self.gain = 1.0
        self._begun = False
        self._heard = FrameLevels(*[np.zeros(0)] * len(fields(FrameLevels)))

    def push(self, levels: FrameLevels) -> np.ndarray:
        """The gains for the next frames: float64 (n,). Before anything louder than FAINTEST was heard the gain is 1."""
        n = len(levels.peak)
        gains = np.empty(n)
        longest = round(MEMORY * self.fps)
        before, self._heard = self._heard, self._heard.join(levels, longest + n)
        for frame in range(n):
            gains[frame] = self._next(before.join(levels[: frame + 1], longest))
        return gains

    def _next(self, heard: FrameLevels) -> float:
        own = equivalent_peak(heard)
        if not self._begun and own < FAINTEST:
            return self.gain
        target = self.level / max(own, FAINTEST)
        if self._begun:
            slowest, fastest = (10 ** (decibel / 20 / self.fps) for decibel in (-FALL, RISE))
            target = float(np.clip(target, self.gain * slowest, self.gain * fastest))
        self.gain, self._begun = target, True
        return self.gain


def _block_peaks(samples: np.ndarray | SampleFile, n: int, hop: float) -> np.ndarray:
    """The largest samples of the BLOCKS blocks around each of n frames' centres: (n, BLOCKS)."""
    size = max(1, int(hop // BLOCKS))
    step = size * _BLOCKS_AT_ONCE
    parts = [_loudest(samples[start : start + step], size) for start in range(0, len(samples), step)]
    loudest = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    first = ((np.arange(n) - 0.5) * hop // size).astype(np.int64)
    padded = np.pad(loudest, (BLOCKS, 2 * BLOCKS))
    return padded[(first + BLOCKS)[:, None].clip(0, len(padded) - BLOCKS) + np.arange(BLOCKS)]


def _loudest(samples: np.ndarray, size: int) -> np.ndarray:
    """The largest of each `size` samples."""
    return np.abs(np.pad(samples, (0, -len(samples) % size))).reshape(-1, size).max(axis=1)
