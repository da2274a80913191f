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
    ObservationKind,
    action_space,
    info_arrays,
    info_of,
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


class ScoreFollowingEnv(gymnasium.Env):
    """The score-following game as a gymnasium environment.

    An agent hears a performance frame by frame and sees a window of the sheet; each action changes its speed in the sheet. An
    observation has two parts, spectrogram and sheet, float32 (2, H, W) each. An episode terminates when the agent has lost the
    music or reaches the last onset; it is never truncated. The info after step k has frame k (see `spaces.info_arrays`).

    Args:
        data_set: A folder of pieces, the name of a bundled set, or a ScoreBank to share with other environments.
        game_config: A YAML file or the name of a config that comes with the project. Default: nottingham.yaml.
        piece: Play only this piece: its name, or a part of it that no other name contains. Without it, every reset draws one.
        sound_font: The SoundFont that MIDI files are played with.
        render_mode: "rgb_array", "human" (a window) or None.
        observations: "tuple", (spectrogram, sheet), or "dict", with these keys.
        action_bound: The largest speed change of a continuous game, pixels per frame, which makes the action space finite.
            Larger actions are refused. None: no bound, as published.

    Raises:
        UserError: The config or the data set cannot be used.
        ValueError: The render mode is unknown, or arguments are given that a ScoreBank already determines.
    """

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 20}

    def __init__(
        self,
        data_set: str | os.PathLike[str] | ScoreBank = "test_sample",
        game_config: str | os.PathLike[str] | GameConfig | None = None,
        piece: str | None = None,
        sound_font: str | os.PathLike[str] | None = None,
        render_mode: str | None = None,
        observations: ObservationKind = "tuple",
        action_bound: float | None = None,
    ) -> None:
        require_kind(observations)
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode {render_mode!r}: expected one of {self.metadata['render_modes']} or None")
        self.bank = open_bank(data_set, game_config, piece, sound_font)
        self.metadata = metadata_for(type(self).metadata, self.bank)
        self.observation_space = observation_space(self.bank, observations)
        self.action_space = action_space(self.bank, action_bound)
        self.observations, self.action_bound = observations, action_bound
        self.render_mode = render_mode
        self.game = Game(self.bank, 1)
        self._needs_reset = True
        self._score = self._reward = 0.0
        self._window: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, dict[str, Any]]:
        """Begin a piece.

        Args:
            seed: Seeds the generator that draws pieces.
            options: {"piece": NAME} plays this piece: its name, or a part of it that no other name contains.

        Returns:
            The first observation and the info.

        Raises:
            UserError: The given name is of no piece or of several.
            ValueError: Another option is given.
        """
        require_known(options, ("piece",))
        super().reset(seed=seed)
        index = requested_piece(self.bank, options)
        if index is None:
            index = int(self.np_random.integers(len(self.bank)))
        piece = torch.tensor([index])
        self.game.reset(Start.from_beginning(piece))
        self._needs_reset = False
        self._score = self._reward = 0.0
        self._show()
        return self._observation(), info_of(info_arrays(self.game), 0)

    def step(self, action: int | np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play one frame.

        Args:
            action: An index into the config's actions; in a continuous game one number of any float type and shape, the change
                of speed in pixels per frame.

        Returns:
            Observation, reward, terminated, truncated (always False) and info.

        Raises:
            ResetNeeded: The episode has not begun or is over.
            ValueError: The action is not one of the game's.
        """
        if self._needs_reset:
            raise ResetNeeded("this episode has not begun or is over: call reset() before step()")
        if self.bank.config.continuous:
            actions = torch.from_numpy(speed_changes(action, 1, self.action_bound))
        else:
            if not self.action_space.contains(action):
                raise ValueError(f"action is {action!r}, expected an index from 0 to {len(self.bank.config.actions) - 1}")
            actions = torch.tensor([int(action)])
        step = self.game.step(actions)
        self._reward = float(step.reward)
        self._score += self._reward
        self._needs_reset = bool(step.terminated)
        self._show()
        info = info_of(info_arrays(self.game, step.lost.numpy()), 0)
        return self._observation(), self._reward, self._needs_reset, False, info

    def render(self) -> np.ndarray | None:
        """The picture of the current frame, uint8 (H, W, 3), RGB; None except in mode rgb_array."""
        if self.render_mode == "rgb_array":
            return np.ascontiguousarray(self._picture()[:, :, ::-1])
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _observation(self) -> Observation:
        spec, sheet = windows(self.game)
        return observation_of(spec[0], sheet[0], self.observations)

    def _picture(self) -> np.ndarray:
        # OpenCV is imported only if something is drawn.
        from score_following_game.environment.rendering.picture import Overlay, render

        return render(self.game, Overlay(reward=self._reward, score=self._score))

    def _show(self) -> None:
        if self.render_mode != "human":
            return
        from score_following_game.environment.rendering.window import Window

        if self._window is None:
            self._window = Window()
        self._window.show(self._picture())
        self._window.keys(1 / self.metadata["render_fps"])
