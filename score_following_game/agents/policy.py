"""Distributions over actions, made of a network's output."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class CategoricalPolicy(NamedTuple):
    """Distributions over A discrete actions. log_probabilities: float32 (N, A)."""

    log_probabilities: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor) -> CategoricalPolicy:
        """logits: (N, A), any float dtype."""
        return cls(torch.log_softmax(logits.float(), dim=1))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw actions, int64 (N,). Where probabilities are not finite, the action is arbitrary.

        Takes the shortest of exponential waiting times. torch.multinomial does the same, but its checks make the host wait
        for the GPU.
        """
        probabilities = self.log_probabilities.exp()
        return (probabilities / torch.empty_like(probabilities).exponential_(generator=generator)).argmax(dim=1)

    def mode(self) -> Tensor:
        """The most probable actions, int64 (N,)."""
        return self.log_probabilities.argmax(dim=1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-probabilities (N,) of actions int64 (N,)."""
        return self.log_probabilities.gather(1, actions[:, None])[:, 0]

    def entropy(self) -> Tensor:
        """Entropies (N,) in nats."""
        return -(self.log_probabilities.exp() * self.log_probabilities).sum(dim=1)


class NormalPolicy(NamedTuple):
    """Normal distributions of speed changes in pixels per frame. mean, std: float32 (N,)."""

    mean: Tensor
    std: Tensor

    @classmethod
    def from_output(cls, output: Tensor) -> NormalPolicy:
        """output: (N, 2), mean and standard deviation, any float dtype."""
        return cls(*output.float().unbind(1))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Draw speed changes, float32 (N,)."""
        return self.mean + self.std * torch.empty_like(self.mean).normal_(generator=generator)

    def mode(self) -> Tensor:
        """The most probable speed changes, float32 (N,)."""
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-densities (N,) of speed changes (N,)."""
        return -((actions - self.mean) / self.std).square() / 2 - self.std.log() - math.log(2 * math.pi) / 2

    def entropy(self) -> Tensor:
        """Differential entropies (N,) in nats; negative for narrow distributions."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.std.log()


Policy = CategoricalPolicy | NormalPolicy
