"""The rules of the score-following game (paper, section 3), for N games at once.

This is their only implementation: the gymnasium environments, training, evaluation and the window all use this class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from score_following_game.environment.observation import Position, observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start


class Step(NamedTuple):
    """The result of a step, each (N,): reward, float64; terminated and lost, bool; error = x - true x, float64, pixels."""

    reward: Tensor
    terminated: Tensor
    lost: Tensor
    error: Tensor


class GameState(NamedTuple):
    """The complete state of N games. speed: float64 (N,), pixels per frame."""

    position: Position
    speed: Tensor

    def at(self, games: Tensor | slice) -> GameState:
        """The states of some of the games."""
        return GameState(self.position.at(games), self.speed[games])

    @classmethod
    def joined(cls, states: Sequence[GameState]) -> GameState:
        """Concatenate the games of several states."""
        positions = zip(*(state.position for state in states))
        return cls(Position(*map(torch.cat, positions)), torch.cat([state.speed for state in states]))

    def repeat(self, times: int) -> GameState:
        """Repeat each game `times` times, the copies next to each other."""
        return GameState(
            Position(*(values.repeat_interleave(times) for values in self.position)), self.speed.repeat_interleave(times)
        )


class Game:
    """N games over the pieces of a bank, played as a batch.

    Frames are unpadded: 0 after a reset, k after step k. x is in pixels of the padded sheet.

    Args:
        bank: The pieces, resized and padded for a config.
        n_games: Number of games, N. They begin at frame 0 of the first piece.

    Attributes:
        piece: int64 (N,), indices into the bank.
        frame: int64 (N,); previous_frame: the frame one step before.
        x: float64 (N,), pixels; previous_x: the position one step before.
        speed: float64 (N,), pixels per frame.
    """

    STATE = ("piece", "frame", "x", "previous_frame", "previous_x", "speed")

    def __init__(self, bank: ScoreBank, n_games: int) -> None:
        self.bank = bank
        self.config = bank.config
        self.actions = _on_device(tuple(self.config.actions), bank.device)
        self.piece = torch.zeros(n_games, dtype=torch.int64, device=bank.device)
        self.frame = torch.zeros_like(self.piece)
        self.previous_frame = torch.zeros_like(self.piece)
        self.x = torch.zeros(n_games, dtype=torch.float64, device=bank.device)
        self.previous_x = torch.zeros_like(self.x)
        self.speed = torch.zeros_like(self.x)
        self.reset(Start.from_beginning(self.piece))

    def __len__(self) -> int:
        return len(self.piece)

    @classmethod
    def at(cls, bank: ScoreBank, state: GameState) -> Game:
        """Games that continue from given states, for instance with other actions."""
        game = cls(bank, 0)
        for name, values in zip((*Position._fields, "speed"), (*state.position, state.speed)):
            setattr(game, name, values)
        return game

    def reset(self, start: Start, ended: Tensor | None = None) -> None:
        """Begin games.

        Args:
            start: N starts, one for each game.
            ended: bool (N,), the games to begin; the others continue. Default: all.
        """
        true_x = self.bank.true_position(start.piece, start.frame)
        following = self.bank.true_position(start.piece, start.frame + 1) - true_x
        now = self.on_sheet(true_x + start.off, start.piece)
        speed = torch.where(start.moving, self._to_action_step(following), torch.zeros_like(following))
        begun = (start.piece, start.frame, now, start.frame, now, speed)
        for name, new in zip(self.STATE, begun):
            setattr(self, name, new.clone() if ended is None else torch.where(ended, new, getattr(self, name)))

    def step(self, actions: Tensor) -> Step:
        """Play one frame. A game that has ended must be reset or dropped before the next step.

        Args:
            actions: (N,) int64, indices into the config's actions; in a continuous game changes of speed, pixels per frame.

        Returns:
            Reward, terminated, lost and tracking error of each game.
        """
        self.move(actions)
        config = self.config
        error = self.tracking_error()
        distance = error.abs().floor()
        lost = distance > config.threshold
        reward = (config.threshold - distance) / config.threshold
        if config.reward_window >= 0:
            reward = reward * self.bank.rewarded[self.bank.frame_row(self.piece, self.frame)]
        if config.continuous:
            reward = reward + self.speed.clamp(max=0)
        reward = torch.where(lost, torch.zeros_like(reward), reward)
        terminated = lost | (self.frame >= self.bank.last_onset[self.piece])
        return Step(reward, terminated, lost, error)

    def move(self, actions: Tensor) -> None:
        """The part of `step` that needs no true position: change the speeds, then move x within the padded sheet."""
        change = actions.to(torch.float64) if self.config.continuous else self.actions[actions]
        self.previous_x, self.previous_frame = self.x, self.frame
        self.speed = self.speed + change
        self.x = self.on_sheet(self.x + self.speed, self.piece)
        self.frame = self.frame + 1

    def put(self, x: Tensor) -> None:
        """Let the games go on from other positions, standing still. x: float64 (N,), padded pixels.

        This is no move of the game; it is for a follower that has been lost and found.
        """
        self.x = self.on_sheet(x, self.piece)
        self.previous_x, self.previous_frame, self.speed = self.x, self.frame, torch.zeros_like(self.speed)

    def on_sheet(self, x: Tensor, piece: Tensor) -> Tensor:
        """The nearest x, (n,), at which the window lies within the padded sheet of the piece."""
        half = self.config.sheet_context / 2
        return torch.minimum(x.clamp(min=half), self.bank.width[piece] - half - 1)

    def true_position(self) -> Tensor:
        """True x, float64 (N,), padded pixels."""
        return self.bank.true_position(self.piece, self.frame)

    def tracking_error(self) -> Tensor:
        """x - true x, float64 (N,), pixels."""
        return self.x - self.true_position()

    def position(self) -> Position:
        """A copy of the current positions."""
        return Position(
            self.piece.clone(), self.frame.clone(), self.x.clone(), self.previous_frame.clone(), self.previous_x.clone()
        )

    def state(self) -> GameState:
        """A copy of the current state."""
        return GameState(self.position(), self.speed.clone())

    def observe(self) -> tuple[Tensor, Tensor]:
        """(spectrogram, sheet) of all games, float32 (N, 2, H, W) each (see `observation.observe`)."""
        return observe(self.bank, Position(self.piece, self.frame, self.x, self.previous_frame, self.previous_x))

    def keep(self, games: Tensor) -> None:
        """Drop all games but these: bool (N,) or int64 (n,)."""
        for name in self.STATE:
            setattr(self, name, getattr(self, name)[games])

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name).clone() for name in self.STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in self.STATE:
            setattr(self, name, state[name].to(self.bank.device).clone())

    def _to_action_step(self, speed: Tensor) -> Tensor:
        """Round speeds to what an agent can reach: multiples of the smallest speed change."""
        if self.config.continuous:
            return speed
        return torch.round(speed / self.smallest_change) * self.smallest_change

    @property
    def smallest_change(self) -> float:
        """The smallest change of speed among the actions, pixels per frame."""
        return min(abs(change) for change in self.config.actions if change)


@lru_cache(maxsize=8)
def _on_device(actions: tuple[float, ...], device: torch.device) -> Tensor:
    """The actions as float64 (A,), copied once per device: a copy to a GPU makes the host wait."""
    return torch.tensor(actions, dtype=torch.float64, device=device)
