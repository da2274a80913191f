"""Where live sound comes from: an input device, or a file played as if into a microphone. Both call back with blocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from score_following_game.data_processing.audio import is_recording, load_recording
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.errors import UserError, cause
from score_following_game.optional_libraries import require_libraries

MICROPHONE = "mic"
BLOCK = 0.01  # seconds; how often blocks come
DEVICE_LATENCY = 0.05  # seconds; less, and a device loses samples whenever the machine is busy
Callback = Callable[[np.ndarray, int, Any, Any], None]  # sounddevice's: float32 (n, 1), n, times, flags that are true on a loss


class Stream(Protocol):
    """An open stream. rate: Hz. latency: seconds from the air to the callback, as far as it is known; None: not at all."""

    @property
    def rate(self) -> int: ...

    @property
    def latency(self) -> float | None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


class SoundSource(Protocol):
    """Something that can be listened to.

    name: for messages. ended: no more sound will come.
    """

    name: str

    @property
    def ended(self) -> bool: ...

    def open(self, callback: Callback, rate: int) -> Stream:
        """Open a stream, not yet started, at `rate` Hz if possible. Raises UserError where that is not possible now."""

    def look_again(self) -> None:
        """Notice what was plugged in since the program began; no stream may be open."""


@dataclass(frozen=True)
class MicrophoneWish:
    """The user's `--audio mic`, `mic:NAME_OR_NUMBER` or `mic:FILE.wav`. which: what follows the colon."""

    which: str = ""

    def __str__(self) -> str:
        return f"{MICROPHONE}:{self.which}" if self.which else MICROPHONE

    def source(self) -> SoundSource:
        """The source of sound that is meant; a file is one whose name is that of a recording.

        Raises UserError: no sounddevice, or no such device or file.
        """
        return Rehearsal(Path(self.which)) if is_recording(Path(self.which)) else InputDevice(self.which)


def parse_audio(text: str) -> Path | MicrophoneWish:
    """The value of --audio. A file with the name of the microphone is ./mic."""
    name, colon, which = text.partition(":")
    if name == MICROPHONE:
        return MicrophoneWish(which if colon else "")
    return Path(text)


class InputDevice:
    """An input device by sounddevice (PortAudio)."""

    ended = False

    def __init__(self, which: str) -> None:
        """which: its number, its name or a part of it; "" for the default device. Raises UserError where there is none."""
        require_libraries("--audio mic", "sound", "sounddevice")
        try:
            import sounddevice
        except Exception as error:  # OSError without PortAudio's library
            raise UserError(f"--audio mic: no sound input here ({cause(error)}); install PortAudio") from None
        self._sounddevice, self._which = sounddevice, which
        self.name = str(self._device()["name"])

    def open(self, callback: Callback, rate: int) -> Stream:
        device = self._device()
        try:
            return _DeviceStream(self._sounddevice, device, rate, callback)
        except Exception as error:  # PortAudio raises its own kind
            raise UserError(
                f"--audio mic: {device['name']} cannot be opened ({cause(error)}); is another program using it?"
            ) from None

    def look_again(self) -> None:
        self._sounddevice._terminate()
        self._sounddevice._initialize()

    def _device(self) -> dict[str, Any]:
        """What sounddevice says about the device."""
        try:
            devices = [device for device in self._sounddevice.query_devices() if device["max_input_channels"] > 0]
        except Exception as error:
            raise UserError(f"--audio mic: no sound input here ({cause(error)})") from None
        listed = ", ".join(f"{device['index']} {device['name']}" for device in devices)
        if not devices:
            raise UserError(
                "--audio mic: no input device here; rehearse with --audio mic:FILE.wav, or follow a recording: --audio FILE"
            )
        if not self._which:
            default = self._sounddevice.default.device[0]
            found = [device for device in devices if device["index"] == default] or devices[:1]
        elif self._which.isdecimal():
            found = [device for device in devices if device["index"] == int(self._which)]
        else:
            same = [device for device in devices if device["name"] == self._which]
            found = same or [device for device in devices if self._which.lower() in device["name"].lower()]
        if not found:
            raise UserError(f"--audio mic:{self._which}: no such input device; there are {listed}")
        if len(found) > 1 and len({device["name"] for device in found}) > 1:
            raise UserError(f"--audio mic:{self._which}: is part of {len(found)} names; choose a number: {listed}")
        return dict(found[0])


class _DeviceStream:
    """A stream of a device. Its rate is the one asked for, or the default rate of a device that does not support it."""

    def __init__(self, sounddevice: Any, device: dict[str, Any], rate: int, callback: Callback) -> None:
        try:
            sounddevice.check_input_settings(device["index"], channels=1, dtype="float32", samplerate=rate)
        except Exception:  # the device has other rates
            rate = int(device["default_samplerate"])
        self._stream = sounddevice.InputStream(
            device=device["index"],
            channels=1,
            dtype="float32",
            samplerate=rate,
            blocksize=round(BLOCK * rate),
            latency=DEVICE_LATENCY,
            callback=callback,
        )
        self.rate, self.latency = rate, float(self._stream.latency)

    def start(self) -> None:
        self._stream.start()

    def close(self) -> None:
        self._stream.abort(ignore_errors=True)  # a device that is gone would be waited for
        self._stream.close(ignore_errors=True)


class Rehearsal:
    """A recording that is played in real time as if into a microphone, once.

    After a loss the stream can be opened again; the recording has gone on meanwhile, as a musician would.
    """

    def __init__(self, path: Path) -> None:
        """Raises UserError where the file cannot be read or is silent."""
        self.name, self.rate = f"{MICROPHONE}:{path}", SAMPLE_RATE
        self.samples = load_recording(path)
        self._begin: float | None = None  # when its first sample was played
        self._given = False

    @property
    def ended(self) -> bool:
        return self._given

    def open(self, callback: Callback, rate: int) -> Stream:
        return _RehearsalStream(self, callback)

    def look_again(self) -> None:
        pass

    def play(self, callback: Callback, stop: threading.Event) -> None:
        """Call back with blocks until the end, or until `stop` is set."""
        now = time.monotonic()
        begin = self._begin = now if self._begin is None else self._begin
        size, first = round(BLOCK * self.rate), round((now - begin) * self.rate)
        while first < len(self.samples):
            block = self.samples[first : first + size]
            first += size
            if stop.wait(max(0.0, begin + first / self.rate - time.monotonic())):
                return
            callback(block[:, None], len(block), None, None)
        self._given = True


class _RehearsalStream:
    latency = None

    def __init__(self, rehearsal: Rehearsal, callback: Callback) -> None:
        self.rate = rehearsal.rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=rehearsal.play, args=(callback, self._stop), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
