"""The processes of a torchrun: finding each other, and ending together with one line when one of them fails or is lost.

When a process ends, the others' next exchange with it fails at once. Each then leaves a word in torchrun's store, which
outlives them, and reads the others': who has left none is lost, and the first of those that are left tells.
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
UPDATE_TIMEOUT = timedelta(minutes=30)  # for what all do at one pace; when a machine falls silent
PATIENT_TIMEOUT = timedelta(days=1)  # for what the first does alone: loading data, an evaluation
WORD_SECONDS = 20.0  # for the words of those that may be busy; torchrun kills 30 s after it has asked to end
MISTAKE_SECONDS = 5.0  # for the first process to meet with a mistake too, and tell
HERE, TOLD, MISTAKE, LOST = "here", "told", "mistake ", "lost "  # the words; a reason follows the last two
INTERRUPTED = f"{LOST}interrupted"


class GroupBroken(UserError):
    """Another process failed, and this is the one that tells of it."""


class LostProcess(GroupBroken):
    """Another process is gone without a mistake of the user's: what was saved can be gone on with."""


@dataclass(frozen=True)
class Group:
    """This process among `world`. patient: a group whose exchanges may wait for long."""

    rank: int = 0
    world: int = 1
    store: dist.Store | None = None
    patient: dist.ProcessGroup | None = None


ALONE = Group()
_group = ALONE


def current() -> Group:
    """The group `joined` has joined, else ALONE."""
    return _group


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Within, this is one of torchrun's processes (alone: nothing is done). Only the first one prints, warns and logs.

    A UserError leaves by the first process, whichever raised it, once; the others exit with its code, silently.
    """
    global _group
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("WORLD_SIZE") == "1":
        yield
        return
    group = _group = _join()
    try:
        with _silence() if group.rank else contextlib.nullcontext():
            yield
    except GroupBroken:
        raise
    except UserError as error:
        _end_by_mistake(group, error)
    except KeyboardInterrupt as error:
        if _somebody_failed(group):
            _end_by_loss(group, error)  # torchrun asked the others to end
        _leave_word(group, INTERRUPTED)
        if group.rank:
            sys.exit(130)
        raise
    except Exception as error:
        _leave_word(group, LOST + textwrap.shorten(f"{type(error).__name__}: {error}", 160, placeholder=" ..."))
        raise
    finally:
        _close()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Around every exchange: one that fails ends this process, with GroupBroken where it is the one to tell."""
    try:
        yield
    except RuntimeError as error:
        _end_by_loss(_group, error)


def _join() -> Group:
    try:
        store, rank, world = next(dist.rendezvous("env://", timeout=MEET_TIMEOUT))
        store = dist.PrefixStore(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
        store.set(f"place/{rank}", f"{os.environ['GROUP_RANK']} {os.getpid()}")
        # Gradients go by NCCL where they are on a GPU; all else is on the CPU and goes by gloo.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(
            backend, store=dist.PrefixStore("group", store), rank=rank, world_size=world, timeout=UPDATE_TIMEOUT
        )
        return Group(rank, world, store, dist.new_group(backend="gloo", timeout=PATIENT_TIMEOUT))
    except (RuntimeError, KeyError, ValueError) as error:
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        raise UserError(
            f"the processes do not find each other ({reason}); check torchrun's arguments and the network between the machines"
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
    _leave_word(group, f"{MISTAKE}{error}")
    if group.rank == 0:
        raise error
    if 0 in _words(group, {0}, MISTAKE_SECONDS):
        sys.exit(2)
    _leave_word(group, TOLD)
    raise UserError(f"process {group.rank}: {error}")


def _end_by_loss(group: Group, error: BaseException) -> NoReturn:
    _ignore_signals()
    _leave_word(group, HERE)
    words = {**_words(group, set(range(group.world)), WORD_SECONDS), group.rank: HERE}
    here = [rank for rank, word in words.items() if word == HERE]
    mistaken = [rank for rank, word in sorted(words.items()) if word.startswith(MISTAKE)]
    lost = [rank for rank in range(group.world) if words.get(rank, LOST).startswith(LOST)]
    if 0 in mistaken or TOLD in words.values() or group.rank != min(here):
        sys.exit(2)  # another tells
    if mistaken:
        raise GroupBroken(f"process {mistaken[0]}: {words[mistaken[0]].removeprefix(MISTAKE)}")
    if not lost:
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        raise LostProcess(f"the processes' connection broke ({reason})")
    told = words.get(lost[0], LOST).removeprefix(LOST)
    raise LostProcess(f"process {', '.join(map(str, lost))} of {group.world} was lost" + (f" ({told})" if told else ""))


def _ignore_signals() -> None:
    """This process ends by itself, and torchrun's wish that it do so must not cut off its line."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)


def _leave_word(group: Group, word: str) -> None:
    with contextlib.suppress(RuntimeError):  # where torchrun has ended, there is nobody to read it
        group.store.set(f"word/{group.rank}", word)


def _words(group: Group, ranks: set[int], seconds: float) -> dict[int, str]:
    """The words of some processes, waiting so long for those that may still leave one."""
    words: dict[int, str] = {}
    until = time.monotonic() + seconds
    with contextlib.suppress(RuntimeError):
        while True:
            words |= {rank: word for rank in ranks - words.keys() if (word := _word_of(group, rank)) is not None}
            if len(words) == len(ranks) or time.monotonic() > until:
                break
            time.sleep(0.05)
    return words


def _word_of(group: Group, rank: int) -> str | None:
    """The word a process has left, LOST where it has ended without, None where it may still leave one."""
    has_ended = not _may_live(group, rank)  # asked first: the word may be its last deed
    if group.store.check([f"word/{rank}"]):
        return group.store.get(f"word/{rank}").decode()
    return LOST if has_ended else None


def _somebody_failed(group: Group) -> bool:
    with contextlib.suppress(RuntimeError):
        return any(_word_of(group, rank) not in (None, HERE, INTERRUPTED) for rank in range(group.world))
    return False


def _may_live(group: Group, rank: int) -> bool:
    """False where a process is known to be gone; of one on another machine nothing is known."""
    machine, process = group.store.get(f"place/{rank}").decode().split()
    if os.name != "posix" or machine != os.environ["GROUP_RANK"]:
        return True
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, PermissionError):  # of another user: the number is no longer our process's
        return False
    return True
