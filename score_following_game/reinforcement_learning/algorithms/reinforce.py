"""REINFORCE (Williams 1992): whole episodes, whose returns need no critic; one gradient step per batch of episodes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from score_following_game.agents.inference import act
from score_following_game.agents.layers import unchanged_parameters
from score_following_game.environment.game import Game, GameState
from score_following_game.reinforcement_learning.algorithms.a2c import A2C
from score_following_game.reinforcement_learning.algorithms.losses import Diverged
from score_following_game.reinforcement_learning.diagnostics import outcomes_of
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout, discounted_returns, get_random_state


class Reinforce(A2C):
    """policy loss = -mean((G - V) * log pi(a)), value loss = mean((G - V)^2), where G is the discounted return to the end of
    the episode; no entropy term. Without baseline V is 0, and no critic is needed."""

    @property
    def has_baseline(self) -> bool:
        return not self.settings.no_baseline

    @property
    def loss_weights(self) -> tuple[float, float]:
        return self.settings.value_coef, 0.0


@dataclass(frozen=True)
class Episodes(Rollout):
    """Whole episodes of N games, the longest of T steps.

    played: bool (T, N). rewards, masks: (T, N), zero after a game's end. All other fields hold only the steps that were
    actually played, in time order.
    """

    played: Tensor = field(kw_only=True)

    def returns(self, discounting: float) -> Tensor:
        return discounted_returns(self.rewards, self.masks, self.last_values, discounting)[self.played]

    @property
    def games_per_step(self) -> list[int]:
        return self.played.sum(1).tolist()


class EpisodeCollector(RolloutCollector):
    """Plays N new games from start to end in every rollout."""

    def collect(self, t_max: int) -> Episodes:
        """t_max is ignored. Raises Diverged as RolloutCollector.collect does."""
        with unchanged_parameters():
            return self._play_to_the_end()

    def _play_to_the_end(self) -> Episodes:
        games = len(self.game)
        start = self.sampler.draw(games)
        game = Game(self.bank, games)
        game.reset(start)
        lstm_state, number, begun = (
            self.network.initial_lstm_state(games),
            torch.arange(games, device=self.bank.device),
            start.frame,
        )
        states, steps, rows = [], [], []
        random_states: list[Tensor] | None = [] if self.has_dropout else None
        self.running_return.zero_()
        while len(number):
            if random_states is not None:
                random_states.append(get_random_state(self.bank.device))
            states.append(game.state())
            before = lstm_state
            output, value, lstm_state = act(self.network, self.bank, states[-1].position, self.precision, lstm_state)
            if not output.isfinite().all():
                raise Diverged("the network's output is not finite")
            policy = self.network.policy(output)
            action = policy.sample(self.generator)
            step = game.step(action)
            steps.append((action, policy.log_prob(action), value, *([] if before is None else [before])))
            rows.append(
                torch.stack(
                    [
                        self._row(number, values)
                        for values in (step.reward, (~step.terminated).double(), torch.ones_like(step.reward))
                    ]
                )
            )
            self.running_return[number] += step.reward
            self.outcomes = self.outcomes + outcomes_of(step, game.frame - begun)
            self.sampler.report(game.piece, begun, game.frame, step.terminated)
            unfinished = ~step.terminated
            game.keep(unfinished)
            number, begun = number[unfinished], begun[unfinished]
            lstm_state = None if lstm_state is None else lstm_state[unfinished]
        self.last_return = self.running_return.clone()
        actions, log_probabilities, values, *lstm_states = map(torch.cat, zip(*steps))
        rewards, masks, played = torch.stack(rows, dim=1)
        return Episodes(
            GameState.joined(states),
            actions,
            log_probabilities,
            values,
            rewards.float(),
            masks.float(),
            last_values=torch.zeros_like(rewards[0], dtype=torch.float32),
            last_state=game.state(),
            random_states=random_states,
            lstm_state=lstm_states[0] if lstm_states else None,
            played=played.bool(),
        )

    def _row(self, number: Tensor, values: Tensor) -> Tensor:
        row = torch.zeros_like(self.running_return)
        row[number] = values
        return row
