"""What the algorithms have in common: what they are made of, and that a rollout makes an update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.reinforcement_learning.algorithms.losses import Losses
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout
from score_following_game.reinforcement_learning.schedule import annealed
from score_following_game.reinforcement_learning.settings import Settings


@dataclass
class Learner:
    """An algorithm at work on a network. generator: for what it draws itself. progress: of the annealing, from 0 to 1."""

    network: ActorCritic
    optimiser: torch.optim.Optimizer
    bank: ScoreBank
    settings: Settings
    precision: torch.dtype
    generator: torch.Generator
    progress: float = 0.0

    def __post_init__(self) -> None:
        """For what an algorithm has besides."""

    @property
    def modules(self) -> list[nn.Module]:
        """All that is trained, in all processes alike."""
        return [self.network]

    @property
    def loss_weights(self) -> tuple[float, float]:
        """Of value loss and entropy, now."""
        entropy_coef = annealed(self.settings.entropy_coef, self.settings.final_entropy_coef, self.progress)
        return self.settings.value_coef, entropy_coef

    def update(self, rollout: Rollout) -> Losses:
        """Learn from a rollout that the network has just played."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """What it has learnt and kept besides the network."""
        return {"progress": self.progress}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what state_dict gave."""
        self.progress = state["progress"]
