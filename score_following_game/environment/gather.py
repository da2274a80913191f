"""Windows of a score bank on CPUs, compiled: read once and written once, in the order and precision convolutions need.

Imported when a window is first read, since importing numba is slow.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from score_following_game.compiled import bfloat16_bits, compiled, float32_bits, in_threads

_PAIR = {torch.float32: (torch.int64, np.uint64), torch.bfloat16: (torch.int32, np.uint32)}


def compiled_windows(
    rows: Tensor,
    now: Tensor,
    before: Tensor,
    columns: int,
    step: int,
    scale: float,
    dtype: torch.dtype,
) -> Tensor:
    """The same result as observation.indexed_windows, bit for bit, for rows on the CPU; as many threads as torch has.

    Raises IndexError for a window that is not within the rows.
    """
    starts = now.numpy(), before.numpy()
    last = len(rows) - 1 - (columns - 1) * step
    if any(first.min(initial=0) < 0 or first.max(initial=0) > last for first in starts):
        raise IndexError(f"a window of {columns} rows, every {step}, is not within the {len(rows)} rows of the bank")
    of_torch, of_numpy = _PAIR[dtype]
    out = torch.empty((len(now), rows.shape[1], columns), dtype=of_torch)
    source, pairs, divisor = rows.numpy(), out.numpy().view(of_numpy), np.float32(scale)

    def fill(run: slice) -> None:
        _fill(source, starts[0][run], starts[1][run], step, divisor, pairs[run])

    in_threads(fill, len(now), rows.shape[1] * columns)
    return out.view(dtype).unflatten(-1, (columns, 2)).permute(0, 3, 1, 2)


@compiled()
def _fill(
    rows: np.ndarray,
    now: np.ndarray,
    before: np.ndarray,
    step: int,
    scale: np.float32,
    pairs: np.ndarray,
) -> None:
    """Write pairs, (games, bands, columns): value and change of a pixel as one number, float32 in 64 bits, bfloat16 in 32.

    A window is computed row by row in the order of the bank, where it is contiguous, and then transposed. In the order of the
    result, or from a bank with the bands first, whose windows spread over many pages, spectrograms take five times as long.
    """
    wide = pairs.itemsize == 8
    games, bands, columns = pairs.shape
    window = np.empty((columns, bands), pairs.dtype)
    for game in range(games):
        for column in range(columns):
            row, old = rows[now[game] + column * step], rows[before[game] + column * step]
            line = window[column]
            for band in range(bands):
                value = np.float32(row[band])
                change = (value - np.float32(old[band])) / scale
                value = value / scale
                if wide:
                    line[band] = np.uint64(float32_bits(value)) | np.uint64(float32_bits(change)) << np.uint64(32)
                else:
                    line[band] = np.uint32(bfloat16_bits(value) | np.uint32(bfloat16_bits(change) << np.uint32(16)))
        for band in range(bands):
            line = pairs[game, band]
            for column in range(columns):
                line[column] = window[column, band]
