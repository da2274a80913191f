"""Shared by the two gymnasium environments: their data, spaces, observations and infos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank

Observation = tuple[np.ndarray, np.ndarray]
LOUDEST = 10.0  # above log10(1 + magnitude) of any audio; a precomputed spectrogram may exceed it and raises the bound


def open_bank(
    data_set: str | os.PathLike[str] | ScoreBank,
    game_config: str | os.PathLike[str] | GameConfig | None,
    piece: str | None,
    sound_font: str | os.PathLike[str] | None,
) -> ScoreBank:
    """Load the pieces of a data set; a bank is returned unchanged, so that several environments can share it.

    Raises ValueError when arguments are given that a bank already determines.
    """
    if isinstance(data_set, ScoreBank):
        if game_config is not None or piece is not None or sound_font is not None:
            raise ValueError("a ScoreBank already has a game_config, pieces and sound: leave these arguments out")
        return data_set
    config = load_game_config(game_config or DEFAULT_GAME_CONFIG)
    return ScoreBank(load_data_set(data_set, config, piece, Path(sound_font) if sound_font else None), config)


def observation_space(bank: ScoreBank) -> spaces.Tuple:
    """(spectrogram, sheet), float32 (2, H, W) each; channel 1 is a difference and may be negative."""
    low, high = min(0.0, float(bank.spec.min())), max(LOUDEST, float(bank.spec.max()))
    return spaces.Tuple((_two_channels(bank.config.spec_shape, low, high), _two_channels(bank.config.sheet_shape, 0.0, 1.0)))


def action_space(bank: ScoreBank) -> spaces.Space:
    """An index into the config's actions; in a continuous game any speed change, pixels per frame, never clipped."""
    if bank.config.continuous:
        return spaces.Box(-np.inf, np.inf, (1,), np.float32)
    return spaces.Discrete(len(bank.config.actions))


def observations(game: Game) -> Observation:
    """(spectrogram, sheet) of all games, float32 (N, 2, H, W) each, not shared with the game's state."""
    spec, sheet = game.observe()
    return np.ascontiguousarray(spec.numpy()), np.ascontiguousarray(sheet.numpy())


def info_arrays(game: Game) -> dict[str, np.ndarray]:
    """The info of all games, an array (N,) per key.

    piece: name. frame: unpadded. sheet_coord, true_coord: x of the agent and of the music, padded pixels. sheet_speed: pixels
    per frame. tracking_error: sheet_coord - true_coord, pixels.
    """
    names = np.array(game.bank.names, dtype=object)
    true_x = game.true_position()
    return {
        "piece": names[game.piece.numpy()],
        "frame": game.frame.numpy().copy(),
        "sheet_coord": game.x.numpy().copy(),
        "true_coord": true_x.numpy(),
        "sheet_speed": game.speed.numpy().copy(),
        "tracking_error": (game.x - true_x).numpy(),
    }


def info_of(arrays: dict[str, np.ndarray], index: int) -> dict[str, Any]:
    """The info of one game, as Python scalars."""
    return {key: values[index] if values.dtype == object else values[index].item() for key, values in arrays.items()}


def requested_piece(bank: ScoreBank, options: dict[str, Any] | None) -> int | None:
    """Index of the piece named in the options of reset, if any. Raises ValueError when no piece has that name."""
    name = (options or {}).get("piece")
    if name is None:
        return None
    if name not in bank.names:
        raise ValueError(f"options['piece'] is {name!r}, expected one of {bank.names[:10]} ...")
    return bank.names.index(name)


def speed_changes(action: Any, n: int) -> np.ndarray:
    """The actions of n continuous games as float64 (n,). Raises ValueError unless they are n finite numbers."""
    changes = np.asarray(action, dtype=np.float64)
    if changes.size != n or not np.isfinite(changes).all():
        raise ValueError(f"action is {action!r}, expected {n} finite speed change{'s' * (n > 1)}")
    return changes.reshape(n)


def _two_channels(shape: tuple[int, int, int], low: float, high: float) -> spaces.Box:
    lows, highs = np.empty(shape, np.float32), np.empty(shape, np.float32)
    lows[0], highs[0] = low, high
    lows[1], highs[1] = low - high, high - low
    return spaces.Box(lows, highs, dtype=np.float32)
