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
    ObservationKind,
    action_space,
    info_arrays,
    metadata_for,
    observation_of,
    observation_space,
    open_bank,
    requested_piece,
    require_kind,
    require_known,
    speed_changes,
    windows,
)
from score_following_game.environment.starts import Start
from score_following_game.environment.vector_infos import final_infos, games_to_reset, masked


class ScoreFollowingVectorEnv(VectorEnv):
    """N games as one gymnasium vector environment, played as a batch.

    What becomes of a game that has ended is gymnasium's AutoresetMode:

    * SAME_STEP: it is reset within the same step. Its last observation and info are in info["final_obs"] and
      info["final_info"], with the masks "_final_obs" and "_final_info".
    * NEXT_STEP: the next step resets it instead of playing its action; the reward is 0.
    * DISABLED: the caller resets it, by reset(options={"reset_mask": mask}), before the next step.

    Each game draws its pieces with its own generator: game i seeded with s plays the same pieces as a ScoreFollowingEnv seeded
    with s + i.

    Args:
        num_envs: Number of games, N.
        data_set: A folder of pieces, the name of a bundled set, or a ScoreBank to share with other environments.
        game_config: A YAML file or the name of a config that comes with the project. Default: nottingham.yaml.
        piece: Play only this piece: its name, or a part of it that no other name contains.
        sound_font: The SoundFont that MIDI files are played with.
        render_mode: "rgb_array" or None.
        observations, action_bound: See ScoreFollowingEnv.
        autoreset_mode: An AutoresetMode or its value: "SameStep", "NextStep" or "Disabled".

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
        observations: ObservationKind = "tuple",
        action_bound: float | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
    ) -> None:
        require_kind(observations)
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(
                f"render_mode {render_mode!r}: expected rgb_array or None; a window shows a ScoreFollowingEnv only"
            )
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}, expected at least 1")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.bank = open_bank(data_set, game_config, piece, sound_font)
        self.metadata = metadata_for(type(self).metadata, self.bank) | {"autoreset_mode": self.autoreset_mode}
        self.observations, self.action_bound = observations, action_bound
        self.single_observation_space = observation_space(self.bank, observations)
        self.single_action_space = action_space(self.bank, action_bound)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.game = Game(self.bank, num_envs)
        self._has_begun = False
        self._over = np.zeros(num_envs, bool)  # ended and not reset yet; always False in mode SAME_STEP
        self._reward, self._score = np.zeros(num_envs), np.zeros(num_envs)
        self._generators = [seeding.np_random(None)[0] for _ in range(num_envs)]

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin all games, or some of them.

        Args:
            seed: An int s seeds game i with s + i; a list seeds each game separately, None keeps a game's generator.
            options: "reset_mask", bool (N,): the games to begin; the others, and their generators, stay as they are. "piece":
                the piece they play: its name, or a part of it that no other name contains.

        Returns:
            The observations of all games, float32 (N, 2, H, W) each, and the info (see `spaces.info_arrays`) of those that
            have begun, an array (N,) per key.

        Raises:
            UserError: The given name is of no piece or of several.
            ValueError, TypeError: The number of seeds is not N, the mask is no bool (N,), or another option is given.
            ResetNeeded: A mask before the first reset of all games.
        """
        require_known(options, ("piece", "reset_mask"))
        games, piece = games_to_reset(options, self.num_envs), requested_piece(self.bank, options)
        if not self._has_begun and not games.all():
            raise ResetNeeded("call reset() for all games before the first reset of some of them")
        seeds = [int(seed) + i for i in range(self.num_envs)] if isinstance(seed, (int, np.integer)) else seed
        if seeds is not None:
            if len(seeds) != self.num_envs:
                raise ValueError(f"{len(seeds)} seeds for {self.num_envs} games")
            for index, own in enumerate(seeds):
                if own is not None and games[index]:
                    self._generators[index] = seeding.np_random(int(own))[0]
        self._begin(games, piece)
        self._has_begun = True
        return self._observations(), masked(info_arrays(self.game), games)

    def step(self, actions: np.ndarray) -> tuple[Observation, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one frame of all games.

        Args:
            actions: (N,) indices into the config's actions; in a continuous game N floats, changes of speed, pixels per frame.

        Returns:
            Observations, rewards (N,), terminated (N,), truncated (N,), always False, and the info.

        Raises:
            ResetNeeded: reset() has not been called, or, with autoreset disabled, not for every game that is over.
            ValueError: The actions have another shape, type or range.
        """
        if not self._has_begun:
            raise ResetNeeded("call reset() before the first step()")
        if self.autoreset_mode == AutoresetMode.DISABLED and self._over.any():
            over = np.flatnonzero(self._over).tolist()
            raise ResetNeeded(f"games {over} are over: call reset(options={{'reset_mask': mask}}) before step()")
        step = self.game.step(torch.from_numpy(self._checked(actions)))
        reward, terminated, lost = (values.numpy() for values in (step.reward, step.terminated, step.lost))
        if self._over.any():  # mode NEXT_STEP
            for values in (reward, terminated, lost):
                values[self._over] = 0
            self._begin(self._over)
        self._reward = reward.copy()
        self._score += reward
        infos: dict[str, Any] = {}
        if self.autoreset_mode != AutoresetMode.SAME_STEP:
            self._over = terminated.copy()
        elif terminated.any():
            infos = self._final(terminated, lost)
            self._begin(terminated)
            lost = lost & ~terminated
        infos |= masked(info_arrays(self.game, lost), np.ones(self.num_envs, bool))
        return self._observations(), reward, terminated, np.zeros(self.num_envs, bool), infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """One picture per game, uint8 (H, W, 3), RGB; None without a render mode."""
        if self.render_mode is None:
            return None
        from score_following_game.environment.rendering.picture import Overlay, render

        overlays = [Overlay(reward=float(reward), score=float(score)) for reward, score in zip(self._reward, self._score)]
        pictures = (render(self.game, overlay, index) for index, overlay in enumerate(overlays))
        return tuple(np.ascontiguousarray(picture[:, :, ::-1]) for picture in pictures)

    def _checked(self, actions: np.ndarray) -> np.ndarray:
        """The actions as Game.step takes them. Raises ValueError for another shape, type or range."""
        if self.bank.config.continuous:
            return speed_changes(actions, self.num_envs, self.action_bound)
        chosen, count = np.asarray(actions), len(self.bank.config.actions)
        fits = chosen.shape == (self.num_envs,) and chosen.dtype.kind in "iu"
        if not fits or chosen.min(initial=0) < 0 or chosen.max(initial=0) >= count:
            raise ValueError(f"actions are {actions}, expected {self.num_envs} indices from 0 to {count - 1}")
        return chosen.astype(np.int64)

    def _begin(self, games: np.ndarray, chosen: int | None = None) -> None:
        """Reset these games, bool (N,), with a piece drawn for each or with the chosen one."""
        piece = torch.zeros(self.num_envs, dtype=torch.int64)
        for game in np.flatnonzero(games):
            piece[game] = int(self._generators[game].integers(len(self.bank))) if chosen is None else chosen
        self.game.reset(Start.from_beginning(piece), torch.from_numpy(games))
        self._reward[games] = self._score[games] = 0.0
        self._over = self._over & ~games

    def _observations(self) -> Observation:
        return observation_of(*windows(self.game), self.observations)

    def _final(self, ended: np.ndarray, lost: np.ndarray) -> dict[str, Any]:
        """The last observations and infos of the games that have ended, bool (N,)."""
        spec, sheet = windows(self.game)
        return final_infos(
            lambda index: observation_of(spec[index].copy(), sheet[index].copy(), self.observations),
            info_arrays(self.game, lost),
            ended,
        )


def _autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError:
        raise ValueError(
            f"autoreset_mode is {mode!r}, expected one of {', '.join(known.value for known in AutoresetMode)}"
        ) from None
