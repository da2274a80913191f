"""Data parallelism: several processes, started by torchrun on one or more machines, train one agent.

Every process plays its own games and averages its gradients with the others, so that parameters that are equal at first stay
equal. (DistributedDataParallel does not fit: it averages at every backward pass, while an update here accumulates many over
the chunks of a batch, and its wrapper hides the network's attributes.)

With a single process, started by torchrun or not, `joined` does nothing and every function returns its input. All processes
must call the same functions in the same order, except for those marked "local", which exchange nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from score_following_game.command_line import command_name
from score_following_game.errors import UserError
from score_following_game.machine import available_cores
from score_following_game.reinforcement_learning.processes.process_group import current, together

T = TypeVar("T")


def rank() -> int:
    """The number of this process, from 0; local."""
    return current().rank


def world_size() -> int:
    """The number of processes; local."""
    return current().world


def is_first() -> bool:
    """Returns True if this process logs, evaluates and writes; local."""
    return current().rank == 0


def command(arguments: str, processes: int | None = None) -> str:
    """The shell command for this training program with `arguments`, with this run's number of processes or another; local."""
    machines = int(os.environ.get("GROUP_WORLD_SIZE", "1")) if world_size() > 1 else 1
    alone = command_name("sfg-train")
    program = alone.removeprefix("python ") if alone.startswith("python ") else f"--no-python {alone}"
    if processes is None and machines > 1:
        here = os.environ["LOCAL_WORLD_SIZE"]
        return f"torchrun --nnodes {machines} --nproc_per_node {here} ... {program} {arguments}"
    processes = processes or world_size()
    if processes > 1:
        return f"torchrun --nproc_per_node {processes} {program} {arguments}"
    return f"{alone} {arguments}"


def share_of_cores(threads: int | None) -> int | None:
    """The given threads, else this process's share of its machine's cores (None for a single process); local."""
    if threads is not None or world_size() == 1:
        return threads
    return max(1, available_cores() // int(os.environ["LOCAL_WORLD_SIZE"]))


def take_device(device: str) -> None:
    """Make `cuda` refer to a CUDA device of this process's own; local. Raises UserError if there is none for it."""
    if world_size() == 1 or not device.startswith("cuda"):
        return
    own, processes, there = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if device != "cuda":
        raise UserError(f"--device {device}: every process uses a device of its own; give --device cuda")
    if processes > there:
        raise UserError(f"--device cuda: {processes} processes, but {there} devices here; give --nproc_per_node {there}")
    torch.cuda.set_device(own)


def seeds(seed: int, count: int) -> list[int]:
    """Derive `count` seeds that differ between processes and depend only on seed, rank and world size; local."""
    place = () if world_size() == 1 else (world_size(), rank())
    return np.random.SeedSequence(seed, spawn_key=place).generate_state(count).tolist()


def seed_dropout(seed: int) -> None:
    """Make torch draw other dropout masks in each process from now on; a single process keeps its generator. Local."""
    if world_size() > 1:
        torch.manual_seed(seed)


@contextmanager
def first_on_each_machine() -> Iterator[None]:
    """One process of each machine runs the body first, so that the others find the caches that it writes."""
    waits = world_size() > 1 and int(os.environ["LOCAL_RANK"]) > 0
    if waits:
        _barrier()
    yield
    if world_size() > 1 and not waits:
        _barrier()


def any_of(*flags: bool) -> list[bool]:
    """For each flag, whether it is True in any process."""
    if world_size() == 1:
        return list(flags)
    counts = torch.tensor(flags, dtype=torch.int32)
    with together():
        dist.all_reduce(counts)
    return (counts > 0).tolist()


def mean(values: Sequence[float]) -> list[float]:
    """The mean of each number over the processes."""
    if world_size() == 1:
        return list(values)
    return (_sum(torch.tensor(values, dtype=torch.float64)) / world_size()).tolist()


def average(gradients: Sequence[Tensor]) -> None:
    """Replace gradients by their means over the processes, in place, in one exchange.

    Call it after `mean` or `any_of`: these use gloo, which detects a lost process at once, while NCCL would wait for it.
    """
    if world_size() == 1:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    with together():
        dist.all_reduce(flat)
    flat /= world_size()
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
        gradient.copy_(part.view(gradient.shape))


def mean_and_std(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased standard deviation over the values of all processes. values: float (n,), n >= 1."""
    if world_size() == 1:
        return values.mean(), values.std()
    count, total = _sum(torch.tensor([len(values), values.double().sum()], dtype=torch.float64))
    centre = total / count
    squares = _sum((values.double() - centre.to(values.device)).square().sum().cpu()[None])[0]
    return centre.to(values), (squares / (count - 1)).sqrt().to(values)


def joined_up(values: Tensor) -> Tensor:
    """The values of all processes, (n * world,), on the CPU. values: (n,), with the same n in all processes."""
    own = values.cpu().contiguous()
    if world_size() == 1:
        return own
    parts = [torch.empty_like(own) for _ in range(world_size())]
    with together():
        dist.all_gather(parts, own)
    return torch.cat(parts)


def from_first(make: Callable[[], T]) -> T:
    """Run `make` in the first process; return its result, or raise its UserError, in every process."""
    if world_size() == 1:
        return make()
    outcome: list[Any] = [None]
    if is_first():
        try:
            outcome = [make()]
        except UserError as error:
            outcome = [error]
    with together():
        dist.broadcast_object_list(outcome, src=0, group=current().patient)
    if isinstance(outcome[0], UserError):
        raise outcome[0]
    return outcome[0]


def gather(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns all states by rank, tensors on the CPU, in the first process, and an empty list in the others."""
    if world_size() == 1:
        return [state]
    states: list[Any] | None = [None] * world_size() if is_first() else None
    with together():
        dist.gather_object(_on_cpu(state), states, dst=0, group=current().patient)
    return states or []


def require_same(values: Callable[[], Mapping[str, Any]]) -> None:
    """Raise UserError in every process if a value differs from the first process's. A single process computes nothing."""
    if world_size() == 1:
        return
    everyone: list[Any] = [None] * world_size()
    with together():
        dist.all_gather_object(everyone, dict(values()), group=current().patient)
    for other, theirs in enumerate(everyone):
        for key in sorted(everyone[0].keys() | theirs.keys()):
            if theirs.get(key) != everyone[0].get(key):
                raise UserError(
                    f"process {other} has {key} {theirs.get(key)!r}, process 0 {everyone[0].get(key)!r}; give all "
                    "the same arguments (--ini_params too), files and versions"
                )


def _barrier() -> None:
    with together():
        dist.barrier(group=current().patient)


def _sum(values: Tensor) -> Tensor:
    with together():
        dist.all_reduce(values)
    return values


def _on_cpu(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _on_cpu(item) for key, item in value.items()}
    return value.cpu() if isinstance(value, Tensor) else value
