"""The joint loss of all algorithms, gradient accumulation over chunks, and the optimiser's step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from score_following_game.agents.policy import Policy
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.processes import distributed


class Diverged(UserError):
    """Training produced numbers that are not finite; the message says which."""


@dataclass
class Losses:
    """Means over a batch, added up chunk by chunk: policy loss, value loss, entropy (nats, not negated)."""

    policy: float = 0.0
    value: float = 0.0
    entropy: float = 0.0

    def __str__(self) -> str:
        return f"policy loss {self.policy:g}, value loss {self.value:g}, entropy {self.entropy:g}"


def backward_chunk(
    losses: Losses,
    policy: Policy,
    policy_loss: Tensor,
    squared_error: Tensor,
    weights: tuple[float, float],
    batch: int,
) -> None:
    """Add a chunk's share of `policy + value_coef * value - entropy_coef * entropy` to the gradients and to `losses`.

    Args:
        policy_loss: (n,), per step.
        squared_error: (n,), of the value, per step.
        weights: (value_coef, entropy_coef).
        batch: The steps of all chunks together, so that the sum over the chunks is the mean over the batch.
    """
    value_coef, entropy_coef = weights
    parts = torch.stack([policy_loss.sum(), squared_error.sum(), policy.entropy().sum()]) / batch
    (parts[0] + value_coef * parts[1] - entropy_coef * parts[2]).backward()
    policy_part, value_part, entropy_part = parts.detach().tolist()
    losses.policy += policy_part
    losses.value += value_part
    losses.entropy += entropy_part


def optimiser_step(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    losses: Losses,
    max_grad_norm: float | None,
) -> Tensor:
    """Average losses and gradients over the processes, clip the gradient if asked, and step.

    Returns:
        The gradient's L2 norm before clipping, ().

    Raises:
        Diverged: A loss or the gradient is not finite; the parameters are unchanged.
    """
    losses.policy, losses.value, losses.entropy = distributed.mean([losses.policy, losses.value, losses.entropy])
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    distributed.average(gradients)
    norm = torch.nn.utils.get_total_norm(gradients)
    if not all(map(math.isfinite, (losses.policy, losses.value, losses.entropy, float(norm)))):
        raise Diverged(f"{losses}, gradient norm {float(norm):g}")
    if max_grad_norm is not None:
        nn.utils.clip_grads_with_norm_(network.parameters(), max_grad_norm, norm)
    optimiser.step()
    return norm
