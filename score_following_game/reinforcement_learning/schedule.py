"""What changes while a run goes on: annealing by the steps played, refinement when the score stops rising."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


def annealed(first: float, final: float | None, progress: float) -> float:
    """From the first value at progress 0 to the final one at 1, by equal factors; the first where there is no final one."""
    return first if final is None or first == final else first * (final / first) ** progress


class RefinementSchedule:
    """Counts evaluations without improvement (paper, section 4.1) and then goes on from the best parameters with a smaller
    learning rate; a score equal to the best is none."""

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
        """Take the score of a network's evaluation (high is better); -> is it a new best?

        After `patience` evaluations without one the network (and `trained`, of which it is the average) returns to its best
        parameters, in place, so that the optimiser goes on with them, and the learning rate is refined; after the last
        refinement it is 0 and `stopped` is True.
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
