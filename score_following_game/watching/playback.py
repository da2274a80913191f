"""What a watched game sounds like, and the clock that paces it: the sound's where there is sound, else the machine's."""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

import numpy as np

from score_following_game.config import GameConfig
from score_following_game.data_processing.audio import Audio, set_peak
from score_following_game.data_processing.performance import performance_samples
from score_following_game.data_processing.piece import Piece
from score_following_game.errors import UserError
from score_following_game.optional_libraries import missing_library

LISTENING_PEAK = 0.7  # of full scale; what the agents hear (0.13) is faint on loudspeakers

log = logging.getLogger(__name__)


def piece_audio(piece: Piece, config: GameConfig, first_frame: int = 0) -> Audio | None:
    """What a person hears of a piece from a frame on; None, with one notice, where it cannot be made."""
    rate = config.spectrogram_params.sample_rate
    try:
        samples = performance_samples(piece.midi_path, config)
    except UserError as error:
        log.warning("without sound: %s", error)
        return None
    start = round(first_frame * rate / config.spectrogram_params.fps)
    return Audio(set_peak(samples[start:].astype(np.float32), LISTENING_PEAK), rate)


class TimeSource(Protocol):
    """Seconds since start(), as something real measures them."""

    def start(self) -> None: ...

    def seconds(self) -> float: ...

    def stop(self) -> None: ...


class MonotonicTime:
    """The machine's clock: what paces a game without sound."""

    def __init__(self) -> None:
        self._begin = 0.0

    def start(self) -> None:
        self._begin = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._begin

    def stop(self) -> None:
        pass


class SoundOutput:
    """Plays audio; its time is the sample that is heard now, so that the picture follows the sound.

    Between two blocks, and should the device stop asking for more, time goes on by the machine's clock; it never goes back.
    A null device takes samples as fast as it gets them: time is never more than AHEAD seconds before the machine's.
    """

    AHEAD = 0.5

    def __init__(self, audio: Audio, sounddevice: Any) -> None:
        self._audio = audio
        self._block = (0, 0, 0.0)  # the latest block: first sample, length, when it was asked for (machine time)
        self._began = 0.0
        self._latest = 0.0
        self._stream = sounddevice.OutputStream(samplerate=audio.rate, channels=1, dtype="float32", callback=self.fill)

    def start(self) -> None:
        self._began = time.monotonic()
        self._block = (0, 0, self._began)
        try:
            self._stream.start()
        except Exception as error:  # the device has gone since it was opened
            log.warning("without sound: %s", " ".join(str(error).split())[:120])

    def seconds(self) -> float:
        first, _, asked = self._block
        now = time.monotonic()
        heard = first / self._audio.rate + now - asked - self._stream.latency
        self._latest = max(self._latest, min(heard, now - self._began + self.AHEAD))
        return self._latest

    def stop(self) -> None:
        self._stream.close()

    def fill(self, block: np.ndarray, length: int, *_: object) -> None:
        """The device's callback, in its own thread: block is float32 (length, 1); silence after the end."""
        first = self._block[0] + self._block[1]
        samples = self._audio.samples[first : first + length]
        block[: len(samples), 0] = samples
        block[len(samples) :] = 0
        self._block = (first, length, time.monotonic())  # one assignment: the other thread never sees half of it


def open_time_source(audio: Audio | None) -> TimeSource:
    """Sound where there is audio, the package and a device; else the machine's clock, with one notice."""
    if audio is None:
        return MonotonicTime()
    if missing := missing_library("sound output", "sound", "sounddevice"):
        log.warning("without sound: %s", missing)
        return MonotonicTime()
    try:
        import sounddevice

        return SoundOutput(audio, sounddevice)
    except Exception as error:  # PortAudio's library or a device is missing; each raises its own kind
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        log.warning("without sound: no audio output here (%s)", reason)
        return MonotonicTime()


class Clock:
    """Tells how long to wait until a frame is due. Frame `first` is due at the start."""

    def __init__(self, fps: float, source: TimeSource | None = None, first: int = 0) -> None:
        self.fps = fps
        self.first = first
        self.source = source or MonotonicTime()

    def start(self) -> None:
        self.source.start()

    def until(self, frame: int) -> float:
        """Seconds until a frame is due; negative when it is late."""
        return (frame - self.first) / self.fps - self.source.seconds()

    def stop(self) -> None:
        self.source.stop()
