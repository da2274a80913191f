"""Observations (spectrogram, sheet) as a function of piece, frame, x, previous frame and previous x."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from score_following_game.environment.score_bank import ScoreBank


class Position(NamedTuple):
    """Positions of N games, which determine their observations. Frames int64, unpadded; x float64, padded pixels; (N,) each."""

    piece: Tensor
    frame: Tensor
    x: Tensor
    previous_frame: Tensor
    previous_x: Tensor

    def at(self, games: Tensor | slice) -> Position:
        """The positions of some of the games."""
        return Position(*(values[games] for values in self))


def observe(bank: ScoreBank, position: Position, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """The observations at N positions.

    Returns the spectrogram, (N, 2, bands, frames), and the sheet, (N, 2, rows, columns), ink = 1; `dtype` is float32, or
    bfloat16 for the rounded float32 result. Channel 0 is the window, channel 1 the window minus that of the previous step
    (zero after a reset). The tensors are new and in channels-last order, which convolutions prefer. Raises IndexError for a
    position far outside its piece.
    """
    return (
        spectrogram_windows(bank, *spectrogram_rows(bank, position), dtype),
        sheet_windows(bank, *sheet_rows(bank, position), dtype),
    )


def spectrogram_rows(bank: ScoreBank, position: Position) -> tuple[Tensor, Tensor]:
    """First rows of the windows in bank.spec, now and one step before; int64 (N,) each."""
    offset = bank.spec_offset[position.piece]
    return offset + position.frame, offset + position.previous_frame


def sheet_rows(bank: ScoreBank, position: Position) -> tuple[Tensor, Tensor]:
    """First rows of the windows in bank.ink, now and one step before; int64 (N,) each."""
    offset, half = bank.ink_offset[position.piece], bank.config.sheet_context / 2
    return offset + (position.x - half).long(), offset + (position.previous_x - half).long()


def spectrogram_windows(bank: ScoreBank, now: Tensor, before: Tensor, dtype: torch.dtype) -> Tensor:
    """The spectrogram of `observe`, from the first rows of its windows."""
    step = int(1 / bank.config.spec_factor)
    return _windows(bank.spec, now, before, bank.config.spec_context // step, step, 1, dtype)


def sheet_windows(bank: ScoreBank, now: Tensor, before: Tensor, dtype: torch.dtype) -> Tensor:
    """The sheet of `observe`, from the first rows of its windows."""
    step = int(1 / bank.config.sheet_factor)
    return _windows(bank.ink, now, before, bank.config.sheet_context // step, step, 255, dtype)


def _windows(rows: Tensor, *arguments: Any) -> Tensor:
    if rows.device.type == "cpu":
        from score_following_game.environment.gather import compiled_windows as windows  # imports numba, which is slow
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
    """Windows and their changes, (N, 2, K, columns) of `dtype`, on any device.

    rows: (R, K). now, before: int64 (N,), first rows of the current and the previous windows, which consist of every step-th
    row. Values are divided by `scale`.
    """
    value, old = (_window(rows, first, columns, step) for first in (now, before))
    if not rows.is_floating_point():
        value, old = value.short(), old.short()  # integers until the end: half the memory traffic
    seen = _as_channels(value, value - old)
    return (seen if scale == 1 else seen.float().div_(scale)).to(dtype)


def _window(rows: Tensor, first: Tensor, columns: int, step: int) -> Tensor:
    """(N, columns, K)"""
    indices = first[:, None] + torch.arange(0, columns * step, step, device=rows.device)
    return rows.index_select(0, indices.flatten()).view(len(first), columns, -1)


def _as_channels(value: Tensor, change: Tensor) -> Tensor:
    """Combine two (N, W, H) into (N, 2, H, W) in channels-last order.

    Value and change are transposed together, as one number of twice the width: several times faster than separately.
    """
    pairs = torch.stack([value, change], dim=-1)
    turned = pairs.view(torch.int32 if pairs.dtype == torch.int16 else torch.int64)[..., 0].transpose(1, 2).contiguous()
    return turned.view(pairs.dtype).unflatten(-1, (-1, 2)).permute(0, 3, 1, 2)
