"""What a run logs besides its losses: means since the last log line. docs/training_log.md explains every name.

Everything is summed on the training device and read once per log line, so that a GPU never waits for the host in between;
all of it comes from forward passes that acting and the update make anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from score_following_game.environment.game import Step
from score_following_game.reinforcement_learning.processes import distributed

OUTCOMES = ("ended", "lost_ahead", "lost_behind", "finished", "frames")  # the rows of outcome counts
SINGLE = ("approx_kl", "clip_fraction", "gradient_norm", "near")  # means that are logged as they are


class Meter:
    """Means of named values since the last reading."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, values: Tensor) -> None:
        """Add n observations of a number or a vector; values: (n,) or (n, k)."""
        total = values.detach().double().sum(0)
        self._sums[name] = self._sums[name] + total if name in self._sums else total
        self._counts[name] = self._counts.get(name, 0) + len(values)

    def add_ratios(self, log_ratio: Tensor, epsilon: float) -> None:
        """PPO: add the steps of a minibatch. log_ratio: (n,), log pi(a) - log pi_old(a).

        The KL estimate mean(ratio - 1 - log ratio) is unbiased and never negative (Schulman 2020).
        """
        ratio = log_ratio.detach().exp()
        self.add("approx_kl", ratio - 1 - log_ratio.detach())
        self.add("clip_fraction", (ratio - 1).abs() > epsilon)

    def add_values(self, returns: Tensor, values: Tensor) -> None:
        """Add the returns of a rollout's steps and the critic's values of them, (n,) each, for the explained variance."""
        residual = returns.double() - values.double()
        self.add("moments", torch.stack([returns.double(), returns.double().square(), residual, residual.square()], dim=1))

    def read(self) -> dict[str, list[float]]:
        """The means over all processes, by name, and start again. All processes call it."""
        names = list(self._sums)
        if not names:
            return {}
        sums = distributed.mean(torch.cat([self._sums[name].reshape(-1) for name in names]).tolist())
        counts = distributed.mean([self._counts[name] for name in names])
        means, first = {}, 0
        for name, count in zip(names, counts):
            last = first + self._sums[name].numel()
            means[name] = [total / count for total in sums[first:last]]
            first = last
        self._sums, self._counts = {}, {}
        return means


def no_outcomes(device: torch.device) -> Tensor:
    """The outcome counts before any game has ended: float64 (5,), in the order of OUTCOMES."""
    return torch.zeros(len(OUTCOMES), dtype=torch.float64, device=device)


def outcomes_of(step: Step, frames: Tensor) -> Tensor:
    """Count the games that a step of N games ended: float64 (5,). frames: (N,), played since each game's start."""
    ended, ahead = step.terminated, step.error > 0
    rows = [ended, step.lost & ahead, step.lost & ~ahead, ended & ~step.lost, frames * ended]
    return torch.stack([row.double() for row in rows]).sum(dim=1)


def diagnostics(means: dict[str, list[float]], outcomes: Sequence[float], actions: Sequence[float]) -> dict[str, float]:
    """TensorBoard tags and values.

    Args:
        means: What Meter.read returned.
        outcomes: Counts of the games ended since the last log line, in the order of OUTCOMES.
        actions: The speed changes of the game's actions, pixels per frame; empty in continuous games.
    """
    values = {f"training/{name}": means[name][0] for name in SINGLE if name in means}
    if "moments" in means:
        values["training/explained_variance"] = explained_variance(*means["moments"])
    for change, probability in zip(actions, means.get("probabilities", [])):
        values[f"policy/probability_{change:g}"] = probability
    if "std" in means:
        values["policy/std"] = means["std"][0]
    ended, ahead, behind, finished, frames = outcomes
    if ended:
        values |= {
            "episodes/length": frames / ended,
            "episodes/lost_ahead": ahead / ended,
            "episodes/lost_behind": behind / ended,
            "episodes/finished": finished / ended,
        }
    return values


def explained_variance(mean: float, mean_square: float, residual: float, residual_square: float) -> float:
    """1 - Var(returns - values) / Var(returns) from their moments: 1 is a perfect critic, 0 one that knows only the mean.

    nan if all returns are equal.
    """
    variance = mean_square - mean**2
    return 1 - (residual_square - residual**2) / variance if variance > 1e-12 else float("nan")


def console_line(values: dict[str, float]) -> str:
    """The diagnostics of a log line for the console; "" if there are none."""
    labels = {
        "training/gradient_norm": "gradient norm {:.3g}",
        "training/explained_variance": "explained variance {:.2f}",
        "training/approx_kl": "KL {:.2g}",
        "training/near": "near the true place {:.0%}",
        "training/clip_fraction": "clipped {:.1%}",
        "episodes/length": "games of {:.0f} frames",
        "episodes/lost_ahead": "lost ahead {:.0%}",
        "episodes/lost_behind": "lost behind {:.0%}",
        "episodes/finished": "finished {:.0%}",
        "policy/std": "standard deviation of actions {:.3g} px/frame",
    }
    parts = [label.format(values[tag]) for tag, label in labels.items() if tag in values]
    if probabilities := [f"{value:.2f}" for tag, value in values.items() if tag.startswith("policy/probability_")]:
        parts.append(f"action probabilities {' '.join(probabilities)}")
    return "  " + ", ".join(parts) if parts else ""
