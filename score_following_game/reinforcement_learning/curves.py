"""TensorBoard's event file. tensorboardX's own writer works in a thread, which dies unseen when the disk is full."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event

from score_following_game.files import WriteError, cause_of_writing, make_folder


class Curves:
    """Writes curves and texts into a new event file in a folder. All methods raise WriteError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_folder(folder)
        with self._writing():
            self._writer = EventsWriter(str(folder / "events"))

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        self._add(summary.scalar(tag, value), step)

    def add_text(self, tag: str, text: str) -> None:
        self._add(summary.text(tag, text), 0)

    def flush(self) -> None:
        with self._writing():
            self._writer.flush()

    def close(self) -> None:
        with self._writing():
            self._writer.close()

    def _add(self, content: object, step: int) -> None:
        with self._writing():
            self._writer.write_event(Event(summary=content, wall_time=time.time(), step=step))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteError(f"{self._folder}: the TensorBoard log cannot be written ({cause_of_writing(error)})") from None
