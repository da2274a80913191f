"""The base class of the algorithms' update rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from score_following_game.agents.networks import ActorCritic
from score_following_game.agents.policy import NormalPolicy, Policy
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.reinforcement_learning.algorithms.losses import Losses, backward_chunk, optimiser_step
from score_following_game.reinforcement_learning.diagnostics import Meter
from score_following_game.reinforcement_learning.schedule import annealed
from score_following_game.reinforcement_learning.settings import Settings


@dataclass
class Learner:
    """Updates a network from rollouts.

    generator: source of the learner's own random numbers. progress: of the annealing, 0 to 1. meter: collects diagnostics.
    """

    network: ActorCritic
    optimiser: torch.optim.Optimizer
    bank: ScoreBank
    settings: Settings
    precision: torch.dtype
    generator: torch.Generator
    progress: float = 0.0
    meter: Meter = field(default_factory=Meter)

    chooses_actions = True  # False: the network's output is not a policy over the game's actions

    def __post_init__(self) -> None:
        """Hook for subclasses with state of their own."""

    @property
    def modules(self) -> list[nn.Module]:
        """All trained modules; they are the same in all processes."""
        return [self.network]

    @property
    def loss_weights(self) -> tuple[float, float]:
        """The present weights of value loss and entropy."""
        entropy_coef = annealed(self.settings.entropy_coef, self.settings.final_entropy_coef, self.progress)
        return self.settings.value_coef, entropy_coef

    def update(self, rollout: Any) -> Losses:
        """Update the network from what its collector has just provided, a Rollout of most; returns the losses to log."""
        raise NotImplementedError

    def backward(self, losses: Losses, policy: Policy, policy_loss: Tensor, squared_error: Tensor, batch: int) -> None:
        """Add a chunk's gradients and losses, as backward_chunk does, with this algorithm's loss weights."""
        if isinstance(policy, NormalPolicy):
            self.meter.add("std", policy.std)
        elif self.chooses_actions:
            self.meter.add("probabilities", policy.log_probabilities.detach().exp())
        backward_chunk(losses, policy, policy_loss, squared_error, self.loss_weights, batch)

    def step(self, losses: Losses) -> None:
        """Take the optimiser's step. Raises Diverged as optimiser_step does."""
        norm = optimiser_step(self.network, self.optimiser, losses, self.settings.max_grad_norm)
        self.meter.add("gradient_norm", norm[None])

    def state_dict(self) -> dict[str, Any]:
        """The state besides the network and its optimiser."""
        return {"progress": self.progress}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what state_dict returned."""
        self.progress = state["progress"]
