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
    speed_changes,
    wanted_piece,
)
from score_following_game.environment.starts import Start


class ScoreFollowingVectorEnv(VectorEnv):
    """As ScoreFollowingEnv, N at once. An ended game begins anew within the step that ended it (SAME_STEP); its last
    observation and info are in info["final_obs"] and info["final_info"], masked by "_final_obs" and "_final_info".

    Each game draws its pieces by a generator of its own, so that game i seeded with s plays what ScoreFollowingEnv seeded
    with s + i plays.
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
            raise ValueError(f"render_mode {render_mode!r}: wanted rgb_array or None; to watch in a window take one game")
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}, wanted at least 1")
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
        """Begin all games. seed: an int s seeds game i with s + i, a list each game on its own. options: as one game's."""
        seeds = [int(seed) + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        if seeds is not None:
            if len(seeds) != self.num_envs:
                raise ValueError(f"{len(seeds)} seeds for {self.num_envs} games")
            for index, own in enumerate(seeds):
                if own is not None:
                    self._generators[index] = seeding.np_random(int(own))[0]
        self._begin(np.arange(self.num_envs), wanted_piece(self.bank, options))
        self._has_begun = True
        return observations(self.game), _with_masks(info_arrays(self.game))

    def step(self, actions: np.ndarray) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """actions: (N,) int indices, or, continuous, (N, 1) floats."""
        if not self._has_begun:
            raise ResetNeeded("call reset() before the first step()")
        if self.bank.config.continuous:
            chosen = speed_changes(actions, self.num_envs)
        else:
            chosen, count = np.asarray(actions), len(self.bank.config.actions)
            fits = chosen.shape == (self.num_envs,) and chosen.dtype.kind in "iu"
            if not fits or chosen.min(initial=0) < 0 or chosen.max(initial=0) >= count:
                raise ValueError(f"actions are {actions}, wanted {self.num_envs} indices from 0 to {count - 1}")
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
        """A picture of each game, uint8 (H, W, 3) RGB."""
        if self.render_mode is None:
            return None
        from score_following_game.environment.rendering.picture import render

        return tuple(np.ascontiguousarray(render(self.game, index=index)[:, :, ::-1]) for index in range(self.num_envs))

    def _begin(self, games: np.ndarray, wanted: int | None = None) -> None:
        piece, begins = torch.zeros(self.num_envs, dtype=torch.int64), torch.zeros(self.num_envs, dtype=torch.bool)
        for game in games:
            piece[game] = int(self._generators[game].integers(len(self.bank))) if wanted is None else wanted
            begins[game] = True
        self.game.reset(Start.from_beginning(piece), begins)

    def _final(self, ended: np.ndarray) -> dict[str, Any]:
        """Last observation and info of the games that ended, in gymnasium's layout."""
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
    """Every key with its mask _key, as gymnasium's vector infos have them."""
    masks = {f"_{key}": np.ones(len(values), bool) for key, values in arrays.items()}
    return arrays | masks
