"""Following a performance while it is played: a sheet, the spectrogram's frames as they come, and no true positions."""

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
from score_following_game.errors import UserError


class LiveScore:
    """One piece followed live: frames are heard, then steps taken while `ready`.

    game: what an agent acts on, at frame 0, on the first note, standing still. Its position and observations are those of a
    game over the whole recording; its true positions are not known, so it is moved, never stepped.
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
        """sheet: uint8 (H, W), first_x: where its first note stands, unpadded pixels; minutes: room for so much music.

        Raises UserError where the sheet is too low for the config.
        """
        self.config = config
        self.room = int(minutes * 60 * config.spectrogram_params.fps)  # frames
        self.heard = 0  # frames
        self._latest = np.zeros((BANDS, 1), np.float32)  # silence before the first frame
        self.bank = ScoreBank([_piece(sheet, first_x, np.zeros((BANDS, self.room), np.float32), name)], config, device)
        self.game = Game(self.bank, 1)

    def hear(self, frames: np.ndarray) -> None:
        """Take the next frames of the spectrogram, float32 (78, n), n >= 0. Raises UserError when there is no room left."""
        n = frames.shape[1]
        if not n:
            return
        if self.heard + n > self.room:
            minutes = self.room / self.config.spectrogram_params.fps / 60
            raise UserError(f"{self.bank.names[0]}: followed for {minutes:g} minutes, there is no room for more; begin anew")
        rows, pad = _bank_rows(np.concatenate([self._latest, frames], axis=1), self.config), self.config.spec_pad
        # From the latest frame's row on, since at factor 0.5 a row is the mean with the frame after it.
        self.bank.spec[pad + self.heard - 1 : pad + self.heard + n] = rows[pad : pad + n + 1]
        self.heard += n
        self._latest = frames[:, -1:].copy()

    @property
    def ready(self) -> bool:
        """Whether all that the present frame's observation shows has been heard."""
        context = self.config.spec_context
        ahead = 0 if self.config.target_frame == "right_most" else context - context // 2
        return int(self.game.frame[0]) + ahead <= self.heard

    def step(self, actions: Tensor) -> None:
        """Play a frame. actions (1,): as Game.step's. Raises ValueError while the present frame has not been heard."""
        if not self.ready:
            raise ValueError(f"the {self.heard} frames heard are too few for an observation at frame {int(self.game.frame[0])}")
        self.game.move(actions)

    @property
    def x(self) -> float:
        """Where the music is believed to be, pixels of the unpadded sheet."""
        return float(self.game.x[0]) - self.config.sheet_pad


def _piece(sheet: np.ndarray, first_x: float, spectrogram: np.ndarray, name: str) -> Piece:
    """A piece of which no more is known than where its first note stands."""
    return Piece(name, sheet, np.zeros(1, np.int64), np.array([first_x], np.float32), spectrogram, Path(), Path())


def _bank_rows(frames: np.ndarray, config: GameConfig) -> Tensor:
    """float32 (78, n) -> the rows of a bank that hears these frames and shows the smallest sheet there can be."""
    piece = _piece(np.zeros((2, 2), np.uint8), 0, frames, "frames")
    return ScoreBank([piece], replace(config, sheet_context=2, staff_height=2)).spec
