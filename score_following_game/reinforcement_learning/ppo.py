"""Proximal policy optimisation: several epochs of clipped steps per rollout (Schulman et al. 2017, eq. 7)."""
from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from score_following_game.agents.inference import chunks, run_network
from score_following_game.agents.policy import CategoricalPolicy
from score_following_game.environment.observation import Position
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.reinforcement_learning.losses import Losses, backward_chunk, optimiser_step
from score_following_game.reinforcement_learning.rollout import (
    Rollout,
    generalised_advantages,
    get_random_state,
    set_random_state,
)
from score_following_game.reinforcement_learning.settings import Settings

SMALLEST_STD = 1e-8  # equal advantages would divide by zero


def update(
    rollout: Rollout, network: nn.Module, optimiser: torch.optim.Optimizer, bank: ScoreBank, settings: Settings,
    precision: torch.dtype, generator: torch.Generator,
) -> Losses:
    """ppo_epochs passes in random minibatches of batch_size * n_worker; -> the last minibatch's losses, as published."""
    advantages = generalised_advantages(rollout.rewards, rollout.masks, rollout.values, rollout.last_values,
                                        settings.discounting, settings.gae_lambda).flatten()
    returns = advantages + rollout.values.flatten()
    advantages = (advantages - advantages.mean()) / (advantages.std() + SMALLEST_STD)
    acting = copy.deepcopy(network) if rollout.random_states is not None else None
    losses = Losses()
    for _ in range(settings.ppo_epochs):
        order = torch.randperm(len(returns), generator=generator, device=returns.device)
        for batch in order.split(settings.batch_size * settings.n_worker):
            losses = _minibatch(rollout, batch, advantages, returns, network, acting, optimiser, bank, settings, precision)
    return losses


def _minibatch(
    rollout: Rollout, batch: Tensor, advantages: Tensor, returns: Tensor, network: nn.Module, acting: nn.Module | None,
    optimiser: torch.optim.Optimizer, bank: ScoreBank, settings: Settings, precision: torch.dtype,
) -> Losses:
    losses = Losses()
    optimiser.zero_grad()
    for part in chunks(bank, len(batch)):
        steps = batch[part]
        positions, actions = rollout.positions.at(steps), rollout.actions.flatten()[steps]
        state = get_random_state(bank.device)
        logits, values = run_network(network, bank, positions, precision)
        policy = CategoricalPolicy.from_logits(logits)
        old = rollout.log_probabilities.flatten()[steps]
        if acting is not None:
            old = _log_prob_under_same_masks(acting, state, bank, positions, actions, precision)
        ratio = (policy.log_prob(actions) - old).exp()
        clipped = ratio.clamp(1 - settings.ppo_epsilon, 1 + settings.ppo_epsilon)
        policy_loss = -torch.minimum(ratio * advantages[steps], clipped * advantages[steps])
        backward_chunk(losses, policy, policy_loss, (returns[steps] - values).square(),
                       (settings.value_coef, settings.entropy_coef), len(batch))
    optimiser_step(network, optimiser, losses, settings.max_grad_norm)
    return losses


@torch.no_grad()
def _log_prob_under_same_masks(
    acting: nn.Module, state: Tensor, bank: ScoreBank, positions: Position, actions: Tensor, precision: torch.dtype,
) -> Tensor:
    """log pi_old(a) of networks with dropout, under the masks the update just drew: a ratio compares parameters, not masks."""
    set_random_state(bank.device, state)
    logits, _ = run_network(acting, bank, positions, precision)
    return CategoricalPolicy.from_logits(logits).log_prob(actions)
