"""T steps of N games, stored as indices; pixels are gathered again when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from score_following_game.agents.inference import chunk_size, chunks, replay, run_network
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.game import GameState
from score_following_game.environment.observation import Position, observe
from score_following_game.environment.score_bank import ScoreBank


@dataclass(frozen=True)
class Rollout:
    """T steps of N games.

    Attributes:
        states: Before each step, (T * N,) per field.
        actions: (T, N), int64, or float32 in continuous games.
        log_probabilities, values, rewards: (T, N), float32.
        masks: (T, N), float32, 0 if the step ended its game, else 1.
        last_values: (N,), the critic's values after the last step.
        last_state: (N,) per field, after the last step.
        random_states: For networks with dropout, the random state before each step's forward pass.
        recorded: The tensors of the acting passes, by step and chunk, if they were kept.
        lstm_state: For networks with an LSTM, its state before each step, (T * N, 2, size).
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
    lstm_state: Tensor | None = None

    def returns(self, discounting: float) -> Tensor:
        """The discounted return of each step, (T * N,)."""
        return discounted_returns(self.rewards, self.masks, self.last_values, discounting).flatten()

    @property
    def n_steps(self) -> int:
        """The number of game steps, of all games."""
        return len(self.states.speed)

    @property
    def games_per_step(self) -> list[int]:
        """The number of games played at each step."""
        return [self.actions.shape[1]] * self.actions.shape[0]

    @property
    def positions(self) -> Position:
        """The positions the network observed, (T * N,) per field."""
        return self.states.position

    def passes(
        self,
        network: ActorCritic,
        bank: ScoreBank,
        precision: torch.dtype,
    ) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Repeat the acting passes with gradients.

        Uses up `recorded` if there is any, which frees memory for the next rollout; otherwise computes the passes again. The
        LSTM state before each step is a constant: the gradient stops there, as published.

        Yields:
            Parts of 0 .. T * N with their network outputs, (n, A), and values, (n,).
        """
        if not self.recorded:
            for part in self.acting_chunks(bank):
                judged = run_network(network, bank, self.positions.at(part), precision, self._lstm_state_at(part))
                yield part, judged.output, judged.value
            return
        first = 0
        for tensors in _joined(self.recorded, chunk_size(bank)):
            part = slice(first, first + len(tensors[0]))
            judged = replay(network, tensors, self._lstm_state_at(part))
            yield part, judged.output, judged.value
            first = part.stop

    def passes_through_time(
        self,
        network: ActorCritic,
        bank: ScoreBank,
        precision: torch.dtype,
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Like `passes` for LSTM networks, with the gradient through the whole rollout, some games at a time.

        Parts are index tensors.
        """
        steps, games = self.actions.shape
        for some in torch.arange(games, device=bank.device).split(max(1, chunk_size(bank) // steps)):
            part = torch.arange(steps, device=bank.device)[:, None] * games + some
            windows = observe(bank, self.positions.at(part.flatten()), precision)
            spec, sheet = (network.branch(name, values) for name, values in zip(("spec", "sheet"), windows))
            joined = network.join(spec, sheet)
            lstm_state, recalled = self._lstm_state_at(part[0]), []
            for step, features in enumerate(joined.unflatten(0, part.shape)):
                now, lstm_state = network.recall(features, lstm_state)
                recalled.append(now)
                lstm_state = lstm_state * self.masks[step, some][:, None, None]
            output, value = network.judge(torch.cat(recalled))
            yield part.flatten(), output, value[:, 0]

    def _lstm_state_at(self, part: slice | Tensor) -> Tensor | None:
        return None if self.lstm_state is None else self.lstm_state[part]

    def acting_chunks(self, bank: ScoreBank) -> Iterator[slice]:
        """Yields parts of 0 .. T * N whose forward passes repeat the acting ones: with dropout, one step under its masks each.

        So the gradient is that of the policy that acted.
        """
        if self.random_states is None:
            yield from chunks(bank, sum(self.games_per_step))
            return
        first = 0
        for games, state in zip(self.games_per_step, self.random_states):
            set_random_state(bank.device, state)
            for part in chunks(bank, games):
                yield slice(first + part.start, first + part.stop)
            first += games


def _joined(recorded: list[list[Tensor]], most: int) -> Iterator[list[Tensor]]:
    """Empties `recorded`; joins neighbouring passes up to `most` windows, because small ones are slow."""
    while recorded:
        group = [recorded.pop(0)]
        windows = len(group[0][0])
        while recorded and windows + len(recorded[0][0]) <= most:
            windows += len(recorded[0][0])
            group.append(recorded.pop(0))
        yield group[0] if len(group) == 1 else [torch.cat(parts) for parts in zip(*group)]


def get_random_state(device: torch.device) -> Tensor:
    """The state of the generator that dropout on `device` uses."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_random_state(device: torch.device, state: Tensor) -> None:
    """Restore a state from get_random_state."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


def discounted_returns(rewards: Tensor, masks: Tensor, last_values: Tensor, discounting: float) -> Tensor:
    """n-step returns bootstrapped with the critic, (T, N): R[t] = r[t] + gamma * mask[t] * R[t + 1]."""
    returns = torch.empty_like(rewards)
    following = last_values
    for step in reversed(range(len(rewards))):
        following = returns[step] = rewards[step] + discounting * masks[step] * following
    return returns


def generalised_advantages(
    rewards: Tensor,
    masks: Tensor,
    values: Tensor,
    last_values: Tensor,
    discounting: float,
    gae_lambda: float,
) -> Tensor:
    """GAE (Schulman et al. 2016, eq. 16), cut at the ends of games, (T, N)."""
    advantages = torch.empty_like(rewards)
    advantage = torch.zeros_like(last_values)
    for step in reversed(range(len(rewards))):
        following = values[step + 1] if step + 1 < len(values) else last_values
        delta = rewards[step] + discounting * masks[step] * following - values[step]
        advantage = advantages[step] = delta + discounting * gae_lambda * masks[step] * advantage
    return advantages
