"""The machine a run uses: seeds, device, threads, memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re
import time
from collections.abc import Callable

import numpy as np

from score_following_game.errors import UserError

DEFAULT_SEED = 4711
MOST_THREADS = 512
DEVICE_HELP = "cpu, cuda or cuda:N"
THREADS_HELP = "torch threads (default: the cores this process may use; take 1 beside another busy program)"
TRIAL_HELP = "torch threads (default: as many as a trial of a second finds fastest, up to the cores this process may use)"
PROBE_SECONDS = 0.3
LEAST_GAIN = 1.1  # more threads are taken only for a rate a tenth higher


def prepare_machine(seed: int, device: str, threads: int | None, trial: bool = False) -> str:
    """Seed every generator and set torch's threads: those given, else all cores, or as many as a trial finds fastest.

    -> what the trial found, in a line; "" where none was made. (Not for evaluations: their numbers are to be the same again.)
    Raises UserError for a seed, device or number of threads that cannot be.
    """
    import torch  # the data pipeline asks this module for its cores and needs no torch

    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UserError(
            f"--threads {threads}: wanted 1 to {MOST_THREADS}; more than the {available_cores()} cores here gain nothing"
        )
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: wanted a whole number from 0 to 2^63 - 1")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UserError(f"--device {device}: wanted cpu, cuda or cuda:N")
    wanted = torch.device(device)
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device {device}: torch sees {torch.cuda.device_count()} CUDA devices here; use --device cpu")
    _keep_freed_memory()
    torch.set_num_threads(threads or available_cores())
    told = ""
    if trial and threads is None and wanted.type == "cpu" and available_cores() > 1:
        rates = thread_rates(_small_training_step, available_cores())
        torch.set_num_threads(fastest(rates))
        tried = ", ".join(f"{rate:.0f}/s with {number}" for number, rate in rates.items())
        told = f"Threads: {fastest(rates)} (tried: {tried}; --threads N sets it)"
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (for libraries that draw from it; ours have generators)
    torch.manual_seed(seed)
    return told


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_rates(work: Callable[[], object], cores: int, seconds: float = PROBE_SECONDS) -> dict[int, float]:
    """Calls of work() per second with 1, 2, 4 ... and `cores` torch threads, each tried for some seconds.

    Another busy program shows here: threads that wait for one held up by it can be slower than one alone.
    """
    import torch

    rates = {}
    for threads in sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power < cores)}):
        torch.set_num_threads(threads)
        work()
        began, calls = time.perf_counter(), 0
        while (spent := time.perf_counter() - began) < seconds:
            work()
            calls += 1
        rates[threads] = calls / spent
    return rates


def fastest(rates: dict[int, float]) -> int:
    """The smallest number of threads whose rate falls short of the best by less than LEAST_GAIN."""
    best = max(rates.values())
    return min(threads for threads, rate in rates.items() if rate * LEAST_GAIN > best)


def _small_training_step() -> None:
    """A convolution of a small network on 16 windows, forward and backward, without a random number."""
    import torch

    windows = torch.linspace(-1, 1, 16 * 16 * 19 * 72).view(16, 16, 19, 72).to(memory_format=torch.channels_last)
    weight = torch.linspace(-1, 1, 32 * 16 * 9).view(32, 16, 3, 3).requires_grad_()
    hidden = torch.nn.functional.conv2d(windows.requires_grad_(), weight, stride=(1, 2))
    torch.nn.functional.elu_(hidden).sum().backward()


def _keep_freed_memory() -> None:
    """Tell glibc to reuse the memory of large tensors instead of giving it back and faulting it in again at every step.

    Doubles the rate of observations and gains training about a tenth (docs/performance.md). Elsewhere nothing is done.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**30)
