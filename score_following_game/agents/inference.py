"""Running a network over many positions without holding all their pixels at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.layers import Trace
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.observation import Position, observe
from score_following_game.environment.score_bank import ScoreBank

CHUNK_VALUES = 2**22  # observation values at a time: about 300 Nottingham or 90 piano windows, activations within 300 MB
CUDA_CHUNK_VALUES = 2**27  # about 9900 Nottingham or 2800 piano windows, activations and gradients within some 20 GB, of 80
CUDA_BYTES_PER_VALUE = 600  # of the device's memory; on a smaller one than that chunks are smaller, too
PRECISIONS = ("float32", "bfloat16", "auto")


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """float32 or bfloat16; `auto` is bfloat16 where the processor multiplies it in hardware."""
    if name == "auto":
        has_unit = torch.cuda.is_bf16_supported if device.type == "cuda" else _processor_has_bfloat16
        return torch.bfloat16 if has_unit() else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def _processor_has_bfloat16() -> bool:
    """AVX-512 BF16 (and with it AMX); without, torch emulates bfloat16, slowly. Unknown counts as no."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


class Judgement(NamedTuple):
    """What a network says of N positions: output, that its policy is made of, float32 (N, A); value float32 (N,); memory
    (N, 2, size) after it, of networks with an LSTM."""

    output: Tensor
    value: Tensor
    lstm_state: Tensor | None = None

    @classmethod
    def from_network(cls, output: Tensor, value: Tensor, lstm_state: Tensor | None = None) -> Judgement:
        return cls(output, value[:, 0], lstm_state)


def run_network(
    network: ActorCritic,
    bank: ScoreBank,
    position: Position,
    precision: torch.dtype,
    lstm_state: Tensor | None = None,
) -> Judgement:
    """One forward pass over all of a chunk's positions."""
    return Judgement.from_network(*network(observe(bank, position, precision), lstm_state=lstm_state))


def chunk_size(bank: ScoreBank) -> int:
    """Windows at a time; the larger a device, the more, so that it need not wait for the host between them."""
    config, values = bank.config, CHUNK_VALUES
    if bank.device.type == "cuda":
        total_memory = torch.cuda.get_device_properties(bank.device).total_memory
        values = min(CUDA_CHUNK_VALUES, total_memory // CUDA_BYTES_PER_VALUE)
    return max(
        1, values // sum(channels * height * width for channels, height, width in (config.spec_shape, config.sheet_shape))
    )


def chunks(bank: ScoreBank, n: int) -> Iterator[slice]:
    """0 .. n in runs of chunk_size."""
    size = chunk_size(bank)
    for first in range(0, n, size):
        yield slice(first, min(first + size, n))


@torch.no_grad()
def act(
    network: ActorCritic,
    bank: ScoreBank,
    position: Position,
    precision: torch.dtype,
    lstm_state: Tensor | None = None,
    recorded: list[list[Tensor]] | None = None,
) -> Judgement:
    """As run_network, chunk by chunk and without gradients. recorded: gets each chunk's tensors for `replay`."""
    parts = []
    for part in chunks(bank, len(position.piece)):
        observation, trace = observe(bank, position.at(part), precision), None if recorded is None else Trace()
        parts.append(Judgement.from_network(*network(observation, trace, None if lstm_state is None else lstm_state[part])))
        if recorded is not None and trace is not None:
            recorded.append([*observation, *trace.tensors])
    return (
        parts[0]
        if len(parts) == 1
        else Judgement(*(None if values[0] is None else torch.cat(values) for values in zip(*parts)))
    )


def replay(network: ActorCritic, tensors: Sequence[Tensor], lstm_state: Tensor | None = None) -> Judgement:
    """What run_network gave when `act` recorded these tensors, now with gradients, nearly for nothing.

    The network's parameters must be those of that pass.
    """
    spec, sheet, *layers = tensors
    return Judgement.from_network(*network((spec, sheet), Trace(layers), lstm_state))
