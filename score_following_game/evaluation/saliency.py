"""Attribution of a network's decisions to its observations: integrated gradients (Sundararajan, Taly and Yan 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.networks import ActorCritic
from score_following_game.agents.policy import CategoricalPolicy, Policy

STEPS = 64  # the shipped agent's sharp policy needs many: the attributions' sum is 0.003 off, with 16 steps 0.03
WINDOWS_AT_A_TIME = 64


class Saliency(NamedTuple):
    """Attributions of N decisions, float32.

    spectrogram, sheet: (N, 2, H, W), the contribution of each observed value to the target. action: (N,), the most probable
    action, an index or a speed change. target: (N,), the action's probability, or, in continuous games, the action itself.
    blank: (N,), the target for a blank observation (silence, empty paper); target - blank is the sum of all attributions.
    """

    spectrogram: Tensor
    sheet: Tensor
    action: Tensor
    target: Tensor
    blank: Tensor


def integrated_gradients(
    network: ActorCritic,
    observation: Sequence[Tensor],
    lstm_state: Tensor | None = None,
    steps: int = STEPS,
) -> Saliency:
    """Integrate the target's gradients along the line from a blank to the given observation, times the observation.

    Args:
        network: in evaluation mode.
        observation: spectrogram and sheet, (N, 2, H, W) each.
        lstm_state: (N, 2, size) for networks with an LSTM, constant along the line. None: the state at a game's beginning.
        steps: of the midpoint rule.

    Raises:
        ValueError: the network is in training mode, where dropout differs from step to step.
    """
    if network.training:
        raise ValueError("integrated gradients need a network in evaluation mode")
    observation = [part.float() for part in observation]
    decided = _policy(network, observation, lstm_state)
    action = decided.mode()
    blank = _policy(network, [torch.zeros_like(part) for part in observation], lstm_state)
    sums = [torch.zeros_like(part) for part in observation]
    for row in torch.arange(len(action) * steps, device=action.device).split(WINDOWS_AT_A_TIME):
        decision, share = row // steps, (row % steps + 0.5) / steps
        gradients = _gradients(
            network,
            [part[decision] * share[:, None, None, None] for part in observation],
            None if lstm_state is None else lstm_state[decision],
            action[decision],
        )
        for total, gradient in zip(sums, gradients):
            total.index_add_(0, decision, gradient)
    spectrogram, sheet = (total * part / steps for total, part in zip(sums, observation))
    return Saliency(
        spectrogram,
        sheet,
        action,
        _target(decided, action),
        _target(blank, action),
    )


@torch.no_grad()
def _policy(network: ActorCritic, observation: Sequence[Tensor], lstm_state: Tensor | None) -> Policy:
    return network.policy(network(observation, lstm_state=lstm_state)[0])


def _target(policy: Policy, action: Tensor) -> Tensor:
    """The probability of the action, or the mean speed change, (N,)."""
    return policy.log_prob(action).exp() if isinstance(policy, CategoricalPolicy) else policy.mean


def _gradients(
    network: ActorCritic,
    observation: Sequence[Tensor],
    lstm_state: Tensor | None,
    action: Tensor,
) -> tuple[Tensor, ...]:
    """Gradients of the target by the observation. Detached parameters save the quarter of the time their gradients take."""
    fixed = {name: parameter.detach() for name, parameter in network.named_parameters()}
    inputs = [part.contiguous(memory_format=torch.channels_last).requires_grad_() for part in observation]
    # cuDNN's LSTM has gradients in training mode only.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=not network.architecture.lstm):
        output = torch.func.functional_call(network, fixed, (inputs, None, lstm_state))[0]
        return torch.autograd.grad(_target(network.policy(output), action).sum(), inputs)
