"""The standard streams of a script, which may be closed, full, or unable to show a character."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


class Unread(OSError):
    """A write waits because nobody reads, for instance since the reader was stopped."""

    def __init__(self) -> None:
        super().__init__(errno.EAGAIN, "nobody reads it")


class _Thread(threading.local):
    """What a thread does with a stream. writes: it is in a write or flush.  later: what a handler of a signal printed then."""

    writes = False
    later = ""


class Output(io.TextIOBase):
    """A standard stream whose failure is not an exception in whoever prints.

    At the first failure the stream is lost: what is printed from then on goes nowhere. If `stops`, the script is asked to end
    as by SIGTERM, so that a training run saves first. A handler of a signal may print, too.
    """

    def __init__(self, stream: Any, stops: bool) -> None:
        self._stream, self.stops = stream, stops
        self.failure: OSError | None = None
        self._thread = _Thread()
        with contextlib.suppress(AttributeError, ValueError, io.UnsupportedOperation):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._thread.writes:
            self._thread.later += text
            return len(text)
        return self._attempt(lambda: self._stream.write(text)) or len(text)

    def flush(self) -> None:
        if not self._thread.writes:
            self._attempt(self._stream.flush)

    def release(self) -> None:
        """For handlers of signals: lose a stream that nobody reads. In a write of this thread raise Unread, which ends it."""
        if self.failure is not None or self._takes_more():
            return
        if self._thread.writes:
            raise Unread
        self._lose(Unread())

    def _takes_more(self) -> bool:
        try:
            return bool(select.select([], [self._stream], [], 0)[1])
        except (OSError, ValueError):  # closed, or of a kind that cannot be asked
            return True

    def isatty(self) -> bool:
        try:
            return bool(self.failure is None and self._stream.isatty())
        except ValueError:  # closed meanwhile
            return False

    def fileno(self) -> int:
        return int(self._stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def _attempt(self, action: Any) -> Any:
        if self.failure is not None:
            return None
        try:
            self._thread.writes = True
            result = action()
            if self._thread.later:
                self._stream.write(self._thread.later)
                self._stream.flush()
            return result
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            self._lose(error if isinstance(error, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF)))
        finally:
            self._thread.writes, self._thread.later = False, ""
        if self.stops and not isinstance(self.failure, Unread):  # which comes of a signal
            signal.raise_signal(signal.SIGTERM)
        return None

    def _lose(self, failure: OSError) -> None:
        self.failure = failure
        with contextlib.suppress(OSError, ValueError):  # what the stream still holds is written there when Python ends
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def release_streams() -> None:
    """For handlers of signals: end a write that waits for a reader, so that what the signal asks for can be done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Output):
            stream.release()


@contextlib.contextmanager
def guarded_streams() -> Iterator[Output]:
    """Within the block sys.stdout and sys.stderr are Outputs; a stream that is closed goes nowhere. Yields that of stdout."""
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w") as nowhere:
        output = Output(before[0] if before[0] is not None else nowhere, stops=True)
        sys.stdout, sys.stderr = output, Output(before[1] if before[1] is not None else nowhere, stops=False)
        try:
            yield output
        finally:
            output.stops = False
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr = before
