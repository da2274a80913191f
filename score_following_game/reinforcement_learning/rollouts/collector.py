"""Plays N games continuously with a network, in rollouts of T steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.inference import act
from score_following_game.agents.layers import unchanged_parameters
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.game import Game, GameState, Step
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.losses import Diverged
from score_following_game.reinforcement_learning.diagnostics import no_outcomes, outcomes_of
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout, get_random_state
from score_following_game.reinforcement_learning.rollouts.step_graph import StepGraph, captured

RECORDED_BYTES = 2**31  # limit for layer outputs kept for the update; for larger rollouts it recomputes them


class Played(NamedTuple):
    """Results of a step of N games, each (N,) and as in Rollout. finite: bool (), True if all network outputs were finite."""

    actions: Tensor
    log_probabilities: Tensor
    values: Tensor
    rewards: Tensor
    masks: Tensor
    finite: Tensor


class Collector(ABC):
    """Provides what each update learns from.

    Attributes:
        generator: source of its random numbers, and of the learner's.
        last_return: of the latest finished game of each, float64 (n,); nan where there is none.
    """

    generator: torch.Generator
    last_return: Tensor

    @abstractmethod
    def collect(self, t_max: int) -> Any:
        """What the algorithm's learner takes; `n_steps` is the number of game steps in it. Raises Diverged."""

    @property
    @abstractmethod
    def playing(self) -> Tensor:
        """The pieces, int64 (n,), of which games go on after the update; none of them may be replaced."""

    @abstractmethod
    def is_finite(self) -> bool:
        """Whether the network's output, in evaluation mode, is finite. Draws no random numbers."""

    @abstractmethod
    def take_outcomes(self) -> Tensor:
        """Counts of the games that ended since the last call: float64 (5,), in the order of diagnostics.OUTCOMES."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]: ...

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class RolloutCollector(Collector):
    """Plays N games continuously, in rollouts of t_max steps; games that end restart at once.

    keep: keep the layers' activations for the gradient, on the CPU only and up to RECORDED_BYTES. graph: on CUDA, replay a
    graph of the step (step_graph.py). Networks with dropout play without one: the update draws their masks again from the
    generator's states before each step, which a replay does not provide.
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
        # The update's batches differ from the acting ones, so batch normalisation would have other statistics.
        self.keep = keep and bank.device.type == "cpu" and not network.has_batch_norm
        self.generator = torch.Generator(bank.device).manual_seed(seed)
        self.has_dropout = network.has_dropout
        self.game = Game(bank, n_games)
        start = sampler.draw(n_games)
        self.game.reset(start)
        self.begun = start.frame
        self.lstm_state = network.initial_lstm_state(n_games)
        self.running_return = torch.zeros(n_games, dtype=torch.float64, device=bank.device)
        # nan until a game has ended once, so that it is left out of the means that are logged
        self.last_return = torch.full_like(self.running_return, float("nan"))
        self.outcomes = no_outcomes(bank.device)  # of the games ended since the last log line
        self.has_graph = graph and bank.device.type == "cuda" and not self.has_dropout
        self._replay: StepGraph | None = None

    def collect(self, t_max: int) -> Rollout:
        """Play t_max steps of every game with the network in its present mode (train mode: with dropout).

        Raises:
            Diverged: The network's output is not finite.
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
        steps = Played(*map(torch.stack, zip(*played)))
        if not steps.finite.all():
            raise Diverged("the network's output is not finite")
        return Rollout(
            GameState.joined(states),
            steps.actions,
            steps.log_probabilities,
            steps.values,
            steps.rewards,
            steps.masks,
            last_values=last_values,
            last_state=last,
            random_states=random_states,
            recorded=recorded or [],
            lstm_state=torch.cat(lstm_states) if lstm_states else None,
        )

    def play(self, recorded: list[list[Tensor]] | None = None) -> Played:
        """Play one step of all games and restart those that end. A GPU need not wait for the host in it."""
        output, value, lstm_state = act(
            self.network, self.bank, self.game.position(), self.precision, self.lstm_state, recorded
        )
        policy = self.network.policy(output)
        action = policy.sample(self.generator)
        step = self.game.step(action.nan_to_num(0.0, 0.0, 0.0))  # collect() reports non-finite ones after the rollout
        if lstm_state is not None:
            self.lstm_state = lstm_state * ~step.terminated[:, None, None]
        self._restart(step)
        return Played(
            action, policy.log_prob(action), value, step.reward.float(), (~step.terminated).float(), output.isfinite().all()
        )

    @property
    def playing(self) -> Tensor:
        return self.game.piece

    def is_finite(self) -> bool:
        judged = act(self.network, self.bank, self.game.position(), self.precision, self.lstm_state)
        return bool(judged.output.isfinite().all() and judged.value.isfinite().all())

    @property
    def step_state(self) -> list[tuple[Any, str]]:
        """The attributes, as (object, name), that a step reads and replaces."""
        own = ["running_return", "last_return", "begun", "outcomes", *(["lstm_state"] if self.lstm_state is not None else [])]
        return [*((self.game, name) for name in Game.STATE), *((self, name) for name in own), (self.sampler, "latest_ratio")]

    def take_outcomes(self) -> Tensor:
        taken, self.outcomes = self.outcomes.clone(), torch.zeros_like(self.outcomes)
        return taken

    def _restart(self, step: Step) -> None:
        """Draw a start for every game, because the host does not know how many have ended; only ended games use theirs."""
        ended, total = step.terminated, self.running_return + step.reward
        self.outcomes = self.outcomes + outcomes_of(step, self.game.frame - self.begun)
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
