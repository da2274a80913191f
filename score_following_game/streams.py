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


class Output(io.TextIOBase):
    """A standard stream whose failure is not an exception in whoever prints.

    At the first failure the stream is lost: what is printed from then on goes nowhere. If `stops`, the script is asked to end
    as by SIGTERM, so that a training run saves first. A handler of a signal may print, too.
    """

    def __init__(self, stream: Any, stops: bool) -> None:
        self._stream, self.stops = stream, stops
        self.failure: OSError | None = None
        self._writer = 0  # the thread that is writing
        self._later = ""  # printed by a handler of a signal while its thread was writing
        with contextlib.suppress(AttributeError, ValueError, io.UnsupportedOperation):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self._writer == threading.get_ident():
            self._later += text
            return len(text)
        return self._attempt(lambda: self._stream.write(text)) or len(text)

    def flush(self) -> None:
        if self._writer != threading.get_ident():
            self._attempt(self._stream.flush)

    def release(self) -> None:
        """For handlers of signals: raise Unread, which ends the write, if this thread waits in one for a reader."""
        if self._writer == threading.get_ident() and not select.select([], [self._stream], [], 0)[1]:
            raise Unread

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
            self._writer = threading.get_ident()
            result = action()
            if self._later:
                self._stream.write(self._later)
                self._stream.flush()
            return result
        except (OSError, ValueError) as error:  # ValueError: closed meanwhile
            self.failure = error if isinstance(error, OSError) else OSError(errno.EBADF, os.strerror(errno.EBADF))
            with contextlib.suppress(OSError, ValueError):  # what the stream still holds is written there when Python ends
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
            if self.stops and not isinstance(error, Unread):  # which comes of a signal
                signal.raise_signal(signal.SIGTERM)
            return None
        finally:
            self._writer, self._later = 0, ""


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
