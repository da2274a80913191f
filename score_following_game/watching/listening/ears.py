"""From samples to frames of a live score: waits for the first note, then computes the spectrogram at the agent's level."""

from __future__ import annotations

import math

import numpy as np

from score_following_game.data_processing.level import RunningGain
from score_following_game.data_processing.streaming import StreamingSpectrogram
from score_following_game.environment.live import LiveScore
from score_following_game.watching.listening.first_note import FirstNote

QUIET = 0.003  # of full scale: a room louder than half of it raises the bound to twice its level
FALL = 20.0  # dB per second by which the meter falls
_LEAST = 1e-5  # -100 dB


class Ears:
    """Hears for a live score.

    Attributes:
        begins: seconds from the first sample to the beginning of the game; None before.
        level: the input's level, dB of full scale: its largest sample, from which it falls slowly.
        quiet: seconds since the last sample that was louder than the room.
    """

    def __init__(self, live: LiveScore, gain: float | None = None) -> None:
        """gain: in dB, for all samples; None: the level of the music is followed and brought to that of the agents."""
        self._live, self._decibels = live, gain
        self._rate = live.config.spectrogram_params.sample_rate
        self._first_note = FirstNote(live.config.spectrogram_params)
        self._spectrogram: StreamingSpectrogram | None = None
        self._peak = _LEAST
        self._bound = QUIET
        self.begins: float | None = None
        self.quiet = 0.0

    @property
    def waiting(self) -> bool:
        """Whether the music has not begun."""
        return self._spectrogram is None

    @property
    def level(self) -> float:
        return 20 * math.log10(self._peak)

    @property
    def seconds_waited(self) -> float:
        return self._first_note.seconds

    @property
    def loudest(self) -> float:
        """The largest sample before the music began, 1 = full scale."""
        return self._first_note.loudest

    @property
    def gain(self) -> float:
        """The gain at present, dB."""
        gain = self._spectrogram.gain if self._spectrogram else 10 ** ((self._decibels or 0.0) / 20)
        return 20 * math.log10(gain.gain if isinstance(gain, RunningGain) else gain)

    def push(self, samples: np.ndarray) -> None:
        """Hear the next samples, float32 (n,). Raises UserError when the score's capacity is exceeded."""
        seconds, peak = len(samples) / self._rate, float(np.abs(samples).max(initial=0.0))
        self._peak = max(peak, self._peak * 10 ** (-FALL * seconds / 20), _LEAST)
        self.quiet = 0.0 if peak > self._bound else self.quiet + seconds
        if self._spectrogram is not None:
            self._live.hear(self._spectrogram.push(samples))
        elif (first := self._first_note.push(samples)) is not None:
            self._begin(first)

    def begin(self) -> None:
        """Begin with the next sample, although no note was heard."""
        if self.waiting:
            self._begin(len(self._first_note.samples))

    def finish(self) -> None:
        """Hear the end of the sound."""
        if self._spectrogram is not None:
            self._live.hear(self._spectrogram.finish())

    def _begin(self, first: int) -> None:
        heard, sound = self._first_note, self._live.config.spectrogram_params
        self.begins = (heard.dropped + first) / self._rate
        self._bound = max(QUIET, 2 * heard.room)
        follows = RunningGain(self._live.config.audio_peak, sound.fps)
        self._spectrogram = StreamingSpectrogram(sound, follows if self._decibels is None else 10 ** (self._decibels / 20))
        self._live.hear(self._spectrogram.push(heard.samples[first:]))
