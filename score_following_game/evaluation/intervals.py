"""Bootstrap intervals over pieces: how far R_tue and R_on could lie from those of other pieces of the same kind."""

from __future__ import annotations

import numpy as np

from score_following_game.evaluation.results import Results

RESAMPLES, INSIDE = 1000, 0.95


def intervals(results: Results, seed: int = 0) -> dict[str, tuple[float, float]]:
    """The intervals in which R_tue and R_on lie in 95 % of resamples of the pieces, with all their trials.

    Keyed by the names of the figures, tracked_until_end_ratio and global_tracking_ratio.
    """
    trials = results.episodes["px"]
    counts = np.array(  # (pieces, 4)
        [
            [
                sum(episode.ratio == 1 for episode in same),
                len(same),
                sum(episode.tracked for episode in same),
                sum(len(episode.onset_frames) for episode in same),
            ]
            for same in zip(*trials, strict=True)
        ]
    )
    chosen = np.random.default_rng(seed).integers(len(counts), size=(RESAMPLES, len(counts)))
    ended, games, tracked, onsets = counts[chosen].sum(axis=1).T
    shares = {"tracked_until_end_ratio": ended / games, "global_tracking_ratio": tracked / onsets}
    return {name: _inner(values) for name, values in shares.items()}


def _inner(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [50 * (1 - INSIDE), 50 * (1 + INSIDE)])
    return float(low), float(high)


def interval_cells(results: Results) -> list[str]:
    """The intervals of R_tue and R_on as printed."""
    return [f"{low:.2f}-{high:.2f}" for low, high in intervals(results).values()]
