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
from score_following_game.environment.score_bank import ScoreBank, sound_rows
from score_following_game.errors import UserError, counted

ROOM_LEFT = 10  # seconds


class LiveScore:
    """One piece that is followed live: frames are added by `hear`, and steps are played, or waited for, while `ready`.

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
        files_of: Piece | None = None,
    ) -> None:
        """sheet: uint8 (H, W). first_x: x of its first note, unpadded pixels. minutes: longest possible performance.

        files_of: the piece that the sheet is from, whose maps and sharp sheet then belong to the live one, too. Raises
        UserError when the sheet is too low for the config.
        """
        self.config = config
        self.capacity = int(minutes * 60 * config.spectrogram_params.fps)  # frames
        self.heard = 0  # frames
        self._latest = np.zeros((BANDS, 1), np.float32)  # the latest frame; silence before the first
        piece = _piece(sheet, first_x, np.zeros((BANDS, self.capacity), np.float32), name)
        if files_of is not None:
            piece = replace(piece, midi_path=files_of.midi_path, source=files_of.source)
        self.bank = ScoreBank([piece], config, device)
        self.game = Game(self.bank, 1)

    @classmethod
    def of_piece(
        cls, piece: Piece, config: GameConfig, *, minutes: float = 60.0, device: torch.device | str = "cpu"
    ) -> LiveScore:
        """The score of a piece; its performance is not used. Raises UserError when the sheet is too low for the config."""
        first_x = float(piece.onset_x[0])
        return cls(piece.sheet, first_x, config, minutes=minutes, device=device, name=piece.name, files_of=piece)

    @property
    def piece(self) -> Piece:
        """What is followed: not timed. Its spectrogram, (78, capacity), is silence from frame `heard` on."""
        return self.bank.pieces[0]

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
        # The latest frame's row is written again: at factor 0.5 a row is the mean of a frame and the next one.
        rows = sound_rows(np.concatenate([self._latest, frames, np.zeros((BANDS, 1), np.float32)], axis=1), self.config)
        end = self.config.spec_pad + self.heard + n
        self.bank.spec[end - n - 1 : end] = torch.from_numpy(rows[: n + 1])
        self.piece.spectrogram[:, self.heard : self.heard + n] = frames
        self.heard += n
        self._latest = frames[:, -1:].copy()

    @property
    def full(self) -> bool:
        """Whether less than ROOM_LEFT seconds more can be heard."""
        return self.heard + ROOM_LEFT * self.config.spectrogram_params.fps > self.capacity

    @property
    def ready(self) -> bool:
        """Returns True if all frames that the current observation shows have been heard."""
        return int(self.game.frame[0]) + self.config.frames_ahead <= self.heard

    def step(self, actions: Tensor) -> None:
        """Play a frame. actions: (1,), as for Game.step. Raises ValueError unless `ready`."""
        self._require_ready()
        self.game.move(actions)

    def wait(self) -> None:
        """Let a frame pass in which nothing moves. A game that has just begun counts as such afterwards, too.

        Raises ValueError unless `ready`.
        """
        self._require_ready()
        game = self.game
        begun = game.previous_frame == game.frame
        game.frame = game.frame + 1
        game.previous_frame = torch.where(begun, game.frame, game.frame - 1)
        game.previous_x, game.speed = game.x, torch.zeros_like(game.speed)

    def put(self, x: float) -> None:
        """Begin anew at x, unpadded pixels, in the present frame, standing still; agents take it for a game just begun."""
        self.game.put(torch.full_like(self.game.x, x + self.config.sheet_pad))

    def _require_ready(self) -> None:
        if not self.ready:
            raise ValueError(f"the {self.heard} frames heard are too few for an observation at frame {int(self.game.frame[0])}")

    @property
    def x(self) -> float:
        """Estimated position in the sheet, unpadded pixels."""
        return float(self.game.x[0]) - self.config.sheet_pad


def _piece(sheet: np.ndarray, first_x: float, spectrogram: np.ndarray, name: str) -> Piece:
    """A piece of which only the position of the first note is known."""
    return Piece(name, sheet, np.zeros(1, np.int64), np.array([first_x], np.float32), spectrogram, Path(), Path(), timed=False)
