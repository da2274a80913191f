"""Runs a network over many positions without holding all their pixels in memory at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.layers import Trace
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.observation import Position, observe
from score_following_game.environment.score_bank import ScoreBank

CHUNK_VALUES = 2**22  # observation values per chunk: about 300 Nottingham or 90 piano windows; activations up to 300 MB
CUDA_CHUNK_VALUES = 2**27  # about 9900 Nottingham or 2800 piano windows; activations and gradients take up to 20 GB
CUDA_BYTES_PER_VALUE = 600  # limits the chunks on devices with little memory
PRECISIONS = ("float32", "bfloat16", "auto")


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype of a name of PRECISIONS; `auto` is bfloat16 where the processor multiplies it in hardware, else float32."""
    if name == "auto":
        has_unit = torch.cuda.is_bf16_supported if device.type == "cuda" else _processor_has_bfloat16
        return torch.bfloat16 if has_unit() else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def _processor_has_bfloat16() -> bool:
    """Returns True if the CPU has AVX-512 BF16 or AMX. Otherwise torch emulates bfloat16, slowly."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


class Judgement(NamedTuple):
    """Network outputs for N positions.

    output: float32 (N, A), parametrises the policy (ActorCritic.policy). value: float32 (N,), the critic's estimates.
    lstm_state: float32 (N, 2, size), the state after this step; None without an LSTM.
    """

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
    """One forward pass over all positions at once."""
    return Judgement.from_network(*network(observe(bank, position, precision), lstm_state=lstm_state))


def chunk_size(bank: ScoreBank) -> int:
    """Windows per chunk. Larger devices get larger chunks, so that they need not wait for the host between chunks."""
    config, values = bank.config, CHUNK_VALUES
    if bank.device.type == "cuda":
        total_memory = torch.cuda.get_device_properties(bank.device).total_memory
        values = min(CUDA_CHUNK_VALUES, total_memory // CUDA_BYTES_PER_VALUE)
    return max(
        1, values // sum(channels * height * width for channels, height, width in (config.spec_shape, config.sheet_shape))
    )


def chunks(bank: ScoreBank, n: int) -> Iterator[slice]:
    """Slices of at most chunk_size that cover 0 .. n."""
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
    """As run_network, but chunk by chunk and without gradients. recorded: each chunk's tensors for `replay` are appended."""
    parts: list[Judgement] = []
    for part in chunks(bank, len(position.piece)):
        observation, trace = observe(bank, position.at(part), precision), None if recorded is None else Trace()
        parts.append(Judgement.from_network(*network(observation, trace, None if lstm_state is None else lstm_state[part])))
        if recorded is not None and trace is not None:
            recorded.append([*observation, *trace.tensors])
    return parts[0] if len(parts) == 1 else _joined(parts)


def _joined(parts: Sequence[Judgement]) -> Judgement:
    states = [part.lstm_state for part in parts if part.lstm_state is not None]
    return Judgement(
        torch.cat([part.output for part in parts]),
        torch.cat([part.value for part in parts]),
        torch.cat(states) if states else None,
    )


def replay(network: ActorCritic, tensors: Sequence[Tensor], lstm_state: Tensor | None = None) -> Judgement:
    """Repeat a pass that `act` recorded, now with gradients and at nearly no cost.

    The network's parameters must be those of the recorded pass.
    """
    spec, sheet, *layers = tensors
    return Judgement.from_network(*network((spec, sheet), Trace(layers), lstm_state))
