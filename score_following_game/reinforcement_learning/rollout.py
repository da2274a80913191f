"""T steps of N games, stored as indices; pixels are gathered again where they are needed."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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


class RolloutCollector:
    """Plays N games on and on, in pieces of t_max steps; ended games begin anew at once.

    keep: keep what the network's layers gave for the gradient, where RECORDED_BYTES hold it.
    """

    def __init__(
        self, bank: ScoreBank, n_games: int, network: nn.Module, sampler: StartSampler, seed: int, precision: torch.dtype,
        keep: bool = False,
    ) -> None:
        self.bank, self.network, self.sampler, self.precision = bank, network, sampler, precision
        self.keep = keep
        self.generator = torch.Generator(bank.device).manual_seed(seed)
        self.has_dropout = any(isinstance(module, nn.Dropout) for module in network.modules())
        self.game = Game(bank, n_games)
        self.game.reset(sampler.draw(n_games))
        self.running_return = torch.zeros(n_games, dtype=torch.float64, device=bank.device)
        # nan until a game has ended once: nothing is said of games that have not.
        self.last_return = torch.full_like(self.running_return, float("nan"))

    def collect(self, t_max: int) -> Rollout:
        """Play t_max steps of every game with the network as it is (train mode: with dropout).

        Raises Diverged when the network's output is no longer finite.
        """
        with unchanged_parameters():
            return self._collect(t_max)

    def _collect(self, t_max: int) -> Rollout:
        states, actions, log_probabilities, values, rewards, masks = [], [], [], [], [], []
        random_states: list[Tensor] | None = [] if self.has_dropout else None
        recorded: list[list[Tensor]] | None = [] if self.keep else None
        for _ in range(t_max):
            if random_states is not None:
                random_states.append(get_random_state(self.bank.device))
            state = self.game.state()
            logits, value = act(self.network, self.bank, state.position, self.precision, recorded)
            if recorded and not actions and _bytes(recorded) * t_max > RECORDED_BYTES:
                recorded = None
            if not logits.isfinite().all():
                raise Diverged("the network's output is not finite")
            policy = CategoricalPolicy.from_logits(logits)
            action = policy.sample(self.generator)
            step = self.game.step(action)
            states.append(state)
            actions.append(action)
            log_probabilities.append(policy.log_prob(action))
            values.append(value)
            rewards.append(step.reward.float())
            masks.append((~step.terminated).float())
            self._restart(step.reward, step.terminated)
        last = self.game.state()
        last_values = act(self.network, self.bank, last.position, self.precision)[1]
        return Rollout(GameState.joined(states), *map(torch.stack, (actions, log_probabilities, values, rewards, masks)),
                       last_values, last, random_states, recorded or [])

    def _restart(self, reward: Tensor, terminated: Tensor) -> None:
        self.running_return += reward
        ended = terminated.nonzero()[:, 0]
        if len(ended):
            self.last_return[ended] = self.running_return[ended]
            self.running_return[ended] = 0
            self.sampler.report(self.game.piece[ended], self.game.frame[ended])
            self.game.reset(self.sampler.draw(len(ended)), ended)

    def state_dict(self) -> dict[str, Any]:
        return {"game": self.game.state_dict(), "sampler": self.sampler.state_dict(), "generator": self.generator.get_state(),
                "running_return": self.running_return.clone(), "last_return": self.last_return.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.game.load_state_dict(state["game"])
        self.sampler.load_state_dict(state["sampler"])
        self.generator.set_state(state["generator"])
        self.running_return.copy_(state["running_return"])
        self.last_return.copy_(state["last_return"])


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
