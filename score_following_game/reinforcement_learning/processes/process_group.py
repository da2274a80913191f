"""The processes that torchrun starts: they find each other, and end together with one line if one fails or is lost.

When a process ends, the others' next exchange with it fails at once. Each then leaves a status in torchrun's store, which
outlives them, and reads the others': a process without one is lost, and the first of the remaining ones reports it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

import torch
import torch.distributed as dist

from score_following_game.errors import UserError

MEET_TIMEOUT = timedelta(minutes=10)  # to find each other
UPDATE_TIMEOUT = timedelta(
    minutes=30
)  # for exchanges that all reach at the same time; ends the run if a machine stops responding
PATIENT_TIMEOUT = timedelta(days=1)  # for waiting while the first process works alone: loading data, evaluating
STATUS_SECONDS = 20.0  # to wait for the status of busy processes; torchrun kills 30 s after SIGTERM
MISTAKE_SECONDS = 5.0  # to wait for the first process to find the same mistake and report it
HERE, REPORTED, MISTAKE, LOST = "here", "reported", "mistake ", "lost "  # the statuses; a reason follows the last two
INTERRUPTED = f"{LOST}interrupted"


class GroupBroken(UserError):
    """Another process failed, and this process reports it."""


class LostProcess(GroupBroken):
    """Another process ended without a mistake of the user's; the run can be resumed from its checkpoint."""


@dataclass(frozen=True)
class Group:
    """This process's rank among `world`. patient: a process group whose exchanges may take PATIENT_TIMEOUT."""

    rank: int = 0
    world: int = 1
    store: dist.Store | None = None
    patient: dist.ProcessGroup | None = None

    @property
    def shared_store(self) -> dist.Store:
        """The store of all processes. Raises RuntimeError without torchrun, where there is none."""
        if self.store is None:
            raise RuntimeError("a process on its own has no store")
        return self.store


ALONE = Group()
_group = ALONE


def current() -> Group:
    """The group that `joined` has joined, else ALONE."""
    return _group


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Inside, this is one of torchrun's processes (without torchrun nothing changes). Only the first one prints and logs.

    A UserError in any process is raised once, by the first process; the others exit silently with the same code.
    """
    global _group
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("WORLD_SIZE") == "1":
        yield
        return
    group = _group = _join()
    try:
        try:
            with _silence() if group.rank else contextlib.nullcontext():
                yield
        except GroupBroken:
            raise
        except UserError as error:
            _end_by_mistake(group, error)
        except Exception as error:
            _set_status(group, LOST + textwrap.shorten(f"{type(error).__name__}: {error}", 160, placeholder=" ..."))
            raise
    except KeyboardInterrupt as error:  # may also come between a mistake and its report
        if _somebody_failed(group):
            _end_by_loss(group, error)  # torchrun sent SIGTERM because another process failed
        _set_status(group, INTERRUPTED)
        if group.rank:
            sys.exit(130)
        raise
    finally:
        _close()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Wraps every exchange. If it fails, this process ends, with GroupBroken if it is the one to report the failure."""
    try:
        yield
    except RuntimeError as error:
        _end_by_loss(_group, error)


def _join() -> Group:
    try:
        store, rank, world = next(dist.rendezvous("env://", timeout=MEET_TIMEOUT))
        store = dist.PrefixStore(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
        store.set(f"place/{rank}", f"{os.environ['GROUP_RANK']} {os.getpid()}")
        # NCCL exchanges gradients on GPUs; everything else is on the CPU and uses gloo.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(
            backend, store=dist.PrefixStore("group", store), rank=rank, world_size=world, timeout=UPDATE_TIMEOUT
        )
        return Group(rank, world, store, dist.new_group(backend="gloo", timeout=PATIENT_TIMEOUT))
    except (RuntimeError, KeyError, ValueError) as error:
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        raise UserError(
            f"the processes cannot find each other ({reason}); check torchrun's arguments and the network between the machines"
        ) from None


def _close() -> None:
    global _group
    _group = ALONE
    if dist.is_initialized():
        dist.destroy_process_group()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        logging.disable()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _end_by_mistake(group: Group, error: UserError) -> NoReturn:
    _ignore_signals()
    _set_status(group, f"{MISTAKE}{error}")
    if group.rank == 0:
        raise error
    if 0 in _statuses(group, {0}, MISTAKE_SECONDS):
        sys.exit(2)
    _set_status(group, REPORTED)
    raise UserError(f"process {group.rank}: {error}")


def _end_by_loss(group: Group, error: BaseException) -> NoReturn:
    _ignore_signals()
    _set_status(group, HERE)
    statuses = {**_statuses(group, set(range(group.world)), STATUS_SECONDS), group.rank: HERE}
    here = [rank for rank, status in statuses.items() if status == HERE]
    mistaken = [rank for rank, status in sorted(statuses.items()) if status.startswith(MISTAKE)]
    lost = [rank for rank in range(group.world) if statuses.get(rank, LOST).startswith(LOST)]
    if 0 in mistaken or REPORTED in statuses.values() or group.rank != min(here):
        sys.exit(2)  # another process reports it
    if mistaken:
        raise GroupBroken(f"process {mistaken[0]}: {statuses[mistaken[0]].removeprefix(MISTAKE)}")
    if not lost:
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        raise LostProcess(f"the processes' connection broke ({reason})")
    cause = statuses.get(lost[0], LOST).removeprefix(LOST)
    raise LostProcess(f"process {', '.join(map(str, lost))} of {group.world} was lost" + (f" ({cause})" if cause else ""))


def _ignore_signals() -> None:
    """This process is about to end; torchrun's SIGTERM must not interrupt its report."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


def _set_status(group: Group, status: str) -> None:
    with contextlib.suppress(RuntimeError):  # if torchrun has ended, nobody reads it
        group.shared_store.set(f"status/{group.rank}", status)


def _statuses(group: Group, ranks: set[int], seconds: float) -> dict[int, str]:
    """The statuses of some processes; waits up to `seconds` for those that may still set one."""
    statuses: dict[int, str] = {}
    until = time.monotonic() + seconds
    with contextlib.suppress(RuntimeError):
        while True:
            for rank in ranks - statuses.keys():
                if (status := _status_of(group, rank)) is not None:
                    statuses[rank] = status
            if len(statuses) == len(ranks) or time.monotonic() > until:
                break
            time.sleep(0.05)
    return statuses


def _status_of(group: Group, rank: int) -> str | None:
    """The status a process has set; LOST if it has ended without one, None if it may still set one."""
    has_ended = not _may_live(group, rank)  # checked first: it may set its status just before it ends
    if group.shared_store.check([f"status/{rank}"]):
        return group.shared_store.get(f"status/{rank}").decode()
    return LOST if has_ended else None


def _somebody_failed(group: Group) -> bool:
    with contextlib.suppress(RuntimeError):
        return any(_status_of(group, rank) not in (None, HERE, INTERRUPTED) for rank in range(group.world))
    return False


def _may_live(group: Group, rank: int) -> bool:
    """False if a process is known to have ended. Processes on other machines cannot be checked."""
    machine, process = group.shared_store.get(f"place/{rank}").decode().split()
    if os.name != "posix" or machine != os.environ["GROUP_RANK"]:
        return True
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, PermissionError):  # of another user: the id is no longer our process's
        return False
    return True
