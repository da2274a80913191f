"""Who can play: each has perform_action(game) -> actions for all the games of a batch."""
from __future__ import annotations

import math
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from score_following_game.agents.branch_memory import BranchMemory
from score_following_game.agents.inference import act, choose_precision
from score_following_game.agents.networks import load_parameters, network_for
from score_following_game.agents.policy import CategoricalPolicy
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.errors import UserError


class Agent(Protocol):
    """Plays N games at once."""

    def perform_action(self, game: Game) -> Tensor:
        """-> (N,): int64 action indices, or float64 speed changes (pixels per frame) in continuous games."""
        ...


class TrainedAgent:
    """A network's policy: sampled, as the papers evaluate it, or the likeliest action.

    Of many games on the CPU the windows seen are remembered: the parameters must stay as they are while an agent lives.
    After perform_action: value (N,) the critic's estimate (nan before the first), probabilities (N, A).
    """

    def __init__(
        self, network: nn.Module, generator: torch.Generator | None = None, deterministic: bool = False,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.network = network.eval()
        self.generator = generator
        self.deterministic = deterministic
        self.precision = precision
        self.value = torch.full((1,), math.nan)
        self.probabilities: Tensor | None = None
        self._memory: BranchMemory | None = None

    def perform_action(self, game: Game) -> Tensor:
        logits, self.value = self._evaluate(game)
        policy = CategoricalPolicy.from_logits(logits)
        self.probabilities = policy.log_probabilities.exp()
        return policy.mode() if self.deterministic else policy.sample(self.generator)

    def _evaluate(self, game: Game) -> tuple[Tensor, Tensor]:
        if len(game) == 1 or game.bank.device.type != "cpu":
            return act(self.network, game.bank, game.position(), self.precision)
        if self._memory is None or self._memory.bank is not game.bank:
            self._memory = BranchMemory(self.network, game.bank, self.precision)
        return self._memory.act(game.position())


def load_trained_agent(
    params: str | Path, net: str, config: GameConfig, *, seed: int, device: str = "cpu", deterministic: bool = False,
    precision: str = "float32",
) -> TrainedAgent:
    """A network by its published name with the parameters of a file. Raises UserError where the three do not fit."""
    network = network_for(net, config)
    load_parameters(network, params)
    place = torch.device(device)
    network.to(place, memory_format=torch.channels_last)
    return TrainedAgent(network, torch.Generator(place).manual_seed(seed), deterministic, choose_precision(precision, place))


class OptimalAgent:
    """Knows the true positions and goes to the next one: the best that can be done, in continuous games."""

    def perform_action(self, game: Game) -> Tensor:
        if not game.config.continuous:
            raise UserError("the optimal agent chooses its speed freely: take a continuous game config, for instance "
                            "game_configs/nottingham_continuous.yaml")
        return game.bank.true_position(game.piece, game.frame + 1) - game.x - game.speed


class ConstantSpeedAgent:
    """Moves at one speed (pixels per frame) whatever it hears and sees: a baseline, in continuous games."""

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def perform_action(self, game: Game) -> Tensor:
        if not game.config.continuous:
            raise ValueError("a constant speed needs a continuous game config")
        return self.speed - game.speed
