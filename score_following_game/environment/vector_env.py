"""N games as a gymnasium vector environment: one batched game, not N environments."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from score_following_game.config import GameConfig
from score_following_game.environment.env import ScoreFollowingEnv
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.spaces import (
    Observation,
    action_space,
    info_arrays,
    observation_space,
    observations,
    open_bank,
    requested_piece,
    speed_changes,
)
from score_following_game.environment.starts import Start


class ScoreFollowingVectorEnv(VectorEnv):
    """N games as one gymnasium vector environment, played as a batch.

    A game that ends is reset within the same step (AutoresetMode.SAME_STEP). Its last observation and info are in
    info["final_obs"] and info["final_info"], with the masks "_final_obs" and "_final_info".

    Each game draws its pieces with its own generator: game i seeded with s plays the same pieces as a ScoreFollowingEnv seeded
    with s + i.

    Args:
        num_envs: Number of games, N.
        data_set: A folder of pieces, the name of a bundled set, or a ScoreBank to share with other environments.
        game_config: A YAML file or the name of a config that comes with the project. Default: nottingham.yaml.
        piece: Play only this piece: its name, or a part of it that no other name contains.
        sound_font: The SoundFont that MIDI files are played with.
        render_mode: "rgb_array" or None.

    Raises:
        UserError: The config or the data set cannot be used.
        ValueError: An argument is out of range, or arguments are given that a ScoreBank already determines.
    """

    metadata = {**ScoreFollowingEnv.metadata, "render_modes": ["rgb_array"], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        data_set: str | os.PathLike[str] | ScoreBank = "test_sample",
        game_config: str | os.PathLike[str] | GameConfig | None = None,
        piece: str | None = None,
        sound_font: str | os.PathLike[str] | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(
                f"render_mode {render_mode!r}: expected rgb_array or None; a window shows a ScoreFollowingEnv only"
            )
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}, expected at least 1")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.bank = open_bank(data_set, game_config, piece, sound_font)
        self.single_observation_space, self.single_action_space = observation_space(self.bank), action_space(self.bank)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.game = Game(self.bank, num_envs)
        self._has_begun = False
        self._generators = [seeding.np_random(None)[0] for _ in range(num_envs)]

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin all games.

        Args:
            seed: An int s seeds game i with s + i; a list seeds each game separately, None keeps a game's generator.
            options: {"piece": NAME} makes all games play the piece of exactly this name.

        Returns:
            The observations, float32 (N, 2, H, W) each, and the info (see `spaces.info_arrays`), an array (N,) per key.

        Raises:
            ValueError: The number of seeds is not N, or no piece has the given name.
        """
        seeds = [int(seed) + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        if seeds is not None:
            if len(seeds) != self.num_envs:
                raise ValueError(f"{len(seeds)} seeds for {self.num_envs} games")
            for index, own in enumerate(seeds):
                if own is not None:
                    self._generators[index] = seeding.np_random(int(own))[0]
        self._begin(np.arange(self.num_envs), requested_piece(self.bank, options))
        self._has_begun = True
        return observations(self.game), _with_masks(info_arrays(self.game))

    def step(self, actions: np.ndarray) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one frame of all games.

        Args:
            actions: (N,) indices into the config's actions; in a continuous game N floats, changes of speed, pixels per frame.

        Returns:
            Observations, rewards (N,), terminated (N,), truncated (N,), always False, and the info.

        Raises:
            ResetNeeded: reset() has not been called.
            ValueError: The actions have another shape, type or range.
        """
        if not self._has_begun:
            raise ResetNeeded("call reset() before the first step()")
        if self.bank.config.continuous:
            chosen = speed_changes(actions, self.num_envs)
        else:
            chosen, count = np.asarray(actions), len(self.bank.config.actions)
            fits = chosen.shape == (self.num_envs,) and chosen.dtype.kind in "iu"
            if not fits or chosen.min(initial=0) < 0 or chosen.max(initial=0) >= count:
                raise ValueError(f"actions are {actions}, expected {self.num_envs} indices from 0 to {count - 1}")
            chosen = chosen.astype(np.int64)
        step = self.game.step(torch.from_numpy(chosen))
        terminated = step.terminated.numpy()
        infos: dict[str, Any] = {}
        if terminated.any():
            infos = self._final(terminated)
            self._begin(np.flatnonzero(terminated))
        infos |= _with_masks(info_arrays(self.game))
        return observations(self.game), step.reward.numpy(), terminated, np.zeros(self.num_envs, bool), infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One picture per game, uint8 (H, W, 3), RGB; None without a render mode."""
        if self.render_mode is None:
            return None
        from score_following_game.environment.rendering.picture import render

        return tuple(np.ascontiguousarray(render(self.game, index=index)[:, :, ::-1]) for index in range(self.num_envs))

    def _begin(self, games: np.ndarray, chosen: int | None = None) -> None:
        """Reset these games, with a piece drawn for each or with the chosen one."""
        piece, begins = torch.zeros(self.num_envs, dtype=torch.int64), torch.zeros(self.num_envs, dtype=torch.bool)
        for game in games:
            piece[game] = int(self._generators[game].integers(len(self.bank))) if chosen is None else chosen
            begins[game] = True
        self.game.reset(Start.from_beginning(piece), begins)

    def _final(self, ended: np.ndarray) -> dict[str, Any]:
        """The last observations and infos of the games that have ended, in gymnasium's layout."""
        spec, sheet = observations(self.game)
        final_obs = np.full(self.num_envs, None, dtype=object)
        for index in np.flatnonzero(ended):
            final_obs[index] = (spec[index].copy(), sheet[index].copy())
        final_info = {}
        for key, values in info_arrays(self.game).items():
            blank = np.full(self.num_envs, None if values.dtype == object else 0, dtype=values.dtype)
            blank[ended] = values[ended]
            final_info[key], final_info[f"_{key}"] = blank, ended.copy()
        return {"final_obs": final_obs, "_final_obs": ended.copy(), "final_info": final_info, "_final_info": ended.copy()}


def _with_masks(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add a mask `_key` for every key, as in gymnasium's vector infos."""
    masks = {f"_{key}": np.ones(len(values), bool) for key, values in arrays.items()}
    return arrays | masks
