"""A network's output as a distribution over actions."""
from __future__ import annotations

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
