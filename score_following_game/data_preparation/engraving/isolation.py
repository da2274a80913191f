"""A function run in child processes that may crash or hang: that costs the task at hand and nothing else.

verovio is C++ fed with files from anywhere. The children are spawned (no fork: portable, and no half-copied threads), live
for many tasks, and are replaced when they die or overrun.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from score_following_game.data_preparation.errors import EngravingError

try:
    import resource
except ImportError:  # Windows
    resource = None

_SPAWN = multiprocessing.get_context("spawn")
_FIRST_TASK_EXTRA = 30.0  # seconds for a child to start
MEMORY = 6 * 10**9  # bytes of address space of a child


# Reasons that say nothing of the score itself: another try may end otherwise.
TIME_LIMIT, MEMORY_LIMIT, CRASHED, UNEXPECTED = "time limit", "memory limit", "the engraver crashed", "unexpected error"
PASSING = {TIME_LIMIT, MEMORY_LIMIT, CRASHED, UNEXPECTED}


@dataclass(frozen=True)
class Outcome:
    """What became of a task: `value`, or, where `reason` is not empty, why there is none."""

    task: Any
    value: Any = None
    reason: str = ""
    detail: str = ""


def run_isolated(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    processes: int = 1,
    time_limit: float = 120.0,
) -> Generator[Outcome, None, None]:
    """Yield an Outcome per task, as they finish. `function` is a module's (the child imports it); `time_limit` in seconds.

    An EngravingError becomes its reason, any other exception, a crash or an overrun a reason of its own.
    """
    waiting = iter(tasks)
    children: list[_Child] = []
    try:
        while True:
            for child in [child for child in children if child.task is None]:
                _next_task(child, waiting)
            while len(children) < processes and (task := next(waiting, None)) is not None:
                children.append(_Child(function, time_limit))
                children[-1].start(task)
            busy = [child for child in children if child.task is not None]
            if not busy:
                return
            deadline = min(child.deadline for child in busy)
            ready = set(wait([child.connection for child in busy], max(0.0, deadline - time.monotonic())))
            for child in busy:
                if child.connection in ready:
                    yield child.outcome()
                elif time.monotonic() >= child.deadline:
                    yield child.overrun()
            children = [child for child in children if child.process.is_alive()]
    finally:
        for child in children:
            child.stop()


def _next_task(child: _Child, waiting: Iterator[Any]) -> None:
    task = next(waiting, None)
    if task is not None:
        child.start(task)


class _Child:
    """One child process and the task it has."""

    def __init__(self, function: Callable[[Any], Any], time_limit: float) -> None:
        self.time_limit = time_limit
        self.extra = _FIRST_TASK_EXTRA
        self.task: Any = None
        self.deadline = 0.0
        self.connection, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_serve, args=(function, theirs), daemon=True)
        with _ignoring_interrupts():
            self.process.start()
        theirs.close()

    def start(self, task: Any) -> None:
        self.task = task
        self.deadline = time.monotonic() + self.time_limit + self.extra
        self.extra = 0.0
        with contextlib.suppress(OSError):  # a child that is gone shows when its answer is read
            self.connection.send(task)

    def outcome(self) -> Outcome:
        task, self.task = self.task, None
        try:
            value, reason, detail = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Outcome(task, reason=CRASHED, detail=f"exit code {self.process.exitcode}")
        return Outcome(task, value, reason, detail)

    def overrun(self) -> Outcome:
        task, self.task = self.task, None
        self.stop()
        return Outcome(task, reason=TIME_LIMIT, detail=f"more than {self.time_limit:g} s")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """A child started in here ignores Ctrl-C from its first moment: stopping is its parent's business."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(function: Callable[[Any], Any], connection: Connection) -> None:
    """A child's life: a task in, (value, reason, detail) out, until the parent closes the pipe."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sys.stdout.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # verovio writes its complaints past Python
        os.dup2(silence, stream)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = function(task), "", ""
        except EngravingError as error:
            answer = None, error.reason, error.detail
        except MemoryError:
            answer = None, MEMORY_LIMIT, f"more than {MEMORY / 1e9:g} GB"
        except Exception as error:
            answer = None, UNEXPECTED, f"{type(error).__name__}: {error}"
        connection.send(answer)
