"""Bootstrap intervals over pieces: how far a figure could lie from that of other pieces of the same kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.results import Results

RESAMPLES, INSIDE = 1000, 0.95


def interval(
    results: Results, figure: Callable[[list[Episode]], float], unit: str = "px", seed: int = 0
) -> tuple[float, float]:
    """The interval in which a figure lies in 95 % of resamples of the pieces, with all their trials.

    figure: of the episodes of some pieces, errors in `unit`.
    """
    trials = results.episodes[unit]
    by_piece = [[trial[index] for trial in trials] for index in range(len(trials[0]))]
    random = np.random.default_rng(seed)
    values = []
    for _ in range(RESAMPLES):
        chosen = random.integers(len(by_piece), size=len(by_piece))
        values.append(figure([episode for index in chosen for episode in by_piece[index]]))
    low, high = np.nanpercentile(values, [50 * (1 - INSIDE), 50 * (1 + INSIDE)])
    return float(low), float(high)


def tracking_ratio(episodes: list[Episode]) -> float:
    """R_on of some episodes."""
    return sum(episode.tracked for episode in episodes) / sum(len(episode.onset_frames) for episode in episodes)
