"""Following a live performance: frames of the spectrogram arrive one by one, and true positions are unknown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from score_following_game.config import BANDS, GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError, counted


class LiveScore:
    """One piece that is followed live: frames are added by `hear`, and steps are played while `ready`.

    game: the game an agent acts in; it begins at frame 0, on the first note, standing still. Its positions and observations
    are those of a game over the whole recording. It cannot be stepped, since rewards need true positions, only moved.
    """

    def __init__(
        self,
        sheet: np.ndarray,
        first_x: float,
        config: GameConfig,
        *,
        minutes: float = 60.0,
        device: torch.device | str = "cpu",
        name: str = "live",
    ) -> None:
        """sheet: uint8 (H, W). first_x: x of its first note, unpadded pixels. minutes: longest possible performance.

        Raises UserError when the sheet is too low for the config.
        """
        self.config = config
        self.capacity = int(minutes * 60 * config.spectrogram_params.fps)  # frames
        self.heard = 0  # frames
        self._latest = np.zeros((BANDS, 1), np.float32)  # the latest frame; silence before the first
        self.bank = ScoreBank([_piece(sheet, first_x, np.zeros((BANDS, self.capacity), np.float32), name)], config, device)
        self.game = Game(self.bank, 1)

    def hear(self, frames: np.ndarray) -> None:
        """Add the next frames of the spectrogram, float32 (78, n), n >= 0. Raises UserError when the capacity is exceeded."""
        n = frames.shape[1]
        if not n:
            return
        if self.heard + n > self.capacity:
            minutes = counted(self.capacity / self.config.spectrogram_params.fps / 60, "minute")
            raise UserError(
                f"{self.bank.names[0]}: has been followed for {minutes}, for which its memory suffices; start again"
            )
        rows, pad = _bank_rows(np.concatenate([self._latest, frames], axis=1), self.config), self.config.spec_pad
        # The latest frame's row is written again: at factor 0.5 a row is the mean of a frame and the next one.
        self.bank.spec[pad + self.heard - 1 : pad + self.heard + n] = rows[pad : pad + n + 1]
        self.heard += n
        self._latest = frames[:, -1:].copy()

    @property
    def ready(self) -> bool:
        """Returns True if all frames that the current observation shows have been heard."""
        context = self.config.spec_context
        ahead = 0 if self.config.target_frame == "right_most" else context - context // 2
        return int(self.game.frame[0]) + ahead <= self.heard

    def step(self, actions: Tensor) -> None:
        """Play a frame. actions: (1,), as for Game.step. Raises ValueError unless `ready`."""
        if not self.ready:
            raise ValueError(f"the {self.heard} frames heard are too few for an observation at frame {int(self.game.frame[0])}")
        self.game.move(actions)

    @property
    def x(self) -> float:
        """Estimated position in the sheet, unpadded pixels."""
        return float(self.game.x[0]) - self.config.sheet_pad


def _piece(sheet: np.ndarray, first_x: float, spectrogram: np.ndarray, name: str) -> Piece:
    """A piece of which only the position of the first note is known."""
    return Piece(name, sheet, np.zeros(1, np.int64), np.array([first_x], np.float32), spectrogram, Path(), Path())


def _bank_rows(frames: np.ndarray, config: GameConfig) -> Tensor:
    """The rows of a bank for frames, float32 (78, n); its sheet is as small as possible."""
    piece = _piece(np.zeros((2, 2), np.uint8), 0, frames, "frames")
    return ScoreBank([piece], replace(config, sheet_context=2, staff_height=2)).spec
