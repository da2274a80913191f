"""Stopping on Ctrl-C at a point where everything can be saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from score_following_game.streams import release_streams


@contextmanager
def interruptible(announce: bool = True) -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C only makes the yielded function return True; the second one raises KeyboardInterrupt.

    announce: print a line at the first one. Outside the main thread, which receives no signals, nothing changes.
    """
    pressed: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def on_interrupt(number: int, frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)
        release_streams()
        if announce:
            print("\nStopping as soon as everything is saved; press Ctrl-C again to stop at once", flush=True)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
