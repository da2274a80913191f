"""The samples of a sound source in the agent's thread, at the agent's rate, without holes in time."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Any

import numpy as np
import soxr

from score_following_game.errors import UserError
from score_following_game.watching.listening.ring import Block, RingBuffer
from score_following_game.watching.listening.sources import BLOCK, SoundSource, Stream

ROOM = 30.0  # seconds of sound for which the ring buffer has room
LOST, LOST_AT_START = 1.0, 5.0  # seconds without a block after which a device counts as lost; some take long to begin
RETRY = 1.0  # seconds between two attempts to open it again
SILENCE = 0.05  # seconds; so much silence is given at once while a device is lost
_LEAST_ROOM = 1024  # blocks

log = logging.getLogger(__name__)


class Microphone:
    """Listens to a source from `start` to `close`.

    The device's callback only copies samples into a ring buffer. Where samples are missing, because the program or the device
    was too slow or the device was lost, silence takes their place, so that time goes on. Each kind of loss is said once.

    Attributes:
        source: what is listened to.
        rate: Hz, of the samples that `read` returns.
        latency: seconds from the air to the arrival of a sample, as far as the device says; None where it does not.
    """

    def __init__(self, source: SoundSource, rate: int) -> None:
        self.source, self.rate = source, rate
        self.latency: float | None = None
        self._stream: Stream | None = None
        self._covered: float | None = None  # until when, by the machine's clock, samples have arrived or silence was given
        self._gap_due = False  # the next block comes after a gap
        self._lost_since: float | None = None
        self._tried = 0.0  # when the lost device was last tried
        self._overflows = 0
        self._told = False
        self._patience = LOST_AT_START

    def start(self) -> None:
        """Begin to listen. Raises UserError where the source cannot be opened."""
        self._open()

    @property
    def overruns(self) -> int:
        """How many times samples were missing while the device was there."""
        return self._overflows + self._ring.overruns

    @property
    def lost(self) -> bool:
        """Whether the device is lost at present."""
        return self._lost_since is not None

    @property
    def ended(self) -> bool:
        """Whether no sound will come any more; ask before reading what is left."""
        return self.source.ended

    def read(self) -> list[Block]:
        """The blocks, float32 at `rate`, that have arrived since the last call; their gaps are filled."""
        blocks = [self._whole(block) for block in self._ring.read()]
        now = time.monotonic()
        if blocks:
            self._note_sound(now)
        elif self._stream is not None and not self.ended and now - self._heard_from > self._patience:
            self._lose(now)
        if self._stream is None and self._covered is not None:
            blocks += self._silence(now)
            if now - self._tried > RETRY:
                self._find(now)
        return blocks

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self) -> None:
        """Open the source with a new ring buffer. Raises UserError."""
        stream = self.source.open(self._arrived, self.rate)
        self._ring = RingBuffer(round(ROOM * stream.rate), max(_LEAST_ROOM, round(2 * ROOM / BLOCK)))
        self._own_rate = stream.rate
        self._resampler, delay = None, 0.0
        if stream.rate != self.rate:
            self._resampler = soxr.ResampleStream(stream.rate, self.rate, 1, dtype="float32", quality="HQ")
            delay = self._resampler.delay() / self.rate
        try:
            stream.start()
        except Exception as error:
            stream.close()
            raise UserError(f"--audio mic: {self.source.name} gives no sound ({error})") from None
        self._stream = stream
        self.latency = None if stream.latency is None else stream.latency + delay
        self._heard_from, self._patience = time.monotonic(), LOST_AT_START

    def _arrived(self, block: np.ndarray, length: int, times: Any, lost: Any) -> None:
        """The device's callback, called in its thread."""
        now, gap = time.monotonic(), 0
        if self._covered is not None and (lost or self._gap_due):
            gap = max(0, round((now - self._covered) * self._own_rate) - length)
            self._overflows += not self._gap_due
            self._gap_due = False
        self._covered = now
        self._ring.write(block[:, 0], now, gap)

    def _whole(self, block: Block) -> Block:
        samples = np.concatenate([np.zeros(block.gap, np.float32), block.samples]) if block.gap else block.samples
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples)
        return Block(samples, block.arrival)

    def _note_sound(self, now: float) -> None:
        self._heard_from, self._patience = now, LOST
        if self._lost_since is not None:
            log.warning("%s: is back after %.1f s", self.source.name, now - self._lost_since)
            self._lost_since = None
        if self.overruns and not self._told:
            self._told = True
            log.warning("%s: samples were lost, since this machine is busy; silence takes their place", self.source.name)

    def _lose(self, now: float) -> None:
        self.close()
        if self._lost_since is None:
            log.warning("%s: gives no sound any more; the time goes on until it is back", self.source.name)
            self._lost_since = self._heard_from
        if self._covered is None:  # it has never given any
            self._covered = self._heard_from
        self._gap_due, self._tried = True, now

    def _silence(self, now: float) -> list[Block]:
        """The silence since the latest sample that has not been given yet."""
        assert self._covered is not None
        if now - self._covered < SILENCE:
            return []
        n = round((now - self._covered) * self.rate)
        self._covered += n / self.rate
        return [Block(np.zeros(n, np.float32), now)]

    def _find(self, now: float) -> None:
        """Try to open the lost device again."""
        self._tried = now
        with contextlib.suppress(Exception):
            self.source.look_again()
            self._open()
