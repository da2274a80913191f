"""Advantage actor-critic: one gradient step per rollout."""
from __future__ import annotations

from score_following_game.agents.policy import CategoricalPolicy
from score_following_game.reinforcement_learning.learner import Learner
from score_following_game.reinforcement_learning.losses import Losses, backward_chunk, optimiser_step
from score_following_game.reinforcement_learning.rollout import Rollout, discounted_returns


class A2C(Learner):
    """policy loss = -mean(advantage * log pi(a)), value loss = mean(advantage^2), advantage = n-step return - value."""

    def update(self, rollout: Rollout) -> Losses:
        returns = discounted_returns(rollout.rewards, rollout.masks, rollout.last_values, self.settings.discounting).flatten()
        actions = rollout.actions.flatten()
        losses = Losses()
        self.optimiser.zero_grad()
        # The gradient of a mean is the sum of its chunks' gradients: memory for one chunk serves a rollout of any size.
        for part, logits, values in rollout.passes(self.network, self.bank, self.precision):
            policy = CategoricalPolicy.from_logits(logits)
            advantages = returns[part] - values
            policy_loss = -advantages.detach() * policy.log_prob(actions[part])
            backward_chunk(losses, policy, policy_loss, advantages.square(), self.loss_weights, len(actions))
        optimiser_step(self.network, self.optimiser, losses, self.settings.max_grad_norm)
        return losses
