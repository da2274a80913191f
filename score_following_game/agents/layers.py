"""The networks' layers as functions, and a trace of their outputs that gives gradients without a second forward pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@dataclass(frozen=True)
class Activation:
    """One activation function in three forms.

    in_place: overwrites its argument and returns it. backward: (gradient, result) -> gradient of the argument; it needs the
    result only, so the argument is not kept. plain: torch's own version, differentiable by autograd.
    """

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
    """The layer outputs of a forward pass, in the order in which the layers ran.

    An empty trace records. A trace made of recorded tensors returns them instead of computing, so that `backward` uses exactly
    the activations and dropout masks of the recorded pass.
    """

    def __init__(self, recorded: Sequence[Tensor] | None = None) -> None:
        self.tensors = list(recorded or ())
        self._given: Iterator[Tensor] | None = None if recorded is None else iter(self.tensors)

    def take(self, compute: Callable[[], Tensor]) -> Tensor:
        """Return the next recorded tensor, or record and return compute()."""
        if self._given is not None:
            return next(self._given).detach()
        self.tensors.append(compute())
        return self.tensors[-1]


def with_past(windows: Tensor, past: int) -> Tensor:
    """The newest part of spectrogram windows, with the sound before it at a lower frame rate.

    windows: (B, 2, bands, W * (1 + past)), value and change. Returns (B, 3, bands, W) in channels-last order: the newest W
    frames, their change, and the mean of each group of `past` earlier frames.
    """
    width = windows.shape[-1] // (1 + past)
    earlier = windows[:, :1, :, :-width].unflatten(-1, (width, past)).mean(-1)
    return torch.cat([windows[..., -width:], earlier], dim=1).contiguous(memory_format=torch.channels_last)


def activated(module: nn.Conv2d | nn.Linear, values: Tensor, activation: Activation, trace: Trace | None) -> Tensor:
    """A convolution (without padding) or linear layer and its activation, computed in the dtype of `values`.

    values: (B, C, H, W) for a convolution; (B, ...) for a linear layer, which flattens it.
    """
    stride = module.stride if isinstance(module, nn.Conv2d) else None
    if stride is None:
        values = values.flatten(1)
    weight, bias = _weight_and_bias(module, values.dtype)
    return _Activated.apply(values, weight, bias, stride, activation, trace)


def normalised(norm: nn.BatchNorm1d | nn.BatchNorm2d, values: Tensor) -> Tensor:
    """Batch normalisation in float32; the result has the dtype of `values`.

    A training batch with a single value per channel has no variance and is normalised as in evaluation.
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
    """As `activated`, with batch normalisation between layer and activation.

    There is no trace: the batch statistics of a replayed batch would differ from those of the recorded one.
    """
    weight, bias = _weight_and_bias(module, values.dtype)
    if isinstance(module, nn.Conv2d):
        result = nn.functional.conv2d(values, weight, bias, module.stride)
    else:
        result = nn.functional.linear(values.flatten(1), weight, bias)
    return activation.plain(normalised(norm, result))


@dataclass(frozen=True)
class _Conversion:
    """A parameter converted to another dtype. Holding the parameter keeps its id from being reused."""

    parameter: Tensor
    version: tuple[int, int]
    result: Tensor


# A context variable: threads and nested users each have their own conversions.
_conversions: ContextVar[dict[tuple[int, torch.dtype], _Conversion] | None] = ContextVar("conversions", default=None)


@contextlib.contextmanager
def unchanged_parameters() -> Iterator[None]:
    """Within this context, passes without gradient convert each parameter to bfloat16 only once.

    The conversions take a tenth of the time of a pass over 16 windows. They belong to the `with` block of this thread. A
    parameter that changes within the block is converted again.
    """
    token = _conversions.set({})
    try:
        yield
    finally:
        _conversions.reset(token)


def parameter_version(parameter: Tensor) -> tuple[int, int]:
    """Changes whenever the parameter is written in place or gets other storage (but not by writing in place to its `.data`)."""
    return parameter.data_ptr(), 0 if parameter.is_inference() else parameter._version


def _weight_and_bias(module: nn.Conv2d | nn.Linear, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    if module.bias is None:
        raise ValueError("every convolution and linear layer of the networks has a bias")
    return _as_type(module.weight, dtype), _as_type(module.bias, dtype)


def _as_type(parameter: Tensor, dtype: torch.dtype) -> Tensor:
    known = _conversions.get()
    if known is None or torch.is_grad_enabled() or parameter.dtype == dtype:
        return parameter.to(dtype)
    key, version = (id(parameter), dtype), parameter_version(parameter)
    if key not in known or known[key].version != version:
        known[key] = _Conversion(parameter, version, parameter.to(dtype))
    return known[key].result


def dropout(values: Tensor, p: float, trace: Trace | None) -> Tensor:
    """Dropout in training: each value is multiplied by 0 or by 1 / (1 - p)."""

    def draw() -> Tensor:
        return dropout_factors(values, p)

    return values * (draw() if trace is None else trace.take(draw))


def dropout_factors(values: Tensor, p: float) -> Tensor:
    """0 with probability p (accurate to 2^-17), else 1 / (1 - p), in the shape, dtype and memory format of `values`.

    Each random 64-bit integer yields four factors. This is six times as fast as bernoulli_, which would take a fifth of the
    piano networks' time.
    """
    words = torch.empty((values.numel() + 3) // 4, dtype=torch.int64, device=values.device).random_(-(2**63), None)
    kept = words.view(torch.int16)[: values.numel()] >= round(p * 2**16) - 2**15
    return kept.to(values.dtype).mul_(1 / (1 - p)).as_strided(values.shape, values.stride())


class _Activated(torch.autograd.Function):
    """Layer and activation as one autograd function: the activation works in place, so only half the tensors are kept."""

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
