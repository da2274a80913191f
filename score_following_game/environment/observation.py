"""What an agent sees, as a function of indices: (piece, frame, x, previous frame, previous x) -> (spectrogram, sheet)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from score_following_game.environment.score_bank import ScoreBank


class Position(NamedTuple):
    """Where N games are: all an observation depends on. Frames int64 unpadded, x float64 padded pixels, each (N,)."""

    piece: Tensor
    frame: Tensor
    x: Tensor
    previous_frame: Tensor
    previous_x: Tensor

    def at(self, games: Tensor | slice) -> Position:
        """The positions of some of the games."""
        return Position(*(values[games] for values in self))


def observe(bank: ScoreBank, position: Position, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """-> spectrogram (N, 2, bands, frames), sheet (N, 2, rows, columns), ink = 1; dtype is float32 or bfloat16.

    Channel 0 is the window, channel 1 the window minus the one a step before (zero after a reset); bfloat16 is the float32
    result rounded. The tensors' memory is channels last, as convolutions on CPU and GPU like it, and the caller's own.
    Raises IndexError for a position far outside its piece.
    """
    return (
        spectrogram_windows(bank, *spectrogram_rows(bank, position), dtype),
        sheet_windows(bank, *sheet_rows(bank, position), dtype),
    )


def spectrogram_rows(bank: ScoreBank, position: Position) -> tuple[Tensor, Tensor]:
    """-> int64 (N,) and (N,): the rows of the bank's sound where the windows begin, now and a step before."""
    offset = bank.spec_offset[position.piece]
    return offset + position.frame, offset + position.previous_frame


def sheet_rows(bank: ScoreBank, position: Position) -> tuple[Tensor, Tensor]:
    """As spectrogram_rows, of the bank's ink."""
    offset, half = bank.ink_offset[position.piece], bank.config.sheet_context / 2
    return offset + (position.x - half).long(), offset + (position.previous_x - half).long()


def spectrogram_windows(bank: ScoreBank, now: Tensor, before: Tensor, dtype: torch.dtype) -> Tensor:
    """The spectrogram of `observe` from its rows: all that it depends on."""
    step = int(1 / bank.config.spec_factor)
    return _windows(bank.spec, now, before, bank.config.spec_context // step, step, 1, dtype)


def sheet_windows(bank: ScoreBank, now: Tensor, before: Tensor, dtype: torch.dtype) -> Tensor:
    """The sheet of `observe` from its rows: all that it depends on."""
    step = int(1 / bank.config.sheet_factor)
    return _windows(bank.ink, now, before, bank.config.sheet_context // step, step, 255, dtype)


def _windows(rows: Tensor, *arguments: Any) -> Tensor:
    if rows.device.type == "cpu":
        from score_following_game.environment.gather import compiled_windows as windows  # brings numba, slow to import
    else:
        windows = indexed_windows
    return windows(rows, *arguments)


def indexed_windows(
    rows: Tensor,
    now: Tensor,
    before: Tensor,
    columns: int,
    step: int,
    scale: float,
    dtype: torch.dtype,
) -> Tensor:
    """rows (R, K), now and before int64 (N,) -> (N, 2, K, columns) of a dtype: window / scale and its change, on any device.

    Windows begin at rows `now` and, the one that was seen before, at `before`, and take every step-th row.
    """
    value, old = (_window(rows, first, columns, step) for first in (now, before))
    if not rows.is_floating_point():
        value, old = value.short(), old.short()  # whole numbers until the end: half the memory to move
    seen = _as_channels(value, value - old)
    return (seen if scale == 1 else seen.float().div_(scale)).to(dtype)


def _window(rows: Tensor, first: Tensor, columns: int, step: int) -> Tensor:
    """-> (N, columns, K)"""
    wanted = first[:, None] + torch.arange(0, columns * step, step, device=rows.device)
    return rows.index_select(0, wanted.flatten()).view(len(first), columns, -1)


def _as_channels(value: Tensor, change: Tensor) -> Tensor:
    """Two (N, W, H) -> (N, 2, H, W) in channels-last memory.

    Value and change are turned together, as one number of twice the width: several times faster than element by element.
    """
    pairs = torch.stack([value, change], dim=-1)
    turned = pairs.view(torch.int32 if pairs.dtype == torch.int16 else torch.int64)[..., 0].transpose(1, 2).contiguous()
    return turned.view(pairs.dtype).unflatten(-1, (-1, 2)).permute(0, 3, 1, 2)
