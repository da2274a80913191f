"""The spectrogram of a performance that is still being played: frames as their samples arrive."""

from __future__ import annotations

import math

import numpy as np

from score_following_game.config import BANDS, SpectrogramParams
from score_following_game.data_processing.spectrogram import compute_spectrogram, to_mono


class StreamingSpectrogram:
    """Gives the frames of `compute_spectrogram` one after the other, whatever the size of the blocks the samples come in.

    A frame needs the half frame after its centre: with 2048 samples at 22 050 Hz it comes out 1024 samples (46.4 ms) after
    the moment it stands for. At 20 frames a second that is 3.6 ms before the next frame's moment, and what right_most games
    look at in frame f ends with frame f - 1: they wait for nothing.
    """

    def __init__(self, params: SpectrogramParams | None = None) -> None:
        self.params = params or SpectrogramParams()
        self._hop = self.params.sample_rate / self.params.fps
        # Every so many frames one is centred on a whole sample: frames counted from there have the centres they have in
        # the whole signal (exactly where the hop is a binary fraction, as 1102.5; else one in many may be a sample off).
        common = math.gcd(self.params.sample_rate, self.params.fps)
        self._cycle_frames, self._cycle_samples = self.params.fps // common, self.params.sample_rate // common
        self._samples = np.zeros(0, np.float32)  # from the centre of frame `_first` on, which begins a cycle
        self._first = 0
        self._given = 0  # frames

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples -> float32 (78, n), n >= 0: the new frames whose samples have all arrived.

        samples: int16 or float, (n,) or (n, channels), at the parameters' rate, one type for the whole signal; their level is
        left as it is. Raises ValueError for another type or shape.
        """
        samples = to_mono(samples)
        if len(self._samples) and samples.dtype != self._samples.dtype:
            raise ValueError(f"samples are {samples.dtype}, those before were {self._samples.dtype}")
        self._samples = np.concatenate([self._samples, samples]) if len(self._samples) else samples.copy()
        after_centre = self.params.frame_size - self.params.frame_size // 2
        return self._take(self._frames_within(len(self._samples) - after_centre + 1))

    def finish(self) -> np.ndarray:
        """The signal has ended and no push follows -> float32 (78, n): its last frames, which reach into silence."""
        return self._take(self._frames_within(len(self._samples)))

    def _frames_within(self, n: int) -> int:
        """Number of the first frame that is centred on the n-th of the kept samples or after it."""
        return self._first + math.ceil(n / self._hop)

    def _take(self, end: int) -> np.ndarray:
        """The frames before `end` that have not been given yet."""
        if end <= self._given:
            return np.zeros((BANDS, 0), np.float32)
        rate = self.params.sample_rate
        spectrogram = compute_spectrogram(
            self._samples, rate, rate=rate, frame_size=self.params.frame_size, fps=self.params.fps
        )
        new = spectrogram[:, self._given - self._first : end - self._first]
        self._given = end
        self._forget()
        return new

    def _forget(self) -> None:
        """Drop the whole cycles that end before the next frame's first sample."""
        begins = int((self._given - self._first) * self._hop) - self.params.frame_size // 2
        cycles = max(0, begins // self._cycle_samples)
        self._samples = self._samples[cycles * self._cycle_samples :]
        self._first += cycles * self._cycle_frames
