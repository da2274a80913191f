"""The confidence light: how often an agent is with the music when it says that it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from score_following_game.evaluation.plots import new_figure, write_figure
from score_following_game.evaluation.recovery import WITH_THE_MUSIC, Followed

BOUNDS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 1.0)  # of confidence


@dataclass(frozen=True)
class ConfidenceClass:
    """Frames whose confidence is at least `low` and below `high`; the last class has 1 in it.

    share: of all frames. right: share of these that are with the music; nan where there are none.
    """

    low: float
    high: float
    share: float
    right: float


def calibration(followed: Sequence[Followed]) -> list[ConfidenceClass]:
    """The classes of confidence between BOUNDS. While other music sounds no place is right; silence is left out."""
    sounds, confidence, distance = (
        np.concatenate([getattr(one, name) for one in followed]) for name in ("sounds", "confidence", "distance")
    )
    confidence, right = confidence[sounds], np.abs(distance[sounds]) <= WITH_THE_MUSIC  # nan is not right
    classes = []
    for low, high in pairwise(BOUNDS):
        chosen = (confidence >= low) & ((confidence < high) | (high == BOUNDS[-1]))
        classes.append(ConfidenceClass(low, high, chosen.mean(), right[chosen].mean() if chosen.any() else np.nan))
    return classes


def plot_calibration(classes: Sequence[ConfidenceClass], path: str | os.PathLike[str]) -> None:
    """Draw how often each class was right; the larger a point, the more frames. Raises UserError as write_figure."""
    figure = new_figure(5, 4.2)
    axes = figure.subplots()
    middles = [(one.low + one.high) / 2 for one in classes]
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, label="as often as it says")
    axes.scatter(middles, [one.right for one in classes], [900 * one.share + 8 for one in classes], alpha=0.7)
    for middle, one in zip(middles, classes, strict=True):
        if np.isfinite(one.right):
            axes.annotate(
                f"{one.right:.2f}", (middle, one.right), (0, -14), textcoords="offset points", ha="center", fontsize=8
            )
    axes.set(xlabel="confidence", ylabel="share of frames within half a second", xlim=(-0.02, 1.04), ylim=(-0.06, 1.06))
    axes.legend(frameon=False, loc="upper left")
    write_figure(figure, path)
