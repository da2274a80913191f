"""The way of samples from the thread of a sound device to that of the agent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Block(NamedTuple):
    """Samples that arrived together.

    samples: float32 (n,). arrival: when, on time.monotonic()'s clock. gap: how many samples are missing before them.
    """

    samples: np.ndarray
    arrival: float
    gap: int = 0


class RingBuffer:
    """Holds blocks of samples until they are read. One thread writes, another one reads, and neither ever waits.

    All memory is taken at the beginning. A block that finds no room is dropped, and the next one that does has it as its gap.

    Attributes:
        overruns: how many blocks were dropped.
    """

    def __init__(self, samples: int, blocks: int) -> None:
        """samples, blocks: as many of either have room."""
        self.overruns = 0
        self._samples = np.zeros(samples, np.float32)
        self._ends = np.zeros(blocks, np.int64)
        self._arrivals = np.zeros(blocks)
        self._gaps = np.zeros(blocks, np.int64)
        # Counted from the beginning. The writer alone changes the first three, the reader alone the others, and each changes
        # its count of blocks last, when the blocks are complete.
        self._end = self._dropped = self._blocks_written = 0
        self._begin = self._blocks_read = 0

    def write(self, samples: np.ndarray, arrival: float, gap: int = 0) -> None:
        """Add a block, float (n,), after a gap of some samples."""
        n, size, slot = len(samples), len(self._samples), self._blocks_written % len(self._ends)
        if n > size - (self._end - self._begin) or self._blocks_written - self._blocks_read == len(self._ends):
            self._dropped += n + gap
            self.overruns += 1
            return
        first = self._end % size
        until_edge = min(n, size - first)
        self._samples[first : first + until_edge] = samples[:until_edge]
        self._samples[: n - until_edge] = samples[until_edge:]
        self._end += n
        self._ends[slot], self._arrivals[slot], self._gaps[slot] = self._end, arrival, gap + self._dropped
        self._dropped = 0
        self._blocks_written += 1

    def read(self) -> list[Block]:
        """Take all blocks there are, in the order of their arrival."""
        return [self._take() for _ in range(self._blocks_written - self._blocks_read)]

    def _take(self) -> Block:
        slot = self._blocks_read % len(self._ends)
        end = int(self._ends[slot])
        samples = self._samples.take(np.arange(self._begin, end), mode="wrap")
        block = Block(samples, float(self._arrivals[slot]), int(self._gaps[slot]))
        self._begin = end
        self._blocks_read += 1
        return block
