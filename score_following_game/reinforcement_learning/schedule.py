"""Changes during a run: annealing with the steps played or the time spent, refinement when the score stops rising."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def annealed(first: float, final: float | None, progress: float) -> float:
    """Geometric interpolation from `first` (progress 0) to `final` (progress 1); `first` if `final` is None."""
    return first if final is None or first == final else first * (final / first) ** progress


class RefinementSchedule:
    """After `patience` evaluations without improvement, continues from the best parameters with a smaller learning rate.

    See the paper, section 4.1. A score equal to the best is no improvement.
    """

    def __init__(self, patience: int, refinements: int, lr_multiplier: float) -> None:
        self.patience, self.refinements, self.lr_multiplier = patience, refinements, lr_multiplier
        self.impatience = 0
        self.best_score = float("-inf")
        self.best_parameters: dict[str, Tensor] = {}
        self.stopped = False

    def step(
        self,
        score: float,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        trained: nn.Module | None = None,
    ) -> bool:
        """Record the score of an evaluation, and refine if patience is exhausted.

        At a refinement the network returns to its best parameters in place, so that the optimiser keeps training them, and the
        learning rate is multiplied by lr_multiplier; after the last refinement it is 0 and `stopped` is True.

        Args:
            score: High is better.
            network: The evaluated network.
            trained: The network under training, if the evaluated one is its moving average; it is reset too.

        Returns:
            True if the score is a new best.
        """
        if score > self.best_score:
            self.best_score, self.impatience = score, 0
            self.best_parameters = {key: value.detach().cpu().clone() for key, value in network.state_dict().items()}
            return True
        self.impatience += 1
        print(f"Impatience Level {self.impatience} of {self.patience}", flush=True)
        if self.impatience >= self.patience:
            self.impatience = 0
            self.refinements -= 1
            for one in (network, trained or network):
                one.load_state_dict(self.best_parameters)
            print("Reset model", flush=True)
            self._refine(optimiser)
        return False

    def _refine(self, optimiser: torch.optim.Optimizer) -> None:
        old = optimiser.param_groups[0]["lr"]
        self.stopped = self.refinements < 0
        new = 0.0 if self.stopped else old * self.lr_multiplier
        for group in optimiser.param_groups:
            group["lr"] = 0.0 if self.stopped else group["lr"] * self.lr_multiplier
        print(
            "No more refinement steps. Setting learning rate to 0"
            if self.stopped
            else f"Refine learning rate from {old:g} to {new:g}",
            flush=True,
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "refinements": self.refinements,
            "impatience": self.impatience,
            "best_score": self.best_score,
            "best_parameters": self.best_parameters,
            "stopped": self.stopped,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
