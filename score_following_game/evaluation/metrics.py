"""The papers' figures, computed from the episodes of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace

import numpy as np

from score_following_game.environment.score_bank import first_at, interpolate
from score_following_game.evaluation.evaluator import Episode

UNITS = ("px", "cm", "seconds")
CM_PER_PX = 0.035277778  # of the printed page, at the scale of the MSMD's sheets
SHARE_SECONDS = (0.05, 0.1, 0.5, 1.0, 5.0)  # the bounds of Henkel, Kelz and Widmer (ISMIR 2020)
_ROUNDING = 1e-6  # seconds; an agent exactly one frame late counts as within 0.05 s despite rounding


@dataclass(frozen=True)
class AlignmentStats:
    """The figures of one trial.

    Absolute errors are in the unit of the episodes' errors (pixels unless converted) and pooled over the onsets played of all
    pieces; nan when there are none.

    Attributes:
        tracked_until_end_ratio: R_tue, the share of pieces with every onset tracked.
        global_tracking_ratio: R_on, the share of tracked onsets among all onsets.
        alignment_errors_mean: mean absolute error.
        alignment_errors_median: median absolute error.
        alignment_errors_std: standard deviation of the absolute errors.
        tracking_ratios_mean: mean over pieces of the share of tracked onsets.
    """

    tracked_until_end_ratio: float
    global_tracking_ratio: float
    alignment_errors_mean: float
    alignment_errors_median: float
    alignment_errors_std: float
    tracking_ratios_mean: float


def alignment_stats(episodes: Sequence[Episode]) -> AlignmentStats:
    """Compute the figures of one trial from its episodes."""
    errors = np.abs(np.concatenate([episode.errors for episode in episodes]))
    tracked = np.array([episode.tracked for episode in episodes])
    onsets = np.array([len(episode.onset_frames) for episode in episodes])
    mean, median, std = (errors.mean(), np.median(errors), errors.std()) if len(errors) else (np.nan,) * 3
    return AlignmentStats(
        tracked_until_end_ratio=float((tracked == onsets).mean()),
        global_tracking_ratio=float(tracked.sum() / onsets.sum()),
        alignment_errors_mean=float(mean),
        alignment_errors_median=float(median),
        alignment_errors_std=float(std),
        tracking_ratios_mean=float((tracked / onsets).mean()),
    )


def mean_stats(stats: Sequence[AlignmentStats]) -> AlignmentStats:
    """The mean of every figure over trials."""
    return AlignmentStats(*(float(value) for value in np.mean([astuple(trial) for trial in stats], axis=0)))


def onset_shares(episodes: Sequence[Episode]) -> dict[float, float]:
    """For each bound of SHARE_SECONDS, the share of all onsets of all pieces with an error of at most that many seconds.

    episodes: of one trial, errors in seconds. Onsets that were not tracked are misses. An onset at frame 0, which is never
    inspected, is a hit, since games begin at the true position.
    """
    errors = np.abs(np.concatenate([episode.errors for episode in episodes]))
    at_start = sum(int((episode.onset_frames == 0).sum()) for episode in episodes)
    onsets = sum(len(episode.onset_frames) for episode in episodes)
    return {bound: float((errors <= bound + _ROUNDING).sum() + at_start) / onsets for bound in SHARE_SECONDS}


def in_unit(episode: Episode, unit: str, onset_x: np.ndarray, fps: int) -> Episode:
    """The episode with its errors converted from pixels to a unit of UNITS. onset_x, fps: as in errors_in_seconds."""
    if unit == "seconds":
        return replace(episode, errors=errors_in_seconds(episode, onset_x, fps))
    return replace(episode, errors=episode.errors * CM_PER_PX) if unit == "cm" else episode


def errors_in_seconds(episode: Episode, onset_x: np.ndarray, fps: int) -> np.ndarray:
    """The errors of an episode in seconds, float64 (k,): the time at which the music reaches the agent's position minus the
    present time.

    onset_x: float32 (K,), positions of the piece's onsets in pixels. When the music is at a position several times (x falls or
    stands still), the first time counts.
    """
    frames = episode.onset_frames
    forward_x, first = first_at(onset_x, frames)
    agent_x = interpolate(episode.frames, frames, onset_x) + episode.errors
    heard = np.interp(agent_x, forward_x, first)
    # While the true position stands still (equal x), an agent at that position is on time.
    truth = np.interp(agent_x - episode.errors, forward_x, first)
    return (heard - truth) / fps


STATISTICS = tuple(field.name for field in fields(AlignmentStats))
