"""Runs a function in child processes. A crash or a hang costs only the task at hand.

verovio is C++ and reads files from anywhere. The children are spawned, not forked: that is portable and copies no threads.
Each serves many tasks and is replaced when it dies or exceeds the time limit.
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

from score_following_game.data_preparation.errors import UNREADABLE, EngravingError
from score_following_game.errors import UserError, printable
from score_following_game.files import WriteError

_SAFE_PATH = "PYTHONSAFEPATH"
_SPAWN = multiprocessing.get_context("spawn")
_FIRST_TASK_EXTRA = 30.0  # seconds that a child may take to start
MOST_PATIENCE = 10.0
MEMORY = 6 * 10**9  # bytes of address space per child

# These reasons say nothing about the score itself, so another attempt may succeed.
TIME_LIMIT, MEMORY_LIMIT, CRASHED, UNWRITTEN = "time limit", "memory limit", "the engraver crashed", "cannot be written"
PASSING = {TIME_LIMIT, MEMORY_LIMIT, CRASHED, UNWRITTEN}
UNEXPECTED = "unexpected error"  # of the same code, the same file makes the same one again


@dataclass(frozen=True)
class TaskOutcome:
    """The result of a task: its `value`, or, if `reason` is not empty, why it failed."""

    task: Any
    value: Any = None
    reason: str = ""
    detail: str = ""


def run_isolated(
    function: Callable[[Any], Any],
    tasks: Iterable[Any],
    processes: int = 1,
    time_limit: float = 120.0,
) -> Generator[TaskOutcome, None, None]:
    """Yield a TaskOutcome per task, in the order in which the tasks finish. A task is taken when a child is free for it.

    function: defined at the top level of a module, from which the child imports it.  time_limit: seconds per task on an idle
    machine (see `allowed`). An
    EngravingError gives the outcome its reason. So do other exceptions, crashes and exceeded limits, each with its own.
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
    """One child process and its current task."""

    def __init__(self, function: Callable[[Any], Any], time_limit: float) -> None:
        self.time_limit = time_limit
        self.extra = _FIRST_TASK_EXTRA
        self.task: Any = None
        self.deadline = 0.0
        self.connection, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=_serve, args=(function, theirs), daemon=True)
        with _ignoring_interrupts(), _safe_path():
            self.process.start()
        theirs.close()

    def start(self, task: Any) -> None:
        self.task = task
        self.deadline = time.monotonic() + allowed(self.time_limit) + self.extra
        self.extra = 0.0
        with contextlib.suppress(OSError):  # a dead child is noticed when its answer is read
            self.connection.send(task)

    def outcome(self) -> TaskOutcome:
        task, self.task = self.task, None
        try:
            value, reason, detail = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return TaskOutcome(task, reason=CRASHED, detail=f"exit code {self.process.exitcode}")
        return TaskOutcome(task, value, reason, detail)

    def overrun(self) -> TaskOutcome:
        task, self.task = self.task, None
        self.stop()
        return TaskOutcome(task, reason=TIME_LIMIT, detail=f"more than {self.time_limit:g} s")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def allowed(seconds: float) -> float:
    """How long work may take that needs this many seconds on an idle machine: longer where others keep the processors busy."""
    try:
        waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):  # Windows
        waiting = 1.0
    return seconds * min(max(waiting, 1.0), MOST_PATIENCE)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Children started in this context do not look for modules in the working directory, where anybody's files may lie."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Children started in this context ignore Ctrl-C from the beginning, because stopping them is up to the parent."""
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
    """The child's loop: receive a task, send (value, reason, detail), until the parent closes the pipe."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    sys.stdout.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # verovio writes its messages directly, not through Python
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
        except WriteError as error:
            answer = None, UNWRITTEN, str(error)
        except UserError as error:
            answer = None, UNREADABLE, str(error)
        except Exception as error:
            answer = None, UNEXPECTED, printable(f"{type(error).__name__}: {error}", 300)
        connection.send(answer)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
