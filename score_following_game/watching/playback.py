"""The sound of a watched game, and the clock that paces the game: the sound's own time, or the machine's without sound."""

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

LISTENING_PEAK = 0.7  # of full scale; the level that the agents hear (0.13) is faint on loudspeakers

log = logging.getLogger(__name__)


def piece_audio(piece: Piece, config: GameConfig, first_frame: int = 0, speed: float = 1.0) -> Audio | None:
    """The audio of a piece from `first_frame` on, for a person, `speed` times as fast at the same pitch.

    None, with one warning, when it cannot be made.
    """
    rate = config.spectrogram_params.sample_rate
    try:
        samples = performance_samples(piece.midi_path, config)
    except UserError as error:
        log.warning("without sound: %s", error)
        return None
    start = round(first_frame * rate / config.spectrogram_params.fps)
    heard = samples[start:].astype(np.float32)
    if speed != 1:
        import librosa  # slow to import

        heard = librosa.effects.time_stretch(heard, rate=speed)
    return Audio(set_peak(heard, LISTENING_PEAK), rate)


class TimeSource(Protocol):
    """A source of the seconds since start(), without those between pause() and resume()."""

    def start(self) -> None: ...

    def seconds(self) -> float: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def stop(self) -> None: ...


class MonotonicTime:
    """The machine's clock; paces a game without sound."""

    def __init__(self) -> None:
        self._begin = 0.0
        self._paused: float | None = None  # since when

    def start(self) -> None:
        self._begin = time.monotonic()

    def seconds(self) -> float:
        return (time.monotonic() if self._paused is None else self._paused) - self._begin

    def pause(self) -> None:
        if self._paused is None:
            self._paused = time.monotonic()

    def resume(self) -> None:
        if self._paused is not None:
            self._begin += time.monotonic() - self._paused
            self._paused = None

    def stop(self) -> None:
        pass


class SoundOutput:
    """Plays audio. Its time is that of the sample being heard, so that the picture follows the sound.

    Between two blocks, and if the device stops requesting blocks, time continues by the machine's clock. It never runs
    backwards. A null device consumes samples at once, so time is at most AHEAD seconds ahead of the machine's clock.
    """

    AHEAD = 0.5

    def __init__(self, audio: Audio, sounddevice: Any) -> None:
        self._audio = audio
        self._block = (0, 0, 0.0)  # the latest block: first sample, length, machine time of its request
        self._machine = MonotonicTime()
        self._latest = 0.0
        self._paused = False
        self._stream = sounddevice.OutputStream(samplerate=audio.rate, channels=1, dtype="float32", callback=self.fill)

    def start(self) -> None:
        self._machine.start()
        self._block = (0, 0, time.monotonic())
        try:
            self._stream.start()
        except Exception as error:  # the device has disappeared since it was opened
            log.warning("without sound: %s", " ".join(str(error).split())[:120])

    def seconds(self) -> float:
        if not self._paused:
            first, _, asked = self._block
            heard = first / self._audio.rate + time.monotonic() - asked - self._stream.latency
            self._latest = max(self._latest, min(heard, self._machine.seconds() + self.AHEAD))
        return self._latest

    def pause(self) -> None:
        """Send silence; what the device already has is still heard, at most its latency."""
        self.seconds()
        self._machine.pause()
        self._paused = True

    def resume(self) -> None:
        first, length, _ = self._block
        self._block = (first, length, time.monotonic())
        self._machine.resume()
        self._paused = False

    def stop(self) -> None:
        self._stream.close()

    def fill(self, block: np.ndarray, length: int, *_: object) -> None:
        """The device's callback, called in its own thread. block: float32 (length, 1). After the end it gets silence."""
        if self._paused:
            block[:] = 0
            return
        first = self._block[0] + self._block[1]
        samples = self._audio.samples[first : first + length]
        block[: len(samples), 0] = samples
        block[len(samples) :] = 0
        self._block = (first, length, time.monotonic())  # one assignment, so the other thread never sees a partial update


def open_time_source(audio: Audio | None) -> TimeSource:
    """A SoundOutput for the audio; without audio, sounddevice or a device the machine's clock, with one warning."""
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
    """Says how long to wait until a frame is due. Frame `first` is due at the start."""

    def __init__(self, fps: float, source: TimeSource | None = None, first: int = 0) -> None:
        self.fps = fps
        self.first = first
        self.source = source or MonotonicTime()

    def start(self) -> None:
        self.source.start()

    def until(self, frame: int) -> float:
        """Seconds until a frame is due; negative when it is late."""
        return (frame - self.first) / self.fps - self.source.seconds()

    def pause(self) -> None:
        """Stop time, and the sound, until resume()."""
        self.source.pause()

    def resume(self) -> None:
        self.source.resume()

    def stop(self) -> None:
        self.source.stop()
