"""What in an observation a network's decision rests on: integrated gradients (Sundararajan, Taly and Yan 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.networks import ActorCritic
from score_following_game.agents.policy import CategoricalPolicy, Policy

STEPS = 64  # a sharp policy is steep along the line: of the shipped agent the sum is 0.003 off, with 16 steps 0.03
WINDOWS_AT_A_TIME = 64


class Saliency(NamedTuple):
    """Of N decisions, float32. spectrogram, sheet (N, 2, H, W), as in the observation: what each value adds to the target.

    target, blank (N,): the target of the observation, and of a blank one (silence, paper); their difference is the sum of
    all attributions. action (N,): the likeliest one, an index or a speed change; the target is its probability, or, in
    continuous games, itself.
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
    """The gradients of the target along the line from zero to the observation (midpoint rule), times the observation.

    observation: spectrogram and sheet, (N, 2, H, W) each; memory: of networks with an LSTM, (N, 2, size), stays as it is along
    the line (None: empty). Raises ValueError for a network in training mode, whose dropout changes from step to step.
    """
    if network.training:
        raise ValueError("integrated gradients are of a network in evaluation mode")
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
    return Saliency(
        *(total * part / steps for total, part in zip(sums, observation)),
        action,
        _target(decided, action),
        _target(blank, action),
    )


@torch.no_grad()
def _policy(network: ActorCritic, observation: Sequence[Tensor], lstm_state: Tensor | None) -> Policy:
    return network.policy(network(observation, lstm_state=lstm_state)[0])


def _target(policy: Policy, action: Tensor) -> Tensor:
    """(N,): the probability of the action, or the mean speed change."""
    return policy.log_prob(action).exp() if isinstance(policy, CategoricalPolicy) else policy.mean


def _gradients(
    network: ActorCritic,
    observation: Sequence[Tensor],
    lstm_state: Tensor | None,
    action: Tensor,
) -> tuple[Tensor, ...]:
    """Of the target, in the shapes of the observation. The parameters take no part: their gradients would cost a quarter."""
    fixed = {name: parameter.detach() for name, parameter in network.named_parameters()}
    inputs = [part.contiguous(memory_format=torch.channels_last).requires_grad_() for part in observation]
    # cuDNN's LSTM has a gradient in training mode only.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=not network.architecture.lstm):
        output = torch.func.functional_call(network, fixed, (inputs, None, lstm_state))[0]
        return torch.autograd.grad(_target(network.policy(output), action).sum(), inputs)
