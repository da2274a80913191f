"""The machine a run uses: random seeds, device, threads and memory allocation."""

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
THREADS_HELP = "threads (default: the cores this process may use; 1 is best beside another busy program)"
TRIAL_HELP = "threads (default: the fastest number in a trial of about a second, at most the cores this process may use)"
PROBE_SECONDS = 0.3
LEAST_GAIN = 1.1  # more threads must be at least a tenth faster

_threads: int | None = None  # set by prepare_machine


def prepare_machine(seed: int, device: str, threads: int | None, trial: bool = False) -> str:
    """Seed every random generator and set the number of threads: `threads`, else one per core this process may use.

    trial: without `threads`, measure on the CPU which number is fastest. Not for evaluations, whose results must be
    reproducible. Returns a line that reports the measurement, "" where there was none. Raises UserError for a seed, device
    or number of threads that is not possible.
    """
    import torch  # here, because the data pipeline uses this module and needs no torch

    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UserError(
            f"--threads {threads}: expected 1 to {MOST_THREADS}; more than the {available_cores()} cores here bring no gain"
        )
    require_seed(seed)
    require_device(device)
    chosen = torch.device(device)
    _keep_freed_memory()
    _set_threads(threads or available_cores())
    report = ""
    if trial and threads is None and chosen.type == "cpu" and available_cores() > 1:
        rates = thread_rates(_small_training_step, available_cores())
        _set_threads(fastest(rates))
        measured = ", ".join(f"{rate:.0f}/s with {number}" for number, rate in rates.items())
        report = f"Threads: {fastest(rates)} (measured: {measured}; --threads N overrides it)"
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (for libraries that draw from it; this project uses generators)
    torch.manual_seed(seed)
    return report


def require_seed(seed: int) -> None:
    """Raise UserError for a seed that torch does not accept."""
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: expected a whole number from 0 to 2^63 - 1")


def require_device(device: str) -> None:
    """Raise UserError for the name of a device that does not exist here."""
    import torch

    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UserError(f"--device {device}: expected cpu, cuda or cuda:N")
    chosen = torch.device(device)
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device {device}: torch sees {torch.cuda.device_count()} CUDA devices here; use --device cpu")


def worker_threads() -> int:
    """Threads in a pool of this process: as many as prepare_machine has set, else one per core it may use."""
    return _threads or available_cores()


def _set_threads(threads: int) -> None:
    import torch

    global _threads
    _threads = threads
    torch.set_num_threads(threads)


def available_cores() -> int:
    """Number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_rates(work: Callable[[], object], cores: int, seconds: float = PROBE_SECONDS) -> dict[int, float]:
    """Calls of work() per second by number of torch threads: 1, 2, 4 ... and `cores`, each measured for `seconds`.

    The measurement shows the effect of other busy programs: threads that wait for a delayed one can be slower than one thread.
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
    """The smallest number of threads whose rate is within a factor of LEAST_GAIN of the best."""
    best = max(rates.values())
    return min(threads for threads, rate in rates.items() if rate * LEAST_GAIN > best)


def _small_training_step() -> None:
    """A convolution of a small network on 16 windows, forward and backward; draws no random numbers."""
    import torch

    windows = torch.linspace(-1, 1, 16 * 16 * 19 * 72).view(16, 16, 19, 72).to(memory_format=torch.channels_last)
    weight = torch.linspace(-1, 1, 32 * 16 * 9).view(32, 16, 3, 3).requires_grad_()
    hidden = torch.nn.functional.conv2d(windows.requires_grad_(), weight, stride=(1, 2))
    torch.nn.functional.elu_(hidden).sum().backward()


def _keep_freed_memory() -> None:
    """Make glibc reuse the memory of large tensors instead of returning it and faulting it in again at every step.

    Doubles the rate of observations and speeds up training by about a tenth (docs/performance.md). No effect without glibc.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**30)
