"""Infos of a vector environment in gymnasium's layout, and its option `reset_mask`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def masked(arrays: dict[str, np.ndarray], games: np.ndarray) -> dict[str, np.ndarray]:
    """Infos of some of the games, bool (N,): each key with a mask `_key`; the values of the others are 0 or None."""
    infos = {}
    for key, values in arrays.items():
        shown = np.full(len(games), None if values.dtype == object else 0, dtype=values.dtype)
        shown[games] = values[games]
        infos[key], infos[f"_{key}"] = shown, games.copy()
    return infos


def final_infos(observation_of_game: Callable[[int], Any], arrays: dict[str, np.ndarray], ended: np.ndarray) -> dict[str, Any]:
    """The last observations and infos of the games that have ended, bool (N,)."""
    final_obs = np.full(len(ended), None, dtype=object)
    for index in np.flatnonzero(ended):
        final_obs[index] = observation_of_game(int(index))
    return {
        "final_obs": final_obs,
        "_final_obs": ended.copy(),
        "final_info": masked(arrays, ended),
        "_final_info": ended.copy(),
    }


def games_to_reset(options: dict[str, Any] | None, n: int) -> np.ndarray:
    """The option `reset_mask`, bool (n,); without it, all games. Raises TypeError or ValueError for another mask."""
    mask = (options or {}).get("reset_mask")
    if mask is None:
        return np.ones(n, bool)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError(f"options['reset_mask'] is {mask!r}, expected a numpy array of bool")
    if mask.shape != (n,) or not mask.any():
        raise ValueError(f"options['reset_mask'] is {mask!r}, expected {n} values of which at least one is True")
    return mask
