"""Advantage actor-critic: one gradient step per rollout."""

from __future__ import annotations

from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.losses import Losses
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout


class A2C(Learner):
    """policy loss = -mean(advantage * log pi(a)), value loss = mean(advantage^2), advantage = n-step return - value.

    With an LSTM (a2c_lstm) the gradient stops at each step's LSTM state, as published, or, with --bptt, at the first one of the
    rollout.
    """

    @property
    def has_baseline(self) -> bool:
        """Returns True if the critic is trained and its value subtracted from the returns."""
        return True

    def update(self, rollout: Rollout) -> Losses:
        """Take one gradient step on the mean loss over the rollout."""
        returns, actions = rollout.returns(self.settings.discounting), rollout.actions.flatten()
        if self.has_baseline:
            self.meter.add_values(returns, rollout.values.flatten())
        losses = Losses()
        self.optimiser.zero_grad()
        # The gradient of a mean is the sum of its chunks' gradients, so one chunk at a time needs to fit into memory.
        passes = rollout.passes_through_time if self.settings.bptt else rollout.passes
        for part, output, values in passes(self.network, self.bank, self.precision):
            policy = self.network.policy(output)
            advantages = returns[part] - (values if self.has_baseline else 0)
            policy_loss = -advantages.detach() * policy.log_prob(actions[part])
            squared_error = advantages.square() if self.has_baseline else advantages.new_zeros(1)
            self.backward(losses, policy, policy_loss, squared_error, len(actions))
        self.step(losses)
        return losses
