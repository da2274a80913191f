"""Proximal policy optimisation: several epochs of clipped steps per rollout (Schulman et al. 2017, eq. 7)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from score_following_game.agents.inference import chunks, run_network
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.observation import Position
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.losses import Losses, backward_chunk, optimiser_step
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.rollouts.rollout import (
    Rollout,
    generalised_advantages,
    get_random_state,
    set_random_state,
)

SMALLEST_STD = 1e-8  # equal advantages would divide by zero


class PPO(Learner):
    """ppo_epochs passes over a rollout in random minibatches of batch_size * n_worker."""

    def update(self, rollout: Rollout) -> Losses:
        """-> the last minibatch's losses, as published"""
        advantages = generalised_advantages(
            rollout.rewards,
            rollout.masks,
            rollout.values,
            rollout.last_values,
            self.settings.discounting,
            self.settings.gae_lambda,
        ).flatten()
        returns = advantages + rollout.values.flatten()
        mean, std = distributed.mean_and_std(advantages)
        advantages = (advantages - mean) / (std + SMALLEST_STD)
        acting = copy.deepcopy(self.network) if rollout.random_states is not None else None
        losses = Losses()
        for _ in range(self.settings.ppo_epochs):
            order = torch.randperm(len(returns), generator=self.generator, device=returns.device)
            for batch in order.split(self.settings.batch_size * self.settings.n_worker):
                losses = self._minibatch(rollout, batch, advantages, returns, acting)
        return losses

    def _minibatch(
        self,
        rollout: Rollout,
        batch: Tensor,
        advantages: Tensor,
        returns: Tensor,
        acting: ActorCritic | None,
    ) -> Losses:
        epsilon = self.settings.ppo_epsilon
        losses = Losses()
        self.optimiser.zero_grad()
        for part in chunks(self.bank, len(batch)):
            steps = batch[part]
            positions, actions = rollout.positions.at(steps), rollout.actions.flatten()[steps]
            state = get_random_state(self.bank.device)
            lstm_state = None if rollout.lstm_state is None else rollout.lstm_state[steps]
            output, values, _ = run_network(self.network, self.bank, positions, self.precision, lstm_state)
            policy = self.network.policy(output)
            old = rollout.log_probabilities.flatten()[steps]
            if acting is not None:
                old = self._log_prob_under_same_masks(acting, state, positions, lstm_state, actions)
            ratio = (policy.log_prob(actions) - old).exp()
            clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
            policy_loss = -torch.minimum(ratio * advantages[steps], clipped * advantages[steps])
            backward_chunk(losses, policy, policy_loss, (returns[steps] - values).square(), self.loss_weights, len(batch))
        optimiser_step(self.network, self.optimiser, losses, self.settings.max_grad_norm)
        return losses

    @torch.no_grad()
    def _log_prob_under_same_masks(
        self,
        acting: ActorCritic,
        state: Tensor,
        positions: Position,
        lstm_state: Tensor | None,
        actions: Tensor,
    ) -> Tensor:
        """log pi_old(a) of networks with dropout, under the masks the update just drew: a ratio compares parameters, not
        masks."""
        set_random_state(self.bank.device, state)
        output = run_network(acting, self.bank, positions, self.precision, lstm_state).output
        return acting.policy(output).log_prob(actions)
