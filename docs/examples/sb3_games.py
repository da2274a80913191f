"""Shared by the examples for Stable-Baselines3: the games as one of its vector environments, and a learning curve.

Stable-Baselines3 also takes its own `make_vec_env("ScoreFollowing-v1", 16)`. That steps 16 environments one after the other;
this steps 16 games as one batch, which is several times faster.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

import score_following_game as sfg

Observations = dict[str, np.ndarray]
ROWS = 4  # of the observation that are averaged into one


def arguments(description: str | None, steps: int, games: int, interval: int) -> argparse.Namespace:
    """The options of an example, with these defaults. Sets the number of threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, default=steps, help="of all games together (default %(default)s)")
    parser.add_argument("--games", type=int, default=games, help="played at once (default %(default)s)")
    parser.add_argument("--interval", type=int, default=interval, help="steps between evaluations (default %(default)s)")
    parser.add_argument("--data_set", default="test_sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--csv", type=Path, help="write the learning curve here")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def smaller(observations: Observations) -> Observations:
    """Spectrogram and sheet at a quarter of their height: what a small network on a small machine learns from.

    Their width, time and motion, matters more.
    """
    return {key: _rows_averaged(part) for key, part in observations.items()}


def _rows_averaged(part: np.ndarray) -> np.ndarray:
    rows = part.shape[-2] // ROWS
    return part[..., : rows * ROWS, :].reshape(*part.shape[:-2], rows, ROWS, part.shape[-1]).mean(axis=-2)


class Games(VecEnv):
    """N games played as one batch. Takes the arguments of `sfg.make_vec`; observations are dicts, made smaller."""

    def __init__(self, num_envs: int, data_set: str = "test_sample", **options: Any) -> None:
        self.games = sfg.make_vec(num_envs, data_set, observations="dict", **options)
        self.render_mode = self.games.render_mode
        spaces = {
            key: gymnasium.spaces.Box(_rows_averaged(space.low), _rows_averaged(space.high), dtype=np.float32)
            for key, space in self.games.single_observation_space.items()
        }
        super().__init__(num_envs, gymnasium.spaces.Dict(spaces), self.games.single_action_space)

    def reset(self) -> Observations:
        observations, _ = self.games.reset(seed=None if self._seeds[0] is None else list(self._seeds))
        self._reset_seeds()
        return smaller(observations)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[Observations, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        observations, rewards, terminated, _, infos = self.games.step(self._actions)
        played: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for game in np.flatnonzero(terminated):  # these games have been reset already
            played[game] = {"terminal_observation": smaller(infos["final_obs"][game]), "TimeLimit.truncated": False}
        return smaller(observations), rewards.astype(np.float32), terminated, played

    def close(self) -> None:
        self.games.close()

    def get_images(self) -> list[np.ndarray]:
        return list(self.games.render())

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.games, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self.games, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **options: Any) -> list[Any]:
        raise AttributeError(f"{method_name}: all games are one environment; call it on .games")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))


class Curve(BaseCallback):
    """Evaluates the model about every `interval` steps, prints R_on and R_tue, and writes them to a CSV file."""

    def __init__(self, data_set: str, game_config: str, interval: int, path: Path | None = None) -> None:
        super().__init__()
        self.pieces = sfg.load_pieces(data_set, game_config=game_config)
        self.game_config, self.interval, self.path = game_config, interval, path
        self.rows: list[dict[str, float]] = []

    def _on_training_start(self) -> None:
        self._begun = time.monotonic()
        self._evaluate()

    def _on_step(self) -> bool:
        if self.num_timesteps >= self.rows[-1]["steps"] + self.interval:
            self._evaluate()
        return True

    def _on_training_end(self) -> None:
        self._evaluate()

    def _evaluate(self) -> None:
        seconds = round(time.monotonic() - self._begun, 1)
        r_on, r_tue = figures(self.model, self.pieces, self.game_config)
        self.rows.append({"steps": self.num_timesteps, "seconds": seconds, "r_on": r_on, "r_tue": r_tue})
        print(f"{self.num_timesteps:8d} steps {seconds:7.1f} s   R_on {r_on:.2f}   R_tue {r_tue:.2f}", flush=True)
        if self.path:
            with self.path.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(self.rows[0]))
                writer.writeheader()
                writer.writerows(self.rows)


def figures(model: BaseAlgorithm, pieces: list[sfg.Piece], game_config: str) -> tuple[float, float]:
    """R_on and R_tue of a model of Games, as the evaluation script has them: sampled actions, means over trials."""

    def act(observations: Observations) -> np.ndarray:
        return model.predict(smaller(observations), deterministic=False)[0]

    mean = sfg.evaluate(act, pieces, trials=5, game_config=game_config, observations="dict").to_dict()["mean"]
    return mean["global_tracking_ratio"], mean["tracked_until_end_ratio"]
