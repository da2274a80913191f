"""T steps of N games, stored as indices; pixels are gathered again where they are needed."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from score_following_game.agents.inference import act, chunk_size, chunks, replay, run_network
from score_following_game.agents.layers import unchanged_parameters
from score_following_game.agents.policy import CategoricalPolicy
from score_following_game.environment.game import Game, GameState
from score_following_game.environment.observation import Position
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.losses import Diverged
from score_following_game.reinforcement_learning.step_graph import StepGraph, captured

RECORDED_BYTES = 2**31  # of layer outputs kept for the update; a larger rollout computes them again


@dataclass(frozen=True)
class Rollout:
    """actions int64, log_probabilities, values, rewards, masks float32: (T, N); a
    mask is 0 where the step ended its game. last_values: (N,), the critic at the position after the last step.
    random_states: for networks with dropout, torch's state before each step's forward pass. recorded: the tensors of the
    acting passes, step by step and chunk by chunk, where they were kept. states: (T * N,) each; last_state: (N,) after the
    last step.
    """

    states: GameState
    actions: Tensor
    log_probabilities: Tensor
    values: Tensor
    rewards: Tensor
    masks: Tensor
    last_values: Tensor
    last_state: GameState
    random_states: list[Tensor] | None
    recorded: list[list[Tensor]] = field(default_factory=list)

    @property
    def positions(self) -> Position:
        """What the network saw at each step: (T * N,) each."""
        return self.states.position

    def passes(
        self, network: nn.Module, bank: ScoreBank, precision: torch.dtype,
    ) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """The acting passes with gradients: parts of 0 .. T * N, their logits and values.

        Taken from `recorded`, which is used up, so that memory is free for the next rollout; else computed again.
        """
        if not self.recorded:
            for part in self.acting_chunks(bank):
                yield part, *run_network(network, bank, self.positions.at(part), precision)
            return
        first = 0
        for tensors in _joined(self.recorded, chunk_size(bank)):
            part = slice(first, first + len(tensors[0]))
            yield part, *replay(network, tensors)
            first = part.stop

    def acting_chunks(self, bank: ScoreBank) -> Iterator[slice]:
        """Parts of 0 .. T * N whose forward passes repeat those of acting: with dropout, step by step under the same masks.

        So the policy whose gradient is taken is the one that acted.
        """
        steps, games = self.actions.shape
        if self.random_states is None:
            yield from chunks(bank, steps * games)
            return
        for step, state in enumerate(self.random_states):
            set_random_state(bank.device, state)
            for part in chunks(bank, games):
                yield slice(step * games + part.start, step * games + part.stop)


def _joined(recorded: list[list[Tensor]], most: int) -> Iterator[list[Tensor]]:
    """Empties `recorded`: neighbours joined to passes of `most` windows, since small ones are slow."""
    while recorded:
        group = [recorded.pop(0)]
        windows = len(group[0][0])
        while recorded and windows + len(recorded[0][0]) <= most:
            windows += len(recorded[0][0])
            group.append(recorded.pop(0))
        yield group[0] if len(group) == 1 else [torch.cat(parts) for parts in zip(*group)]


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
        self, bank: ScoreBank, n_games: int, network: nn.Module, sampler: StartSampler, seed: int, precision: torch.dtype,
        keep: bool = False, graph: bool = True,
    ) -> None:
        self.bank, self.network, self.sampler, self.precision = bank, network, sampler, precision
        self.keep = keep and bank.device.type == "cpu"
        self.generator = torch.Generator(bank.device).manual_seed(seed)
        self.has_dropout = any(isinstance(module, nn.Dropout) for module in network.modules())
        self.game = Game(bank, n_games)
        start = sampler.draw(n_games)
        self.game.reset(start)
        self.begun = start.frame
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
            self._replay = captured(self.play, self.step_state, ((self, "generator"), (self.sampler, "generator")),
                                    self.bank.device)
            self.has_graph = self._replay is not None
        with unchanged_parameters():
            return self._collect(t_max)

    def _collect(self, t_max: int) -> Rollout:
        states: list[GameState] = []
        played: list[Played] = []
        random_states: list[Tensor] | None = [] if self.has_dropout else None
        recorded: list[list[Tensor]] | None = [] if self.keep else None
        for _ in range(t_max):
            if random_states is not None:
                random_states.append(get_random_state(self.bank.device))
            states.append(self.game.state())
            played.append(self._replay() if self._replay else self.play(recorded))
            if recorded and len(played) == 1 and _bytes(recorded) * t_max > RECORDED_BYTES:
                recorded = None
        last = self.game.state()
        last_values = act(self.network, self.bank, last.position, self.precision)[1]
        *results, finite = map(torch.stack, zip(*played))
        if not finite.all():
            raise Diverged("the network's output is not finite")
        return Rollout(GameState.joined(states), *results, last_values, last, random_states, recorded or [])

    def play(self, recorded: list[list[Tensor]] | None = None) -> Played:
        """One step of all games; ended ones begin anew. Nothing in it has a GPU wait for the host."""
        logits, value = act(self.network, self.bank, self.game.position(), self.precision, recorded)
        policy = CategoricalPolicy.from_logits(logits)
        action = policy.sample(self.generator)
        step = self.game.step(action)
        self._restart(step.reward, step.terminated)
        return Played(action, policy.log_prob(action), value, step.reward.float(), (~step.terminated).float(),
                      logits.isfinite().all())

    @property
    def step_state(self) -> list[tuple[Any, str]]:
        """The attributes, (object, name), that a step goes on from and replaces."""
        return [*((self.game, name) for name in Game.STATE), (self, "running_return"), (self, "last_return"),
                (self, "begun"), (self.sampler, "latest_ratio")]

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
        return {"game": self.game.state_dict(), "sampler": self.sampler.state_dict(), "generator": self.generator.get_state(),
                "running_return": self.running_return.clone(), "last_return": self.last_return.clone(),
                "begun": self.begun.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.game.load_state_dict(state["game"])
        self.sampler.load_state_dict(state["sampler"])
        self.generator.set_state(state["generator"])
        self.running_return.copy_(state["running_return"])
        self.last_return.copy_(state["last_return"])
        self.begun.copy_(state["begun"])


def _bytes(recorded: list[list[Tensor]]) -> int:
    return sum(tensor.nbytes for tensors in recorded for tensor in tensors)


def get_random_state(device: torch.device) -> Tensor:
    """State of the generator that dropout on `device` draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_random_state(device: torch.device, state: Tensor) -> None:
    """Set it to what get_random_state gave."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


def discounted_returns(rewards: Tensor, masks: Tensor, last_values: Tensor, discounting: float) -> Tensor:
    """n-step returns bootstrapped with the critic: R[t] = r[t] + gamma * mask[t] * R[t + 1]; (T, N)."""
    returns = torch.empty_like(rewards)
    following = last_values
    for step in reversed(range(len(rewards))):
        following = returns[step] = rewards[step] + discounting * masks[step] * following
    return returns


def generalised_advantages(
    rewards: Tensor, masks: Tensor, values: Tensor, last_values: Tensor, discounting: float, gae_lambda: float,
) -> Tensor:
    """GAE (Schulman et al. 2016, eq. 16), cut where games ended; (T, N)."""
    advantages = torch.empty_like(rewards)
    advantage = torch.zeros_like(last_values)
    for step in reversed(range(len(rewards))):
        following = values[step + 1] if step + 1 < len(values) else last_values
        delta = rewards[step] + discounting * masks[step] * following - values[step]
        advantage = advantages[step] = delta + discounting * gae_lambda * masks[step] * advantage
    return advantages
