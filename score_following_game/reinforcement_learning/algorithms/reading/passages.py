"""Passages of pieces for the reading network: a strip of sheet, the sound that is played on it, and where the notes are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from score_following_game.agents.reading.features import sounds, strips
from score_following_game.agents.reading.network import (
    CELL,
    CELL_COLUMNS,
    KEYS,
    LOWEST,
    NEWEST,
    PLACE_COLUMNS,
    ReadingNetwork,
    column_step,
    place_at,
)
from score_following_game.config import GameConfig
from score_following_game.environment.score_bank import ScoreBank, first_at
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.diagnostics import no_outcomes
from score_following_game.reinforcement_learning.rollouts.collector import Collector

STRIDE = 3  # frames of sound per frame that is asked for: neighbouring ones hear nearly the same
WINDOWS = 2.5  # width of a strip, in windows of the game
BEFORE = 0.1, 0.5  # range of the distance from the strip's left edge to where the passage begins, in widths of the strip


@dataclass(frozen=True)
class Passages:
    """B passages of T frames, every STRIDE-th, each beside a strip of sheet of W columns with C cells.

    Attributes:
        piece: int64 (B,).
        frame: int64 (B, T).
        strip: uint8 (B, W, rows).
        sound: float32 (B, rows of sound, bands).
        place: float64 (B, T): the music's place in the strip, with fractions.
        counts: bool (B, T): the frame is within the piece, and its place within the strip.
        heads: float32 (B, C, 88): 1 where a cell has a notehead of that pitch.
        begun: float32 (B, T, 88): 1 where a note of that pitch has just begun.
        labelled: bool (B,): heads and begun are known.
        log_pace: float32 (B, P): logarithm of the pixels per frame with which the music moves over each place.
        paced: bool (B, P): log_pace is known, since the place is between two onsets.
    """

    piece: Tensor
    frame: Tensor
    strip: Tensor
    sound: Tensor
    place: Tensor
    counts: Tensor
    heads: Tensor
    begun: Tensor
    labelled: Tensor
    log_pace: Tensor
    paced: Tensor

    @property
    def n_steps(self) -> int:
        return self.place.numel()


class PassageCollector(Collector):
    """Draws n_games passages of t_max frames, every frame of the music as likely as another. No games are played, so a piece
    may be replaced between any two updates."""

    def __init__(
        self,
        bank: ScoreBank,
        n_games: int,
        network: ReadingNetwork,
        sampler: StartSampler,
        seed: int,
        _precision: torch.dtype,
        keep: bool = False,
    ) -> None:
        """keep is there for the other algorithms' sake: nothing is kept."""
        self.bank, self.n, self.network, self.sampler = bank, n_games, network, sampler
        self.generator = torch.Generator(bank.device).manual_seed(seed)
        self.last_return = torch.full((1,), float("nan"), dtype=torch.float64, device=bank.device)
        self.columns = strip_columns(bank.config)

    def collect(self, t_max: int) -> Passages:
        bank, config = self.bank, self.bank.config
        step, span = column_step(config), STRIDE * (t_max - 1) + 1
        piece = self.sampler.draw_by_length(self.n)
        last = bank.last_onset[piece]
        first = (self._shares() * ((last - span + 1).clamp(min=0) + 1)).long()
        frame = first[:, None] + STRIDE * torch.arange(t_max, device=bank.device)
        x = bank.true_position(piece[:, None], frame)
        width = step * self.columns
        before = BEFORE[0] + (BEFORE[1] - BEFORE[0]) * self._shares()
        left = (x.amin(dim=1) - before * width).long().minimum(bank.width[piece] - width - 1).clamp(min=0)
        place = place_at(x - left[:, None], config)
        places = (self.columns - CELL_COLUMNS) // CELL - 1
        heads, begun, labelled = self._labels(piece.tolist(), left.tolist(), frame, places + 2)
        return Passages(
            piece,
            frame,
            strips(bank, piece, left, self.columns),
            sounds(bank, piece, first, span, self.network.past),
            place,
            (frame <= last[:, None]) & (place >= 0) & (place <= places - 1),
            heads,
            begun,
            labelled,
            *self._paces(piece.tolist(), left.tolist(), places),
        )

    def _labels(self, pieces: list[int], left: list[int], frame: Tensor, cells: int) -> tuple[Tensor, Tensor, Tensor]:
        """heads, begun and labelled of Passages. Notes beyond the 88 keys are left out."""
        config, device = self.bank.config, self.bank.device
        heads = torch.zeros(len(pieces), cells, KEYS)
        begun = torch.zeros(len(pieces), frame.shape[1], KEYS)
        newest = (frame + config.frames_ahead).cpu()
        tables = [self.bank.pieces[index].notes for index in pieces]
        for number, notes in enumerate(tables):
            if notes is None:
                continue
            x = torch.from_numpy(notes.head_x).double() + config.sheet_pad - left[number]
            cell = (place_at(x, config) + 1).round().long()  # place p is where cell p + 1 is
            _mark(heads[number], cell, torch.from_numpy(notes.head_pitch))
            age = newest[number][:, None] - torch.from_numpy(notes.frame)  # (T, notes)
            at, note = ((age >= 0) & (age < NEWEST)).nonzero(as_tuple=True)
            _mark(begun[number], at, torch.from_numpy(notes.pitch)[note])
        labelled = torch.tensor([notes is not None for notes in tables])
        return heads.to(device), begun.to(device), labelled.to(device)

    def _paces(self, pieces: list[int], left: list[int], places: int) -> tuple[Tensor, Tensor]:
        """log_pace and paced of Passages."""
        config, device = self.bank.config, self.bank.device
        width = CELL * column_step(config)
        middle = width * np.arange(places) + column_step(config) * (PLACE_COLUMNS // 2)
        log_pace, paced = np.zeros((2, len(pieces), places))
        for number, index in enumerate(pieces):
            edges = left[number] - config.sheet_pad + middle[:, None] + np.array([-width / 2, width / 2])
            piece = self.bank.pieces[index]
            x, first = first_at(piece.onset_x, piece.onset_frames)
            frames = np.diff(np.interp(edges, x, first), axis=1)[:, 0]
            paced[number] = (edges[:, 0] >= x[0]) & (edges[:, 1] <= x[-1]) & (frames > 0)
            log_pace[number] = np.log(width / np.where(frames > 0, frames, 1))
        return torch.from_numpy(log_pace).float().to(device), torch.from_numpy(paced).bool().to(device)

    @property
    def playing(self) -> Tensor:
        return torch.empty(0, dtype=torch.int64, device=self.bank.device)

    def is_finite(self) -> bool:
        return self.network.is_finite()

    def take_outcomes(self) -> Tensor:
        return no_outcomes(self.bank.device)

    def _shares(self) -> Tensor:
        return torch.rand(self.n, generator=self.generator, dtype=torch.float64, device=self.bank.device)

    def state_dict(self) -> dict[str, Any]:
        return {"sampler": self.sampler.state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.sampler.load_state_dict(state["sampler"])
        self.generator.set_state(state["generator"])


def strip_columns(config: GameConfig) -> int:
    """Width of a strip, a whole number of cells. A padded sheet has the width of four windows and more."""
    return CELL_COLUMNS + CELL * round((WINDOWS * config.sheet_shape[2] - CELL_COLUMNS) / CELL)


def _mark(table: Tensor, row: Tensor, pitch: Tensor) -> None:
    """Set entries of a table (rows, 88) to 1, where there are such rows and keys."""
    key = pitch - LOWEST
    within = (row >= 0) & (row < len(table)) & (key >= 0) & (key < KEYS)
    table[row[within], key[within]] = 1
