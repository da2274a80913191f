"""numba for CPU kernels: how they are compiled, and how their work is divided among threads.

Importing numba takes a third of a second, so modules that use this one are imported where they are first needed.
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

RUN_VALUES = 2**17  # minimum number of values per task, about 0.1 ms of work; smaller tasks cost more than they save
RUNS_PER_THREAD = 4  # the other threads take over the runs of a thread that another program delays


def compiled(**options: Any) -> Callable[[Callable], Callable]:
    """Decorator: numba.njit without Python's lock.

    The machine code is cached in __pycache__ or the user's cache folder; where neither can be written, every process compiles
    it again, in about two seconds.
    """
    options = {"nogil": True, "error_model": "numpy", **options}

    def compile_(function: Callable) -> Callable:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            return numba.njit(**options)(function)

    return compile_


@compiled()
def float32_bits(value: np.float32) -> np.uint32:
    return np.float32(value).view(np.uint32)


@compiled()
def bfloat16_bits(value: np.float32) -> np.uint32:
    """The upper half of a float32, rounded to nearest even. The casts keep numba from widening 32-bit sums to 64 bits."""
    bits = float32_bits(value)
    odd = np.uint32(bits >> np.uint32(16)) & np.uint32(1)
    return np.uint32(np.uint32(bits + np.uint32(0x7FFF)) + odd) >> np.uint32(16)


def in_threads(work: Callable[[slice], object], count: int, values: int = 1) -> None:
    """Call work(slice) for consecutive slices of range(count), in as many threads as torch uses. values: per item.

    numba's own threads are not used: they would start a second OpenMP runtime beside torch's.
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
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
