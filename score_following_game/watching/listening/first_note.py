"""Hears when the music begins.

The room's spectrum is measured while nobody plays, and twice that is taken off every frame of 93 ms. What is left sounds when
its peaks are loud enough, also beside the room, and hold most of it: noise has none. The music begins with the first of LASTING
such frames in a row; a click is shorter, a cough is noise. Speech and tuning are tones, so they begin the game as music does.
"""

from __future__ import annotations

import numpy as np

from score_following_game.config import BANDS, SpectrogramParams
from score_following_game.data_processing.level import LOWEST_BAND, tones_of
from score_following_game.data_processing.streaming import StreamingSpectrogram

LASTING = 3  # frames
MEASURED = 0.5  # seconds; nothing is decided before
REMEMBERED = 3.0  # seconds of the room that count
# Magnitudes (a sine at full scale has about 250): the faintest peaks that count, about -50 dB, and the loudest room, about
# -42 dB: what is louder and there from the first sample is music, if it has peaks.
FAINTEST, LOUDEST_ROOM = 0.6, 2.0
BESIDE_ROOM = 0.5  # least peaks, relative to the room
PEAKED = 0.6  # least share of the peaks in what is left
BEFORE = 0.01  # seconds before the attack at which the music is taken to begin
_ATTACK = 0.25  # share of the first note's level at which its attack is found
_GRAIN = 64  # samples; the attack is found to this


class FirstNote:
    """Waits for the first note.

    Attributes:
        samples: float32 (n,), the latest that have been heard.
        dropped: how many samples came before these.
        loudest: the largest sample so far, 1 = full scale.
    """

    def __init__(self, params: SpectrogramParams) -> None:
        self.samples = np.zeros(0, np.float32)
        self.dropped = 0
        self.loudest = 0.0
        self._rate, self._hop = params.sample_rate, params.sample_rate / params.fps
        self._measured, self._remembered = round(MEASURED * params.fps), round(REMEMBERED * params.fps)
        self._spectrogram = StreamingSpectrogram(params)
        self._frames = np.zeros((BANDS - LOWEST_BAND, 0))  # the latest
        self._first = 0  # number of the first of them
        self._judged = LASTING - 1  # how many frames were

    @property
    def seconds(self) -> float:
        """How long it has listened."""
        return (self.dropped + len(self.samples)) / self._rate

    @property
    def room(self) -> float:
        """The level of the room: the median of its samples' peaks in blocks of 3 ms, 1 = full scale; 0 before it is known."""
        return self._level(len(self.samples) - round((LASTING + 2) * self._hop))

    def push(self, samples: np.ndarray) -> int | None:
        """Hear the next samples, float32 (n,). Returns with which of `samples` the music begins; None before that."""
        self.samples = np.concatenate([self.samples, samples])
        self.loudest = max(self.loudest, float(np.abs(samples).max(initial=0.0)))
        new = 10.0 ** self._spectrogram.push(samples)[LOWEST_BAND:] - 1
        if not new.shape[1]:
            return None
        self._frames = np.concatenate([self._frames, new], axis=1)
        if self._first + self._frames.shape[1] < self._measured:
            return None
        while self._judged < self._first + self._frames.shape[1]:
            first = self._judged - LASTING + 1
            if self._sounding(first):
                return self._attack(first)
            self._judged += 1
        self._forget()
        return None

    def _sounding(self, first: int) -> bool:
        """Whether LASTING frames sound, from number `first` on."""
        begin = first - self._first
        room = np.median(self._frames[:, max(0, begin - self._remembered) : max(begin, self._measured)], axis=1)
        if first + LASTING <= self._measured:  # they are measured themselves, and may be music
            room *= min(1.0, LOUDEST_ROOM / max(float(np.linalg.norm(room)), 1e-9))
        left = (self._frames[:, begin : begin + LASTING] - 2 * room[:, None]).clip(min=0)
        peaks, least = tones_of(left), max(FAINTEST, BESIDE_ROOM * float(np.linalg.norm(room)))
        return bool(((peaks > least) & (peaks > PEAKED * np.linalg.norm(left, axis=0))).all())

    def _attack(self, frame: int) -> int:
        """Where in `samples` the note begins that is heard in a frame and the next ones."""
        begin = max(0, round((frame - 1.5) * self._hop) - self.dropped)
        grains = _grains(self.samples[begin : begin + round(4 * self._hop)])
        loudest = float(grains.max(initial=0.0))
        loud = int(np.argmax(grains >= min(max(_ATTACK * loudest, 2 * self._level(begin)), loudest)))
        return max(0, begin + loud * _GRAIN - round(BEFORE * self._rate))

    def _level(self, end: int) -> float:
        grains = _grains(self.samples[: max(0, end)])
        return float(np.median(grains)) if len(grains) else 0.0

    def _forget(self) -> None:
        """Drop what is older than the room that counts."""
        keep = self._remembered + 2 * LASTING
        if (old := self._frames.shape[1] - 2 * keep) > 0:
            self._frames, self._first = self._frames[:, old:], self._first + old
        if (excess := len(self.samples) - round(2 * keep * self._hop)) > 0:
            self.samples, self.dropped = self.samples[excess:], self.dropped + excess


def _grains(samples: np.ndarray) -> np.ndarray:
    """The largest of each _GRAIN samples."""
    return np.abs(np.pad(samples, (0, -len(samples) % _GRAIN))).reshape(-1, _GRAIN).max(axis=1)
