"""The spectrogram of a performance in progress: frames are computed as their samples arrive."""

from __future__ import annotations

import math

import numpy as np

from score_following_game.config import BANDS, SpectrogramParams
from score_following_game.data_processing.level import RunningGain, frame_levels
from score_following_game.data_processing.spectrogram import band_magnitudes, compress, to_float, to_mono


class StreamingSpectrogram:
    """Computes the frames of `compute_spectrogram`, one after the other, from blocks of samples of any size.

    A frame needs the half frame of samples after its centre: with 2048 samples at 22 050 Hz it is complete 1024 samples
    (46.4 ms) after its moment. At 20 frames per second that is 3.6 ms before the next frame's moment. In a right_most game the
    observation at frame f ends with frame f - 1, so such a game never waits for a frame.
    """

    def __init__(self, params: SpectrogramParams | None = None, gain: float | RunningGain = 1.0) -> None:
        """gain: a factor for the samples, or one that follows the level of the sound (a microphone's is not known before)."""
        self.params = params or SpectrogramParams()
        self.gain = gain
        self._hop = self.params.sample_rate / self.params.fps
        # After each cycle a frame is centred on a whole sample. Frames counted from there have the same centres as in the
        # whole signal (exactly where the hop is a binary fraction like 1102.5; otherwise a few may be one sample off).
        common = math.gcd(self.params.sample_rate, self.params.fps)
        self._cycle_frames, self._cycle_samples = self.params.fps // common, self.params.sample_rate // common
        self._samples = np.zeros(0, np.float32)  # begins at the centre of frame `_first`, which begins a cycle
        self._first = 0
        self._returned = 0  # frames

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Add the next samples. Returns the frames they complete, float32 (78, n), n >= 0.

        samples: int16 or float, (n,) or (n, channels), at the sample rate of the parameters, of one type for the whole signal.
        Raises ValueError for another type or shape.
        """
        samples = to_mono(samples)
        if len(self._samples) and samples.dtype != self._samples.dtype:
            raise ValueError(f"samples are {samples.dtype}, earlier ones were {self._samples.dtype}")
        self._samples = np.concatenate([self._samples, samples]) if len(self._samples) else samples.copy()
        after_centre = self.params.frame_size - self.params.frame_size // 2
        return self._take(self._frames_within(len(self._samples) - after_centre + 1))

    def finish(self) -> np.ndarray:
        """End the signal. Returns its last frames, float32 (78, n), which extend into silence."""
        return self._take(self._frames_within(len(self._samples)))

    def _frames_within(self, n: int) -> int:
        """Index of the first frame whose centre is at or after the n-th kept sample."""
        return self._first + math.ceil(n / self._hop)

    def _take(self, end: int) -> np.ndarray:
        """The frames before `end` that have not been returned yet."""
        if end <= self._returned:
            return np.zeros((BANDS, 0), np.float32)
        rate = self.params.sample_rate
        magnitudes = band_magnitudes(self._samples, rate, rate=rate, frame_size=self.params.frame_size, fps=self.params.fps)
        new = slice(self._returned - self._first, end - self._first)
        spectrogram = compress(magnitudes[:, new] * self._gains(magnitudes, new))
        self._returned = end
        self._drop_samples()
        return spectrogram

    def _gains(self, magnitudes: np.ndarray, new: slice) -> np.ndarray | np.float32:
        """The factor for all new frames, or one for each of them."""
        if not isinstance(self.gain, RunningGain):
            return np.float32(self.gain)
        return self.gain.push(frame_levels(to_float(self._samples), magnitudes, self._hop)[new]).astype(np.float32)

    def _drop_samples(self) -> None:
        """Drop the samples of whole cycles that the next frame does not need."""
        begins = int((self._returned - self._first) * self._hop) - self.params.frame_size // 2
        cycles = max(0, begins // self._cycle_samples)
        self._samples = self._samples[cycles * self._cycle_samples :]
        self._first += cycles * self._cycle_frames
