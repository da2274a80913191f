"""Work on arrays compiled by numba for CPUs: how it is compiled, and shared among threads.

Takes a third of a second to import, so modules that import it are imported where they are first needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import torch

RUN_VALUES = 2**17  # a thread's work at a time at the least, about 0.1 ms: less is not worth handing out
RUNS_PER_THREAD = 4  # so that one held up by another program does not hold up the rest


def compiled(**options: Any) -> Callable[[Callable], Callable]:
    """Decorator: numba.njit that lets other threads run meanwhile. The code is kept in __pycache__, or where numba finds a
    place of the user's; where there is none, every process compiles it anew, in about two seconds."""
    options = {"nogil": True, "error_model": "numpy", **options}

    def compile_(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            return numba.njit(**options)(function)

    return compile_


@compiled()
def float32_bits(value):
    return np.float32(value).view(np.uint32)


@compiled()
def bfloat16_bits(value):
    """The upper half of a float32, rounded to nearest even. numba makes sums of 32 bits into 64 unless told each time."""
    bits = float32_bits(value)
    odd = np.uint32(bits >> np.uint32(16)) & np.uint32(1)
    return np.uint32(np.uint32(bits + np.uint32(0x7FFF)) + odd) >> np.uint32(16)


def in_threads(work: Callable[[slice], object], count: int, values: int = 1) -> None:
    """work over runs of 0 .. count, each item of so many values, by as many threads as torch has.

    (numba's own threads would bring a second OpenMP beside torch's.)
    """
    threads = torch.get_num_threads()
    size = max(-(-count // (threads * RUNS_PER_THREAD)), RUN_VALUES // max(1, values), 1)
    if threads == 1 or size >= count:
        work(slice(0, count))
        return
    for _done in _pool(threads).map(work, [slice(first, first + size) for first in range(0, count, size)]):
        pass


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "compiled")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of the threads
