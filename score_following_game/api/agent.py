"""A trained agent that acts on gymnasium observations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from score_following_game.agents.agents import Agent, TrainedAgent
from score_following_game.agents.inference import PRECISIONS
from score_following_game.agents.loading import LearntAgent, load_trained_agent, resolve_network_and_config
from score_following_game.agents.localisation import LocalisationAgent
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.shipped import find_parameters
from score_following_game.config import GameConfig
from score_following_game.errors import UserError, counted
from score_following_game.machine import DEFAULT_SEED, require_device, require_seed

Observation = Sequence[np.ndarray] | Mapping[str, np.ndarray]


class LoadedAgent:
    """A trained agent, ready to play.

    Examples:
        >>> import score_following_game as sfg
        >>> agent = sfg.load_agent("nottingham")
        >>> env = sfg.make_env("test_sample")
        >>> observation, info = env.reset(seed=1)
        >>> observation, reward, terminated, truncated, info = env.step(agent.act(observation))

    Attributes:
        name: the short name or the file that it was loaded from.
        net: published name of its network.
        config: the config of the game it was trained on; `sfg.make_env(..., game_config=agent.config)` makes that game.
    """

    def __init__(self, player: LearntAgent, name: str, net: str, config: GameConfig, seed: int) -> None:
        self.name, self.net, self.config = name, net, config
        self._player, self._seed = player, seed
        self._lstm_state: Tensor | None = None
        self._generator = self._new_generator()

    def __repr__(self) -> str:
        return f"LoadedAgent({self.name!r}, net={self.net!r})"

    def act(self, observation: Observation) -> int | np.ndarray:
        """Choose an action for one observation or for a batch.

        An agent with an LSTM remembers the observations it has seen: call `reset` when games begin.

        Args:
            observation: (spectrogram, sheet), or a mapping with these keys, as the environments return it: float arrays
                (2, H, W) for one game, (N, 2, H, W) for N games.

        Returns:
            For one game an action index (int), or in continuous games a speed change, float32 (1,) pixels per frame. For N
            games int64 (N,), or float32 (N, 1).

        Raises:
            UserError: the observation has another shape than this agent's game; the number of games of an LSTM agent changed
                without `reset`; the agent is a localisation baseline, which chooses positions, not actions, or a reading agent,
                which needs the whole game.
        """
        if isinstance(self._player, ReadingAgent):
            raise UserError(f"{self.name}: this agent needs the game, not an observation; use evaluate() or follow()")
        if not isinstance(self._player, TrainedAgent):
            raise UserError(f"{self.name}: this agent chooses positions, not actions; use evaluate() or follow() with it")
        spec, sheet, is_single = self._as_batch(observation)
        with torch.no_grad():
            output, _value, *state = self._player.network((spec, sheet), lstm_state=self._state_of(self._player, len(spec)))
        self._lstm_state = state[0] if state else None
        policy = self._player.network.policy(output)
        actions = (policy.mode() if self._player.deterministic else policy.sample(self._generator)).cpu().numpy()
        if not self.config.continuous:
            return int(actions[0]) if is_single else actions.astype(np.int64)
        changes = actions.astype(np.float32).reshape(-1, 1)
        return changes[0] if is_single else changes

    def reset(self, begun: np.ndarray | None = None, *, seed: int | None = None) -> None:
        """Forget the games played so far. Only agents with an LSTM have a state to forget.

        Args:
            begun: bool (N,), True for the games of a batch that begin again; None: all of them.
            seed: restart the sampling of actions with this seed; by default the sampling continues.

        Raises:
            UserError: `begun` has another number of games than the last observation.
        """
        if seed is not None:
            self._seed = seed
            self._generator = self._new_generator()
        if begun is None:
            self._lstm_state = None
        elif self._lstm_state is not None:
            mask = np.asarray(begun, dtype=bool)
            if mask.shape != (len(self._lstm_state),):
                raise UserError(f"{self.name}: reset() of {mask.shape} games, but {len(self._lstm_state)} are played")
            stays = torch.as_tensor(~mask, device=self._lstm_state.device)
            self._lstm_state = self._lstm_state * stays[:, None, None]

    def player(self) -> Agent:
        """A fresh player of batched games with this agent's parameters and seed, as the evaluation uses it."""
        if isinstance(self._player, LocalisationAgent):
            return self._player
        if isinstance(self._player, ReadingAgent):
            return ReadingAgent(self._player.network, self._new_generator(), self._player.precision)
        own = self._player
        return TrainedAgent(own.network, self._new_generator(), own.deterministic, own.precision)

    def _new_generator(self) -> torch.Generator:
        return torch.Generator(self._device).manual_seed(self._seed)

    @property
    def _device(self) -> torch.device:
        return next(self._player.network.parameters()).device

    def _as_batch(self, observation: Observation) -> tuple[Tensor, Tensor, bool]:
        if isinstance(observation, Mapping):
            parts = [observation[key] for key in ("spectrogram", "sheet") if key in observation]
        else:
            parts = list(observation)
        expected = (self.config.spec_shape, self.config.sheet_shape)
        shapes = [np.shape(part) for part in parts]
        is_single = bool(shapes) and len(shapes[0]) == 3
        if [tuple(shape[-3:]) for shape in shapes] != [tuple(shape) for shape in expected] or any(
            len(shape) != (3 if is_single else 4) or shape[0] != shapes[0][0] for shape in shapes
        ):
            raise UserError(
                f"{self.name}: observation of shapes {shapes}, expected (spectrogram, sheet) of shapes {expected[0]} and "
                f"{expected[1]}, with a leading axis for several games; make the environment with game_config=agent.config"
            )
        precision = self._player.precision
        spec, sheet = (
            torch.as_tensor(np.asarray(part), device=self._device)
            .to(precision)
            .reshape(-1, *shape)
            .contiguous(memory_format=torch.channels_last)
            for part, shape in zip(parts, expected)
        )
        return spec, sheet, is_single

    def _state_of(self, player: TrainedAgent, n: int) -> Tensor | None:
        if self._lstm_state is None:
            return player.network.initial_lstm_state(n)
        if len(self._lstm_state) != n:
            raise UserError(
                f"{self.name}: {counted(n, 'game')}, but {len(self._lstm_state)} before; call agent.reset() in between"
            )
        return self._lstm_state


def load_agent(
    params: str | os.PathLike[str],
    *,
    net: str | None = None,
    game_config: str | os.PathLike[str] | GameConfig | None = None,
    device: str = "cpu",
    deterministic: bool = False,
    precision: str = "float32",
    seed: int = DEFAULT_SEED,
) -> LoadedAgent:
    """Load a trained agent.

    Args:
        params: short name of an agent that comes with the project ("nottingham"), or a parameter file.
        net: published name of its network; by default the one named in its run folder.
        game_config: path or name of its game config, or the GameConfig; by default the one in its run folder.
        device: "cpu", "cuda" or "cuda:N".
        deterministic: choose the most likely action instead of sampling the policy.
        precision: "float32", "bfloat16" or "auto" (bfloat16 where the processor supports it).
        seed: seeds the sampling of actions.

    Raises:
        UserError: no such agent or file, unknown network, game, device or precision, an impossible seed, or parameters that
            do not fit the network.

    Examples:
        >>> agent = sfg.load_agent("nottingham", deterministic=True)
    """
    require_seed(seed)
    require_device(device)
    if precision not in PRECISIONS:
        raise UserError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    path = find_parameters(os.fspath(params))
    net, config = resolve_network_and_config(path, net, game_config)
    player = load_trained_agent(path, net, config, seed=seed, device=device, deterministic=deterministic, precision=precision)
    return LoadedAgent(player, _name_of(params), net, config, seed)


def _name_of(params: Any) -> str:
    path = Path(params)
    return f"{path.parent.name}/{path.name}" if path.is_file() else str(params)
