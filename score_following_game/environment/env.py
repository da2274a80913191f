"""One game as a gymnasium environment."""

from __future__ import annotations

import os
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.error import ResetNeeded

from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.spaces import (
    Observation,
    action_space,
    info_arrays,
    info_of,
    observation_space,
    observations,
    open_bank,
    speed_changes,
    wanted_piece,
)
from score_following_game.environment.starts import Start


class ScoreFollowingEnv(gymnasium.Env):
    """A performance is heard frame by frame, a window of the sheet seen; each action changes the speed in the sheet.

    data_set: a folder of pieces, a bundled set's name, or a ScoreBank to share. piece: play this one (name or a unique part
    of it); without, every reset draws one by the environment's generator. game_config: game_configs/nottingham.yaml where
    none is given. Losing the music and its last onset both terminate
    an episode; truncated is always False. info: see spaces.info_arrays; frame is k after step k.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 20}

    def __init__(
        self,
        data_set: str | os.PathLike[str] | ScoreBank = "test_sample",
        game_config: str | os.PathLike[str] | GameConfig | None = None,
        piece: str | None = None,
        sound_font: str | os.PathLike[str] | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode {render_mode!r}: wanted one of {self.metadata['render_modes']} or None")
        self.bank = open_bank(data_set, game_config, piece, sound_font)
        self.observation_space = observation_space(self.bank)
        self.action_space = action_space(self.bank)
        self.render_mode = render_mode
        self.game = Game(self.bank, 1)
        self._needs_reset = True
        self._score = self._reward = 0.0
        self._window: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict[str, Any]]:
        """Begin a piece. options: {"piece": name} plays that one, by its exact name."""
        super().reset(seed=seed)
        index = wanted_piece(self.bank, options)
        if index is None:
            index = int(self.np_random.integers(len(self.bank)))
        piece = torch.tensor([index])
        self.game.reset(Start.from_beginning(piece))
        self._needs_reset = False
        self._score = self._reward = 0.0
        self._show()
        return self._observation(), info_of(info_arrays(self.game), 0)

    def step(self, action: int | np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play a frame. action: an index into the config's actions, or, continuous, one float (any float type, any shape)."""
        if self._needs_reset:
            raise ResetNeeded("this episode has not begun or is over: call reset() before step()")
        if self.bank.config.continuous:
            actions = torch.from_numpy(speed_changes(action, 1))
        else:
            if not self.action_space.contains(action):
                raise ValueError(f"action is {action!r}, wanted an index from 0 to {len(self.bank.config.actions) - 1}")
            actions = torch.tensor([int(action)])
        step = self.game.step(actions)
        self._reward = float(step.reward)
        self._score += self._reward
        self._needs_reset = bool(step.terminated)
        self._show()
        return self._observation(), self._reward, self._needs_reset, False, info_of(info_arrays(self.game), 0)

    def render(self) -> np.ndarray | None:
        """rgb_array: uint8 (H, W, 3). human: the window shows every step by itself."""
        if self.render_mode == "rgb_array":
            return np.ascontiguousarray(self._picture()[:, :, ::-1])
        return None

    def close(self) -> None:
        if self._window is not None:
            self._window.close()
            self._window = None

    def _observation(self) -> Observation:
        spec, sheet = observations(self.game)
        return spec[0], sheet[0]

    def _picture(self) -> np.ndarray:
        from score_following_game.environment.rendering.picture import Overlay, render  # OpenCV only for those who look

        return render(self.game, Overlay(reward=self._reward, score=self._score))

    def _show(self) -> None:
        if self.render_mode != "human":
            return
        from score_following_game.environment.rendering.window import Window

        if self._window is None:
            self._window = Window()
        self._window.show(self._picture())
        self._window.keys(1 / self.metadata["render_fps"])
