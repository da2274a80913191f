"""Playing N games on and on with a network, in rollouts of T steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.inference import act
from score_following_game.agents.layers import unchanged_parameters
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.game import Game, GameState
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.losses import Diverged
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout, get_random_state
from score_following_game.reinforcement_learning.rollouts.step_graph import StepGraph, captured

RECORDED_BYTES = 2**31  # of layer outputs kept for the update; a larger rollout computes them again


class Played(NamedTuple):
    """What a step of N games gave, each (N,) and as in Rollout; finite: (), bool, were all logits?"""

    actions: Tensor
    log_probabilities: Tensor
    values: Tensor
    rewards: Tensor
    masks: Tensor
    finite: Tensor


class RolloutCollector:
    """Plays N games on and on, in pieces of t_max steps; ended games begin anew at once.

    keep: keep what the network's layers gave for the gradient, on the CPU and where RECORDED_BYTES hold it. graph: on CUDA,
    replay a graph of the step (step_graph.py); networks with dropout play without one, since their masks are drawn again in
    the update, by states that a replay would not go by.
    """

    def __init__(
        self,
        bank: ScoreBank,
        n_games: int,
        network: ActorCritic,
        sampler: StartSampler,
        seed: int,
        precision: torch.dtype,
        keep: bool = False,
        graph: bool = True,
    ) -> None:
        self.bank, self.network, self.sampler, self.precision = bank, network, sampler, precision
        # A batch put together otherwise has another mean, so what batch normalisation gave is not the gradient's.
        self.keep = keep and bank.device.type == "cpu" and not network.has_batch_norm
        self.generator = torch.Generator(bank.device).manual_seed(seed)
        self.has_dropout = network.has_dropout
        self.game = Game(bank, n_games)
        start = sampler.draw(n_games)
        self.game.reset(start)
        self.begun = start.frame
        self.lstm_state = network.initial_lstm_state(n_games)
        self.running_return = torch.zeros(n_games, dtype=torch.float64, device=bank.device)
        # nan until a game has ended once: nothing is said of games that have not.
        self.last_return = torch.full_like(self.running_return, float("nan"))
        self.has_graph = graph and bank.device.type == "cuda" and not self.has_dropout
        self._replay: StepGraph | None = None

    def collect(self, t_max: int) -> Rollout:
        """Play t_max steps of every game with the network as it is (train mode: with dropout).

        Raises Diverged when the network's output is no longer finite.
        """
        if self.has_graph and self._replay is None:
            self._replay = captured(
                self.play, self.step_state, ((self, "generator"), (self.sampler, "generator")), self.bank.device
            )
            self.has_graph = self._replay is not None
        with unchanged_parameters():
            return self._collect(t_max)

    def _collect(self, t_max: int) -> Rollout:
        states: list[GameState] = []
        lstm_states: list[Tensor] = []
        played: list[Played] = []
        random_states: list[Tensor] | None = [] if self.has_dropout else None
        recorded: list[list[Tensor]] | None = [] if self.keep else None
        for _ in range(t_max):
            if random_states is not None:
                random_states.append(get_random_state(self.bank.device))
            states.append(self.game.state())
            if self.lstm_state is not None:
                lstm_states.append(self.lstm_state.clone())
            played.append(self._replay() if self._replay else self.play(recorded))
            if recorded and len(played) == 1 and _bytes(recorded) * t_max > RECORDED_BYTES:
                recorded = None
        last = self.game.state()
        last_values = act(self.network, self.bank, last.position, self.precision, self.lstm_state).value
        *results, finite = map(torch.stack, zip(*played))
        if not finite.all():
            raise Diverged("the network's output is not finite")
        return Rollout(
            GameState.joined(states),
            *results,
            last_values,
            last,
            random_states,
            recorded or [],
            torch.cat(lstm_states) if lstm_states else None,
        )

    def play(self, recorded: list[list[Tensor]] | None = None) -> Played:
        """One step of all games; ended ones begin anew. Nothing in it has a GPU wait for the host."""
        output, value, lstm_state = act(
            self.network, self.bank, self.game.position(), self.precision, self.lstm_state, recorded
        )
        policy = self.network.policy(output)
        action = policy.sample(self.generator)
        step = self.game.step(action.nan_to_num(0.0, 0.0, 0.0))  # that they are not finite is told after the rollout
        if lstm_state is not None:
            self.lstm_state = lstm_state * ~step.terminated[:, None, None]
        self._restart(step.reward, step.terminated)
        return Played(
            action, policy.log_prob(action), value, step.reward.float(), (~step.terminated).float(), output.isfinite().all()
        )

    @property
    def step_state(self) -> list[tuple[Any, str]]:
        """The attributes, (object, name), that a step goes on from and replaces."""
        own = ["running_return", "last_return", "begun", *(["lstm_state"] if self.lstm_state is not None else [])]
        return [*((self.game, name) for name in Game.STATE), *((self, name) for name in own), (self.sampler, "latest_ratio")]

    def _restart(self, reward: Tensor, ended: Tensor) -> None:
        """A start is drawn for every game, since how many have ended is not known here, and taken by those that have."""
        total = self.running_return + reward
        self.last_return = torch.where(ended, total, self.last_return)
        self.running_return = total.masked_fill(ended, 0)
        self.sampler.report(self.game.piece, self.begun, self.game.frame, ended)
        start = self.sampler.draw(len(ended))
        self.game.reset(start, ended)
        self.begun = torch.where(ended, start.frame, self.begun)

    def state_dict(self) -> dict[str, Any]:
        return {
            "game": self.game.state_dict(),
            "sampler": self.sampler.state_dict(),
            "generator": self.generator.get_state(),
            "running_return": self.running_return.clone(),
            "last_return": self.last_return.clone(),
            "begun": self.begun.clone(),
            "memory": None if self.lstm_state is None else self.lstm_state.clone(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.game.load_state_dict(state["game"])
        self.sampler.load_state_dict(state["sampler"])
        self.generator.set_state(state["generator"])
        self.running_return.copy_(state["running_return"])
        self.last_return.copy_(state["last_return"])
        self.begun.copy_(state["begun"])
        if self.lstm_state is not None:
            self.lstm_state.copy_(state["memory"])


def _bytes(recorded: list[list[Tensor]]) -> int:
    return sum(tensor.nbytes for tensors in recorded for tensor in tensors)
