"""Proximal policy optimisation: several epochs of clipped steps per rollout (Schulman et al. 2017, eq. 7)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from score_following_game.agents.inference import chunks, run_network
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.observation import Position
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.losses import Losses
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.rollouts.rollout import (
    Rollout,
    generalised_advantages,
    get_random_state,
    set_random_state,
)

MIN_ADVANTAGE_STD = 1e-8  # avoids a division by zero if all advantages are equal


class PPO(Learner):
    """ppo_epochs passes over a rollout in random minibatches of batch_size * n_worker."""

    def update(self, rollout: Rollout) -> Losses:
        """Returns the losses of the last minibatch, as published."""
        advantages = generalised_advantages(
            rollout.rewards,
            rollout.masks,
            rollout.values,
            rollout.last_values,
            self.settings.discounting,
            self.settings.gae_lambda,
        ).flatten()
        returns = advantages + rollout.values.flatten()
        self.meter.add_values(returns, rollout.values.flatten())
        mean, std = distributed.mean_and_std(advantages)
        advantages = (advantages - mean) / (std + MIN_ADVANTAGE_STD)
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
            log_ratio = policy.log_prob(actions) - old
            self.meter.add_ratios(log_ratio, epsilon)
            ratio = log_ratio.exp()
            clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
            policy_loss = -torch.minimum(ratio * advantages[steps], clipped * advantages[steps])
            self.backward(losses, policy, policy_loss, (returns[steps] - values).square(), len(batch))
        self.step(losses)
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
        """log pi_old(a), (n,), of networks with dropout, under the masks that the update just drew, so that the ratio compares
        parameters, not masks."""
        set_random_state(self.bank.device, state)
        output = run_network(acting, self.bank, positions, self.precision, lstm_state).output
        return acting.policy(output).log_prob(actions)
