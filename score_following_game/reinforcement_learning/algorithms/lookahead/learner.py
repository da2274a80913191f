"""Policy iteration by one-step lookahead, with a critic that knows the true position: this project's fast training.

A2C and PPO learn from the action that was taken. But the rules are known: from a state that was played, every action is tried
for one frame, and a critic estimates the values of the resulting states. The softmax of these values is a better policy than
the one that played (the regularised policy improvement of MPO: Abdolmaleki et al., ICLR 2018, and Grill et al., ICML 2020);
the network learns to imitate it from spectrogram and sheet. The action taken is not needed, so a state can be trained on
repeatedly while it is in the replay buffer. Reward, rules and policy are those of the other algorithms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from score_following_game.agents.inference import chunks, run_network
from score_following_game.agents.policy import CategoricalPolicy
from score_following_game.environment.game import Game, GameState
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.lookahead.critic import PrivilegedCritic, game_features
from score_following_game.reinforcement_learning.algorithms.lookahead.replay_buffer import ReplayBuffer
from score_following_game.reinforcement_learning.algorithms.losses import Diverged, Losses
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout, generalised_advantages
from score_following_game.reinforcement_learning.schedule import annealed

CRITIC_LR, CRITIC_PASSES, CRITIC_BATCH, CRITIC_GRAD_NORM = 1e-3, 4, 64, 1.0
MAX_GAP = 20.0  # in temperatures: actions worse than the best by more than this have negligible probability


class Lookahead(Learner):
    """See above. The privileged critic is fitted to each rollout's lambda-returns, and the network's own critic to it."""

    def __post_init__(self) -> None:
        self.critic = PrivilegedCritic().to(self.bank.device)
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=CRITIC_LR)
        self.replay_buffer = ReplayBuffer(self.settings.memory, self.bank.device)

    @property
    def modules(self) -> list[nn.Module]:
        return [self.network, self.critic]

    @property
    def loss_weights(self) -> tuple[float, float]:
        return self.settings.value_coef, 0.0

    def update(self, rollout: Rollout) -> Losses:
        """Fit the critic to the rollout, then the network to the replay buffer. Returns the last minibatch's losses."""
        self._fit_critic(rollout)
        self.replay_buffer.add(rollout.states)
        batch = self.settings.batch_size * self.settings.n_worker
        losses = Losses()
        for _ in range(max(1, self.settings.lookahead_passes * len(rollout.states.speed) // batch)):
            losses = self._minibatch(self.replay_buffer.draw(batch, self.generator))
        return losses

    @torch.no_grad()
    def improved_policy(self, state: GameState) -> Tensor:
        """Softmax over the actions of (reward + discounted value of the next state) / temperature; (N, A)."""
        temperature = annealed(self.settings.temperature, self.settings.final_temperature, self.progress)
        n_actions = len(self.bank.config.actions)
        game = Game.at(self.bank, state.repeat(n_actions))
        step = game.step(torch.arange(n_actions, device=self.bank.device).repeat(len(state.speed)))
        following = self.critic(game_features(game)) * ~step.terminated
        worth = (step.reward.float() + self.settings.discounting * following).view(-1, n_actions)
        return ((worth - worth.amax(1, keepdim=True)) / temperature).clamp(min=-MAX_GAP).softmax(1)

    def _minibatch(self, state: GameState) -> Losses:
        """policy loss = mean KL(improved policy || policy), value loss = mean (critic's value - value)^2."""
        target = self.improved_policy(state)
        with torch.no_grad():
            worth = self.critic(game_features(Game.at(self.bank, state)))
        losses = Losses()
        self.optimiser.zero_grad()
        for part in chunks(self.bank, len(worth)):
            logits, values, _ = run_network(self.network, self.bank, state.position.at(part), self.precision)
            policy = CategoricalPolicy.from_logits(logits)
            divergence = (target[part] * (target[part].log() - policy.log_probabilities)).sum(dim=1)
            self.backward(losses, policy, divergence, (worth[part] - values).square(), len(worth))
        self.step(losses)
        return losses

    def _fit_critic(self, rollout: Rollout) -> None:
        """CRITIC_PASSES over the rollout in minibatches, towards its lambda-returns under the critic before the update."""
        features = game_features(Game.at(self.bank, rollout.states))
        with torch.no_grad():
            values = self.critic(features).view_as(rollout.rewards)
            last = self.critic(game_features(Game.at(self.bank, rollout.last_state)))
            advantages = generalised_advantages(
                rollout.rewards, rollout.masks, values, last, self.settings.discounting, self.settings.gae_lambda
            )
        returns = (advantages + values).flatten()
        self.meter.add_values(returns, rollout.values.flatten())
        # This exchange uses gloo, as distributed.average requires: it detects at once a process lost while playing.
        if any(distributed.any_of(not bool(returns.isfinite().all()))):
            raise Diverged("the critic's output is not finite")
        parameters = list(self.critic.parameters())
        for _ in range(CRITIC_PASSES):
            order = torch.randperm(len(returns), generator=self.generator, device=returns.device)
            for batch in order.split(max(CRITIC_BATCH, self.settings.n_worker)):  # bounds the number of steps with many games
                self.critic_optimiser.zero_grad()
                nn.functional.mse_loss(self.critic(features[batch]), returns[batch]).backward()
                distributed.average([parameter.grad for parameter in parameters if parameter.grad is not None])
                nn.utils.clip_grad_norm_(parameters, CRITIC_GRAD_NORM)
                self.critic_optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        return {
            **super().state_dict(),
            "critic": self.critic.state_dict(),
            "critic_optimiser": self.critic_optimiser.state_dict(),
            "memory": self.replay_buffer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.critic.load_state_dict(state["critic"])
        self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        self.replay_buffer.load_state_dict(state["memory"])
