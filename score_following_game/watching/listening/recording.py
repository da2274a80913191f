"""What was heard, as a file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from score_following_game.errors import UserError
from score_following_game.files import replacing, require_writable


def require_recordable(path: Path) -> None:
    """Raise UserError for a recording that cannot be written, before the music it is to keep."""
    if path.suffix.lower() != ".wav":
        raise UserError(f"--record {path}: expected a name that ends in .wav")
    require_writable(path)


@contextlib.contextmanager
def recording(path: Path, rate: int) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that adds samples, float (n,), to a 16-bit wav; what exceeds 1 is clipped.

    The file is complete when the block ends, however it ends. Raises WriteError.
    """
    import soundfile

    ended: BaseException | None = None
    with replacing(path) as temporary, soundfile.SoundFile(temporary, "w", rate, 1, "PCM_16", format="WAV") as file:
        try:
            yield file.write
        except BaseException as error:  # an hour of music is worth more than the reason why it was interrupted
            ended = error
    if ended is not None:
        raise ended
