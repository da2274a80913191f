"""What the reading network has read and heard of the pieces of a bank, computed once per piece."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.branch_cache import ParameterWatch
from score_following_game.agents.reading.network import (
    COLUMN_ROWS,
    QUERY_FEATURES,
    READ_FEATURES,
    ReadCells,
    ReadingNetwork,
    column_step,
    rows_heard,
)
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.score_bank import ScoreBank


def arithmetic(precision: torch.dtype, device: torch.device) -> AbstractContextManager:
    """Within it, layers compute in this dtype; parameters stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == torch.bfloat16)


def strips(bank: ScoreBank, piece: Tensor, left: Tensor, columns: int) -> Tensor:
    """Strips of the sheets of pieces, int64 (B,), that begin at the padded pixels `left`, int64 (B,).

    Returns uint8 (B, columns, rows), 255 = ink.
    """
    step = column_step(bank.config)
    first = bank.ink_offset[piece] + left
    at = first[:, None] + step * torch.arange(columns, device=bank.device)
    return bank.ink[at]


def sounds(bank: ScoreBank, piece: Tensor, frame: Tensor, frames: int, past: int) -> Tensor:
    """The sound that `frames` queries need, the first of which hears what the window at `frame` shows.

    piece, frame: int64 (B,). Returns float32 (B, frames + past - 1, bands). Rows after the last of the bank repeat it.
    """
    first = bank.spec_offset[piece] + frame + rows_heard(bank.config) - past
    at = first[:, None] + torch.arange(frames + past - 1, device=bank.device)
    return bank.spec[at.clamp(max=len(bank.spec) - 1)]


class Heard(NamedTuple):
    """What each layer of the network heard for a frame of a piece."""

    piece: Piece
    frame: int
    inputs: list[Tensor]


class Features:
    """What a network in evaluation mode knows of the cells of the pieces of a bank (ReadCells), and its queries.

    They are computed when a piece is first asked for, and again when the network's parameters or the piece have changed.
    """

    def __init__(self, network: ReadingNetwork, bank: ScoreBank, precision: torch.dtype) -> None:
        self.network, self.bank, self.precision = network, bank, precision
        self._cells, self._queries = self._empty()
        self._heard: list[Heard] = []  # in the latest two frames of a piece that is heard frame by frame
        self._watch = ParameterWatch(network)

    def at(self, piece: Tensor, frame: Tensor, first: Tensor, n: int) -> tuple[ReadCells, Tensor]:
        """What N games need at frames of pieces; all int64 (N,).

        Returns n cells of each sheet from number `first`, of which the last is repeated beyond the end, and the query of each
        frame, (N, features).
        """
        self._forget_what_changed()
        return self._cells_at(piece, first, n), self._queries_at(piece, frame)

    def whole(self, piece: Tensor, frame: Tensor) -> tuple[ReadCells, Tensor]:
        """All cells of a sheet, as a batch of one, and the query of a frame, (1, features). piece, frame: int64 (1,)."""
        self._forget_what_changed()
        begin, end = self._cells.places(piece, self._read)
        return ReadCells.unpacked(self._cells.values[int(begin) : int(end)][None]), self._queries_at(piece, frame)

    def _forget_what_changed(self) -> None:
        if self._watch.changed():
            self._cells, self._queries = self._empty()
            self._heard.clear()

    def _cells_at(self, piece: Tensor, first: Tensor, n: int) -> ReadCells:
        begin, end = self._cells.places(piece, self._read)
        at = (begin + first)[:, None] + torch.arange(n, device=self.bank.device)
        return ReadCells.unpacked(self._cells.values[torch.minimum(at, end[:, None] - 1)])

    def _queries_at(self, piece: Tensor, frame: Tensor) -> Tensor:
        if len(piece) == 1:  # it may be played live, and the later sound is not there yet
            return self._hear_now(int(piece), int(frame))
        begin, end = self._queries.places(piece, self._hear_all)
        return self._queries.values[torch.minimum(begin + frame, end - 1)]

    def _empty(self) -> tuple[PieceRows, PieceRows]:
        return PieceRows(self.bank, READ_FEATURES), PieceRows(self.bank, QUERY_FEATURES)

    @torch.no_grad()
    def _read(self, index: int) -> Tensor:
        piece = torch.tensor([index], device=self.bank.device)
        step = column_step(self.bank.config)
        columns = (int(self.bank.width[index]) - step) // step + 1
        with arithmetic(self.precision, self.bank.device):
            cells = self.network.sheet(strips(self.bank, piece, torch.zeros_like(piece), columns))
            return self.network.read(cells).packed()[0]

    def _hear_all(self, index: int) -> Tensor:
        piece = torch.tensor([index], device=self.bank.device)
        return self._hear(piece, torch.zeros_like(piece), int(self.bank.last_onset[index]) + 1)[0]

    @torch.no_grad()
    def _hear_now(self, index: int, frame: int) -> Tensor:
        """The query of one frame, (1, features). What each layer heard a frame earlier is kept."""
        if self._heard and self._heard[-1].frame == frame:
            self._heard.pop()
        before, piece = self._heard[-1:], self.bank.pieces[index]
        if before and (frame == 1 or before[0].piece is not piece or before[0].frame != frame - 1):
            before = []  # frame 0 may have been asked for before its sound was there
        at = torch.tensor([index], device=self.bank.device)
        rows = sounds(self.bank, at, at.new_tensor([frame]), 1, COLUMN_ROWS if before else self.network.past)
        with arithmetic(self.precision, self.bank.device):
            columns = self.network.columns(rows)
            query, inputs = self.network.queries_of(columns, before[0].inputs if before else ())
        self._heard = [*before, Heard(piece, frame, inputs)]
        return query[0].float()

    @torch.no_grad()
    def _hear(self, piece: Tensor, frame: Tensor, frames: int) -> Tensor:
        with arithmetic(self.precision, self.bank.device):
            return self.network.sound(sounds(self.bank, piece, frame, frames, self.network.past)).float()


class PieceRows:
    """Rows of features of some pieces of a bank, one piece after the other."""

    def __init__(self, bank: ScoreBank, features: int) -> None:
        self._bank = bank
        self.values = torch.empty(0, features, device=bank.device)
        self._begin = torch.zeros(len(bank), dtype=torch.int64, device=bank.device)
        self._end = torch.zeros_like(self._begin)
        self._known: dict[int, Piece] = {}

    def places(self, piece: Tensor, compute: Callable[[int], Tensor]) -> tuple[Tensor, Tensor]:
        """The first row of each piece, int64 (N,), and the row after its last. compute: makes the rows of a new piece."""
        new = [index for index in piece.unique().tolist() if self._known.get(index) is not self._bank.pieces[index]]
        parts = [self.values]
        end = len(self.values)
        for index in new:
            parts.append(compute(index))
            self._begin[index], self._end[index] = end, end + len(parts[-1])
            self._known[index] = self._bank.pieces[index]
            end += len(parts[-1])
        if new:
            self.values = torch.cat(parts)
        return self._begin[piece], self._end[piece]
