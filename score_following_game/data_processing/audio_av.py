"""Recordings in the formats that soundfile does not know, such as those of telephones, decoded by PyAV (FFmpeg's libraries)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np


def decode(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the first audio stream in blocks: float32 (channels, n), full scale is 1, and its sampling rate.

    Raises exceptions of many kinds for a file that cannot be read, ValueError for one without audio.
    """
    with av.open(str(path)) as container:
        if not container.streams.audio:
            raise ValueError("it has no audio stream")
        stream = container.streams.audio[0]
        rate = stream.rate
        to_float = av.AudioResampler(format="fltp", layout=stream.layout, rate=rate)
        frames = container.decode(stream)
        if _is_raw_aac(container):  # no container says that the first frame only prepares the decoder
            next(frames, None)
        for frame in frames:
            for part in to_float.resample(frame):
                yield part.to_ndarray(), rate
        for part in to_float.resample(None):
            yield part.to_ndarray(), rate


def is_raw_aac(path: Path) -> bool:
    """Whether a file is AAC without a container, in which nothing states how late the encoder's sound begins."""
    with av.open(str(path)) as container:
        return _is_raw_aac(container)


def _is_raw_aac(container: av.container.InputContainer) -> bool:
    return container.format.name == "aac"


def stated_seconds(path: Path) -> float | None:
    """The length that the file's header states."""
    try:
        with av.open(str(path)) as container:
            return None if container.duration is None else container.duration / av.time_base
    except Exception:  # whatever is wrong with it
        return None
