"""File operations that several processes may do at once: complete writes, locks and digests."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from score_following_game.errors import UserError, cause

if sys.platform != "win32":
    import fcntl

LOCK_NAME = ".lock"
_STEM, _SUFFIX, _RANDOM = 40, 10, 8  # characters of a temporary name: of the stem, of the suffix, random ones
# Read once: the umask can only be read by setting it, which would race with other threads later.
_UMASK = os.umask(0)
os.umask(_UMASK)


class WriteError(UserError):
    """A file or folder cannot be written."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], make_parents: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds, remove it otherwise.

    The temporary name keeps the suffix, because writers (numpy, OpenCV, ffmpeg) derive the format from it. It is unique:
    several processes may write the same file, and the last complete one stays. make_parents: make missing folders. Raises
    WriteError naming the path, also for an OSError of the block, which should do nothing but write.
    """
    path = Path(path)
    if os.path.isdir(path):  # "" is the current folder
        raise WriteError(f"{path}: is a folder; name a file in it")
    try:
        if make_parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_temporary_prefix(path), suffix=path.suffix[-_SUFFIX:])
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise WriteError(f"{path}: cannot be written ({cause_of_writing(error)})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({cause_of_writing(error)}); what was there before is kept") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _temporary_prefix(path: Path) -> str:
    """Hidden, and short: together with the random part a long name would be too long for the file system."""
    return f".{path.stem[:_STEM]}."


def cause_of_writing(error: Exception) -> str:
    """Why something could not be written, as the system says it."""
    return getattr(error, "strerror", None) or cause(error)


def remove_leftovers(*paths: Path) -> None:
    """Remove the temporary files of these paths, which a process that was killed has left. Only with a lock on the folder."""
    for path in paths:
        pattern = f"{glob.escape(_temporary_prefix(path))}{'?' * _RANDOM}{glob.escape(path.suffix[-_SUFFIX:])}"
        for left in path.parent.glob(pattern):
            with contextlib.suppress(OSError):
                left.unlink()


@contextlib.contextmanager
def deferring_interrupts() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the block has ended. For brief work that must not be left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[int, FrameType | None]] = []
    before = {
        number: signal.signal(number, lambda *arguments: received.append(arguments))
        for number in (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if sys.platform != "win32" else ()))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for first, frame in received[:1]:
        if callable(handler := before[signal.Signals(first)]):
            handler(first, frame)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, a file .lock in it that stays there; not on Windows, which has no such locks.

    Raises UserError when another process holds it, WriteError when the lock file cannot be opened.
    """
    if sys.platform == "win32":
        yield
        return
    path = folder / LOCK_NAME
    try:
        # Never truncated, since it may be a file of the user's; nor may a link lead to one elsewhere.
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise WriteError(f"{path}: cannot be opened to lock the folder ({error.strerror})") from None
    try:
        _lock(lock, folder)
        # The file stays. If it were removed, a process that had opened it before would lock the removed file, while another
        # process locked a new one.
        yield
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{folder}: another run is at work there; wait for it to end, or choose another folder") from None
    except OSError as error:
        raise WriteError(f"{folder}: cannot be locked ({error.strerror})") from None


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, links to folders followed; files and folders whose names begin with "." are left out.

    Each folder is read only once, even if links lead to it, so that loops of links end. A path without links is preferred.
    """
    real = folder.resolve()
    seen = {_identity(place) for place in real.parents}
    pending = deque([folder])
    while pending:
        place = pending.popleft()
        if (identity := _identity(place)) in seen:
            continue
        seen.add(identity)
        for path in _entries(place):
            if path.is_file():
                yield path
            elif path.is_dir() and path.is_symlink():
                pending.append(path)
            elif path.is_dir():
                pending.appendleft(path)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _entries(folder: Path) -> list[Path]:
    """The visible entries of a folder, in name order; none where it may not be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except PermissionError:
        return []


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _DryRun(Exception):
    """Leaves `replacing` without replacing."""


def require_writable(*paths: str | os.PathLike[str] | None) -> None:
    """Raise WriteError if a file cannot be written. Called before long work, whose result would be lost. None is skipped."""
    for path in paths:
        if path is not None:
            with contextlib.suppress(_DryRun), replacing(path):
                raise _DryRun


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and missing parents. Raises WriteError naming it."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{path}: cannot be made a folder ({error.strerror})") from None
