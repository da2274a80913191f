"""Writing files so that a reader never meets half of one, and telling them apart."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from score_following_game.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# Read once: the umask can only be read by setting it, which would race with other threads later.
_UMASK = os.umask(0)
os.umask(_UMASK)


class WriteError(UserError):
    """A file or folder that cannot be written."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it there when the block ends well, remove it otherwise.

    The temporary name keeps the suffix, since writers (numpy, OpenCV, ffmpeg) choose the format by it, and is unique:
    several processes may write one file, and the last one wins whole. Raises WriteError naming the path.
    """
    path = Path(path)
    if path.is_dir():  # "" counts as the present folder
        raise WriteError(f"{path}: is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def deferring_interrupts() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect when the block has ended. For work of a moment that must not be left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    before = {
        number: signal.signal(number, lambda *arguments: came.append(arguments)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number, frame in came[:1]:
        if callable(handler := before[number]):
            handler(number, frame)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """For one process at a time (where the system knows such locks). Raises UserError when another is in there."""
    if fcntl is None:
        yield
        return
    path = folder / ".lock"
    try:
        stream = path.open("w")
    except OSError as error:
        raise WriteError(f"{folder}: cannot be written to ({error.strerror})") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{folder}: another run is at work there; wait for its end, or take another destination") from None
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Tried(Exception):
    """Leaves `replacing` without replacing."""


def require_writable(*paths: str | os.PathLike[str] | None) -> None:
    """Raise WriteError now for a file that could not be written after long work; None stands for no file."""
    for path in paths:
        if path is not None:
            with contextlib.suppress(_Tried), replacing(path):
                raise _Tried


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it where they are missing. Raises WriteError naming it."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{path}: cannot be made a folder ({error.strerror})") from None
