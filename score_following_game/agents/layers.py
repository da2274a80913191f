"""The networks' layers as functions; a trace of their outputs, for a gradient without a second forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@dataclass(frozen=True)
class Activation:
    """in_place: values -> values. backward: (gradient, result) -> gradient; the result tells all, the argument is not kept.
    plain: the same as torch has it, with its own gradient."""

    in_place: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    plain: Callable[[Tensor], Tensor]


def _elu_(values: Tensor) -> Tensor:
    if values.device.type != "cpu" or values.dtype not in (torch.float32, torch.bfloat16):
        return nn.functional.elu_(values)
    from score_following_game.agents.elu_kernel import elu_  # brings numba, slow to import

    return elu_(values)


def _elu_backward(gradient: Tensor, result: Tensor) -> Tensor:
    return torch.ops.aten.elu_backward(gradient, 1.0, 1.0, 1.0, True, result)


def _selu_backward(gradient: Tensor, result: Tensor) -> Tensor:
    return torch.ops.aten.elu_backward(gradient, SELU_ALPHA, SELU_SCALE, 1.0, True, result)


def _relu_backward(gradient: Tensor, result: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward(gradient, result, 0)


ACTIVATIONS = {
    "elu": Activation(_elu_, _elu_backward, nn.functional.elu),
    "relu": Activation(torch.relu_, _relu_backward, nn.functional.relu),
    "selu": Activation(torch.selu_, _selu_backward, nn.functional.selu),
}


class Trace:
    """What the layers of a forward pass gave, in the order they ran.

    An empty trace records; one made of recorded tensors gives them back in place of computing, so that `backward` finds the
    very activations and dropout masks of the recorded pass.
    """

    def __init__(self, recorded: Sequence[Tensor] | None = None) -> None:
        self.tensors = list(recorded or ())
        self._given: Iterator[Tensor] | None = None if recorded is None else iter(self.tensors)

    def take(self, compute: Callable[[], Tensor]) -> Tensor:
        """The next recorded tensor, else compute()'s, recorded."""
        if self._given is not None:
            return next(self._given).detach()
        self.tensors.append(compute())
        return self.tensors[-1]


def activated(module: nn.Conv2d | nn.Linear, values: Tensor, activation: Activation, trace: Trace | None) -> Tensor:
    """A convolution (without padding) or linear layer and its activation, in the type of `values`.

    values: (B, C, H, W), of a linear layer (B, ...), flattened here.
    """
    stride = module.stride if isinstance(module, nn.Conv2d) else None
    if stride is None:
        values = values.flatten(1)
    weight, bias = (_as_type(parameter, values.dtype) for parameter in (module.weight, module.bias))
    return _Activated.apply(values, weight, bias, stride, activation, trace)


def normalised(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> Tensor:
    """Batch normalisation, in float32; the result has the type of `values`.

    In training a batch of a single value per channel, which has no variance, is normalised as in evaluation.
    """
    if norm.training and values.numel() == values.shape[1]:
        result = nn.functional.batch_norm(
            values.float(), norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
        )
        return result.to(values.dtype)
    return norm(values.float()).to(values.dtype)


def normalised_and_activated(
    module: nn.Conv2d | nn.Linear,
    norm: nn.BatchNorm1d | nn.BatchNorm2d,
    values: Tensor,
    activation: Activation,
) -> Tensor:
    """As `activated`, with batch normalisation between layer and activation, and without a trace: the pass of another batch
    has other means."""
    weight, bias = (_as_type(parameter, values.dtype) for parameter in (module.weight, module.bias))
    if isinstance(module, nn.Conv2d):
        result = nn.functional.conv2d(values, weight, bias, module.stride)
    else:
        result = nn.functional.linear(values.flatten(1), weight, bias)
    return activation.plain(normalised(norm, result))


_converted: dict[tuple[int, torch.dtype], Tensor] | None = None


@contextlib.contextmanager
def unchanged_parameters() -> Iterator[None]:
    """Within, passes without gradient convert a parameter to bfloat16 once, a tenth of the time of 16 windows.

    The caller changes no parameter meanwhile, and drops none.
    """
    global _converted
    before, _converted = _converted, {}
    try:
        yield
    finally:
        _converted = before


def _as_type(parameter: Tensor, dtype: torch.dtype) -> Tensor:
    if _converted is None or torch.is_grad_enabled() or parameter.dtype == dtype:
        return parameter.to(dtype)
    key = id(parameter), dtype
    if key not in _converted:
        _converted[key] = parameter.to(dtype)
    return _converted[key]


def dropout(values: Tensor, p: float, trace: Trace | None) -> Tensor:
    """Dropout in training: values * 0 or 1 / (1 - p)."""

    def draw() -> Tensor:
        return dropout_factors(values, p)

    return values * (draw() if trace is None else trace.take(draw))


def dropout_factors(values: Tensor, p: float) -> Tensor:
    """0 with probability p (to 2^-17), else 1 / (1 - p), in the shape, type and memory format of `values`.

    Four of them are cut from a random number of 64 bits: six times as fast as bernoulli_, a fifth of the piano networks' time.
    """
    words = torch.empty((values.numel() + 3) // 4, dtype=torch.int64, device=values.device).random_(-(2**63), None)
    kept = words.view(torch.int16)[: values.numel()] >= round(p * 2**16) - 2**15
    return kept.to(values.dtype).mul_(1 / (1 - p)).as_strided(values.shape, values.stride())


class _Activated(torch.autograd.Function):
    """One function of layer and activation: the activation in place, half the tensors kept."""

    @staticmethod
    def forward(
        context: Any,
        values: Tensor,
        weight: Tensor,
        bias: Tensor,
        stride: tuple[int, int] | None,
        activation: Activation,
        trace: Trace | None,
    ) -> Tensor:
        def compute() -> Tensor:
            result = (
                nn.functional.linear(values, weight, bias)
                if stride is None
                else nn.functional.conv2d(values, weight, bias, stride)
            )
            return activation.in_place(result)

        result = compute() if trace is None else trace.take(compute)
        context.save_for_backward(values, weight, result)
        context.stride, context.activation = stride, activation
        return result

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, result = context.saved_tensors
        gradient = context.activation.backward(gradient, result)
        needed = context.needs_input_grad[:3]
        if context.stride is None:
            return (
                gradient @ weight if needed[0] else None,
                gradient.t() @ values if needed[1] else None,
                gradient.sum(0) if needed[2] else None,
                None,
                None,
                None,
            )
        gradients = torch.ops.aten.convolution_backward(
            gradient, values, weight, [len(weight)], context.stride, [0, 0], [1, 1], False, [0, 0], 1, list(needed)
        )
        return *gradients, None, None, None
