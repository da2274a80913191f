"""Sound that is too long to be kept in memory: samples in a temporary file, read in slices as from an array."""

from __future__ import annotations

import tempfile

import numpy as np

_WIDTH = 8  # bytes of a float64
_BLOCK = 2**20  # samples


class SampleFile:
    """Samples of `length`, first silent, to which sounds are added. A slice of it is float32, scaled to a peak of 1."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed with this object)
        self._file.truncate(length * _WIDTH)
        self._peak: float | None = None

    def __len__(self) -> int:
        return self._length

    def add(self, start: int, samples: np.ndarray) -> None:
        """Add samples, of any number type, from the sample `start` on. Raises OSError where the disk is full."""
        before = self._read(start, start + len(samples))
        mixed = before + samples[: len(before)]
        self._file.seek(start * _WIDTH)
        self._file.write(mixed.tobytes())
        self._peak = None

    def __getitem__(self, part: slice) -> np.ndarray:
        if self._peak is None:
            blocks = (self._read(start, start + _BLOCK) for start in range(0, self._length, _BLOCK))
            self._peak = max((float(np.abs(block).max(initial=0.0)) for block in blocks), default=0.0)
        start, stop, step = part.indices(self._length)
        if step != 1:
            raise ValueError("only slices of step 1 are read")
        return (self._read(start, stop) / (self._peak or 1.0)).astype(np.float32)

    def _read(self, start: int, stop: int) -> np.ndarray:
        self._file.seek(start * _WIDTH)
        return np.frombuffer(self._file.read(max(0, min(stop, self._length) - start) * _WIDTH), np.float64)
