"""Advantage actor-critic: one gradient step per rollout."""
from __future__ import annotations

import torch
from torch import nn

from score_following_game.agents.inference import run_network
from score_following_game.agents.policy import CategoricalPolicy
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.reinforcement_learning.losses import Losses, backward_chunk, optimiser_step
from score_following_game.reinforcement_learning.rollout import Rollout, discounted_returns
from score_following_game.reinforcement_learning.settings import Settings


def update(
    rollout: Rollout, network: nn.Module, optimiser: torch.optim.Optimizer, bank: ScoreBank, settings: Settings,
    precision: torch.dtype, generator: torch.Generator,
) -> Losses:
    """policy loss = -mean(advantage * log pi(a)), value loss = mean(advantage^2), advantage = n-step return - value."""
    returns = discounted_returns(rollout.rewards, rollout.masks, rollout.last_values, settings.discounting).flatten()
    actions = rollout.actions.flatten()
    losses = Losses()
    optimiser.zero_grad()
    # The gradient of a mean is the sum of its chunks' gradients: memory for one chunk serves a rollout of any size.
    for part in rollout.acting_chunks(bank):
        logits, values = run_network(network, bank, rollout.positions.at(part), precision)
        policy = CategoricalPolicy.from_logits(logits)
        advantages = returns[part] - values
        policy_loss = -advantages.detach() * policy.log_prob(actions[part])
        backward_chunk(losses, policy, policy_loss, advantages.square(), (settings.value_coef, settings.entropy_coef),
                       len(actions))
    optimiser_step(network, optimiser, losses, settings.max_grad_norm)
    return losses
