"""A network's output as a distribution over actions."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class CategoricalPolicy(NamedTuple):
    """Discrete actions: log_probabilities (N, A)."""

    log_probabilities: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor) -> CategoricalPolicy:
        """logits: (N, A), any float type; the distribution is float32."""
        return cls(torch.log_softmax(logits.float(), dim=1))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """-> int64 (N,); any action where the probabilities are not finite.

        The first of exponential waiting times, as torch.multinomial draws it, which first has a GPU's host wait for its checks.
        """
        probabilities = self.log_probabilities.exp()
        return (probabilities / torch.empty_like(probabilities).exponential_(generator=generator)).argmax(dim=1)

    def mode(self) -> Tensor:
        """-> int64 (N,): the likeliest actions."""
        return self.log_probabilities.argmax(dim=1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """-> (N,)"""
        return self.log_probabilities.gather(1, actions[:, None])[:, 0]

    def entropy(self) -> Tensor:
        """-> (N,) nats"""
        return -(self.log_probabilities.exp() * self.log_probabilities).sum(dim=1)


class NormalPolicy(NamedTuple):
    """Continuous actions, speed changes in pixels per frame: mean and std (N,)."""

    mean: Tensor
    std: Tensor

    @classmethod
    def from_output(cls, output: Tensor) -> NormalPolicy:
        """output: (N, 2), mean and standard deviation."""
        return cls(*output.float().unbind(1))

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """-> float32 (N,)"""
        return self.mean + self.std * torch.empty_like(self.mean).normal_(generator=generator)

    def mode(self) -> Tensor:
        """-> float32 (N,): the likeliest speed changes."""
        return self.mean

    def log_prob(self, actions: Tensor) -> Tensor:
        """-> (N,): of the density."""
        return -((actions - self.mean) / self.std).square() / 2 - self.std.log() - math.log(2 * math.pi) / 2

    def entropy(self) -> Tensor:
        """-> (N,) nats, of the density: negative where it is narrow."""
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.std.log()


Policy = CategoricalPolicy | NormalPolicy
