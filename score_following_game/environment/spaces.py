"""Shared by the two gymnasium environments: their data, spaces, observations, infos and options."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, load_game_config
from score_following_game.data_processing.dataset import choose_piece, load_data_set
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.display import has_display
from score_following_game.environment.score_bank import ScoreBank

Observation = tuple[np.ndarray, np.ndarray] | dict[str, np.ndarray]
ObservationKind = Literal["tuple", "dict"]
KEYS = ("spectrogram", "sheet")  # of a dict, in the order of the tuple
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


def require_kind(observations: str) -> None:
    """Raise ValueError unless `observations` is "tuple" or "dict"."""
    if observations not in ("tuple", "dict"):
        raise ValueError(f"observations is {observations!r}, expected 'tuple' or 'dict'")


def metadata_for(metadata: dict[str, Any], bank: ScoreBank) -> dict[str, Any]:
    """The metadata of an environment: the frame rate is the config's, and "human" needs a display."""
    modes = [mode for mode in metadata["render_modes"] if mode != "human" or has_display()]
    return metadata | {"render_modes": modes, "render_fps": bank.config.spectrogram_params.fps}


def observation_space(bank: ScoreBank, kind: ObservationKind) -> spaces.Space:
    """Of spectrogram and sheet, float32 (2, H, W) each; channel 1 is a difference and may be negative."""
    low, high = min(0.0, float(bank.spec.min())), max(LOUDEST, float(bank.spec.max()))
    parts = (_two_channels(bank.config.spec_shape, low, high), _two_channels(bank.config.sheet_shape, 0.0, 1.0))
    return spaces.Tuple(parts) if kind == "tuple" else spaces.Dict(dict(zip(KEYS, parts)))


def action_space(bank: ScoreBank, bound: float | None = None) -> spaces.Space:
    """An index into the config's actions; in a continuous game a speed change, pixels per frame, from -bound to bound.

    Without a bound any speed change is allowed. Raises ValueError for a bound that is no number above 0, or of a discrete game.
    """
    if bank.config.continuous:
        if bound is not None and not (isinstance(bound, (int, float, np.floating)) and 0 < np.float32(bound) < np.inf):
            raise ValueError(f"action_bound is {bound!r}, expected a number of pixels per frame above 0, or None")
        limit = np.float32(np.inf if bound is None else bound)
        return spaces.Box(-limit, limit, (1,), np.float32)
    if bound is not None:
        raise ValueError(
            f"action_bound is {bound!r}, but this game has {len(bank.config.actions)} actions: it is not continuous"
        )
    return spaces.Discrete(len(bank.config.actions))


def observation_of(spec: np.ndarray, sheet: np.ndarray, kind: ObservationKind) -> Observation:
    """The two parts of an observation as a tuple or a dict."""
    return (spec, sheet) if kind == "tuple" else dict(zip(KEYS, (spec, sheet)))


def windows(game: Game) -> tuple[np.ndarray, np.ndarray]:
    """(spectrogram, sheet) of all games, float32 (N, 2, H, W) each, not shared with the game's state."""
    spec, sheet = game.observe()
    return np.ascontiguousarray(spec.cpu().numpy()), np.ascontiguousarray(sheet.cpu().numpy())


def info_arrays(game: Game, lost: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The info of all games, an array (N,) per key.

    piece: name. frame: unpadded. sheet_coord, true_coord: x of the agent and of the music, padded pixels. sheet_speed: pixels
    per frame. tracking_error: sheet_coord - true_coord, pixels. lost: the argument; None: no game is. tracking_ratio: the share
    of the piece's onsets up to this frame; at the end of an episode what the evaluation calls its tracking ratio.
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
        "lost": np.zeros(len(game), bool) if lost is None else lost.copy(),
        "tracking_ratio": game.bank.tracking_ratio[game.bank.frame_row(game.piece, game.frame)].numpy(),
    }


def info_of(arrays: dict[str, np.ndarray], index: int) -> dict[str, Any]:
    """The info of one game, as Python scalars."""
    return {key: values[index] if values.dtype == object else values[index].item() for key, values in arrays.items()}


def requested_piece(bank: ScoreBank, options: dict[str, Any] | None) -> int | None:
    """Index of the piece named in the options of reset, if any. Raises UserError as `choose_piece` does."""
    name = (options or {}).get("piece")
    return None if name is None else bank.names.index(choose_piece(name, bank.names, "this environment"))


def require_known(options: dict[str, Any] | None, known: Collection[str]) -> None:
    """Raise ValueError for options of reset that would have no effect."""
    if unknown := sorted(map(str, set(options or {}) - set(known))):
        raise ValueError(f"options of reset: unknown key {', '.join(unknown)}; known are {', '.join(known)}")


def speed_changes(action: Any, n: int, bound: float | None = None) -> np.ndarray:
    """The actions of n continuous games as float64 (n,).

    Raises ValueError unless they are n finite numbers from -bound to bound. None: no bound.
    """
    changes = np.asarray(action, dtype=np.float64)
    if changes.size != n or not np.isfinite(changes).all():
        raise ValueError(f"action is {action!r}, expected {n} finite speed change{'s' * (n > 1)}")
    if bound is not None and np.abs(changes).max() > max(bound, float(np.float32(bound))):
        raise ValueError(
            f"action is {action!r}, expected at most the action_bound, {bound:g}; gymnasium.wrappers.ClipAction clips actions"
        )
    return changes.reshape(n)


def _two_channels(shape: tuple[int, int, int], low: float, high: float) -> spaces.Box:
    lows, highs = np.empty(shape, np.float32), np.empty(shape, np.float32)
    lows[0], highs[0] = low, high
    lows[1], highs[1] = low - high, high - low
    return spaces.Box(lows, highs, dtype=np.float32)
