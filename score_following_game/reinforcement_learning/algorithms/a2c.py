"""Advantage actor-critic: one gradient step per rollout."""

from __future__ import annotations

from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.losses import Losses, backward_chunk, optimiser_step
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout


class A2C(Learner):
    """policy loss = -mean(advantage * log pi(a)), value loss = mean(advantage^2), advantage = n-step return - value.

    With an LSTM (a2c_lstm) the gradient ends at each step's LSTM state, as published, or, with --bptt, at the rollout's first.
    """

    has_baseline = True  # is the critic's value taken off the returns, and learnt?

    def update(self, rollout: Rollout) -> Losses:
        returns, actions = rollout.returns(self.settings.discounting), rollout.actions.flatten()
        losses = Losses()
        self.optimiser.zero_grad()
        # The gradient of a mean is the sum of its chunks' gradients: memory for one chunk serves a rollout of any size.
        passes = rollout.passes_through_time if self.settings.bptt else rollout.passes
        for part, output, values in passes(self.network, self.bank, self.precision):
            policy = self.network.policy(output)
            advantages = returns[part] - (values if self.has_baseline else 0)
            policy_loss = -advantages.detach() * policy.log_prob(actions[part])
            squared_error = advantages.square() if self.has_baseline else advantages.new_zeros(1)
            backward_chunk(losses, policy, policy_loss, squared_error, self.loss_weights, len(actions))
        optimiser_step(self.network, self.optimiser, losses, self.settings.max_grad_norm)
        return losses
