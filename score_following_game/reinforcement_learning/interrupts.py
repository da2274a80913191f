"""Ctrl-C at a moment when everything can be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(tell: bool = True) -> Iterator[Callable[[], bool]]:
    """Within, the first Ctrl-C only makes the yielded function return True, and is told of; the second interrupts at once."""
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def note(number: int, frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        if tell:
            print("\nStopping as soon as all is saved; press Ctrl-C again to stop at once", flush=True)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
