"""The machine a run uses: seeds, device, threads, memory."""
from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re

import numpy as np

from score_following_game.errors import UserError

DEFAULT_SEED = 4711
MOST_THREADS = 512
DEVICE_HELP = "cpu, cuda or cuda:N"
THREADS_HELP = "torch threads (default: the cores this process may use; take 1 beside another busy program)"


def prepare_machine(seed: int, device: str, threads: int | None) -> None:
    """Seed every generator and set torch's threads. Raises UserError for a seed, device or number of threads that cannot be."""
    import torch  # the data pipeline asks this module for its cores and needs no torch

    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UserError(f"--threads {threads}: wanted 1 to {MOST_THREADS}; more than the {available_cores()} cores here gain "
                        "nothing")
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: wanted a whole number from 0 to 2^63 - 1")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UserError(f"--device {device}: wanted cpu, cuda or cuda:N")
    wanted = torch.device(device)
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise UserError(f"--device {device}: torch sees {torch.cuda.device_count()} CUDA devices here; use --device cpu")
    torch.set_num_threads(threads or available_cores())
    _keep_freed_memory()
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (for libraries that draw from it; ours have generators)
    torch.manual_seed(seed)


def available_cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _keep_freed_memory() -> None:
    """Tell glibc to reuse the memory of large tensors instead of giving it back and faulting it in again at every step.

    Doubles the rate of observations and gains training about a tenth (docs/performance.md). Elsewhere nothing is done.
    """
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**30)
