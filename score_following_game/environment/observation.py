"""What an agent sees, as a function of indices: (piece, frame, x, previous frame, previous x) -> (spectrogram, sheet)."""
from __future__ import annotations

from typing import NamedTuple

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


def observe(bank: ScoreBank, position: Position) -> tuple[Tensor, Tensor]:
    """-> spectrogram float32 (N, 2, bands, frames), sheet float32 (N, 2, rows, columns), ink = 1.

    Channel 0 is the window, channel 1 the window minus the one a step before (zero after a reset). The tensors' memory is
    channels last, as convolutions on CPU and GPU like it.
    """
    spec = _spec_window(bank, position.piece, position.frame)
    spec_before = _spec_window(bank, position.piece, position.previous_frame)
    ink = _ink_window(bank, position.piece, position.x)
    ink_before = _ink_window(bank, position.piece, position.previous_x)
    # Whole numbers until the end: half the memory to move, and the difference is exact.
    return _as_channels(spec, spec - spec_before), _as_channels(ink, ink - ink_before).float().div_(255)


def _spec_window(bank: ScoreBank, piece: Tensor, frame: Tensor) -> Tensor:
    """float32 (N, frames, bands)"""
    return _window(bank.spec, bank.spec_offset[piece] + frame, bank.config.spec_context, bank.config.spec_factor)


def _ink_window(bank: ScoreBank, piece: Tensor, x: Tensor) -> Tensor:
    """int16 (N, columns, rows), 255 = ink"""
    left = (x - bank.config.sheet_context / 2).long()
    return _window(bank.ink, bank.ink_offset[piece] + left, bank.config.sheet_context, bank.config.sheet_factor).short()


def _window(rows: Tensor, first: Tensor, context: int, factor: float) -> Tensor:
    """rows (R, K), first (N,) -> (N, context * factor, K): the rows from `first` on, every second one at factor 0.5."""
    steps = torch.arange(0, context, int(1 / factor), device=rows.device)
    return rows.index_select(0, (first[:, None] + steps).flatten()).view(len(first), len(steps), -1)


def _as_channels(value: Tensor, change: Tensor) -> Tensor:
    """Two (N, W, H) -> (N, 2, H, W) in channels-last memory.

    Value and change are turned together, as one number of twice the width: several times faster than element by element.
    """
    pairs = torch.stack([value, change], dim=-1)
    turned = pairs.view(torch.int32 if pairs.dtype == torch.int16 else torch.int64)[..., 0].transpose(1, 2).contiguous()
    return turned.view(pairs.dtype).unflatten(-1, (-1, 2)).permute(0, 3, 1, 2)
