"""The error that leaves a piece out of a data set, and the boundary of readers that raise it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from score_following_game.errors import UserError, cause, printable

STAVES = "wrong number of staves"  # the most common reason, and one that users can do something about
UNREADABLE = "unreadable"
_LONGEST_DETAIL = 500  # characters


class EngravingError(Exception):
    """The piece cannot be used. `reason` is a short category for counting; `detail` describes this case, on one line."""

    def __init__(self, reason: str, detail: str = "") -> None:
        reason, detail = printable(reason, _LONGEST_DETAIL), printable(detail, _LONGEST_DETAIL)
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@contextlib.contextmanager
def leaving_out(reason: str, where: str = "") -> Iterator[None]:
    """Turn every exception of the block into an EngravingError: REASON, WHERE: CAUSE.

    A damaged or hostile file makes libraries raise exceptions of any type. EngravingErrors and a lack of memory pass.
    """
    try:
        yield
    except (EngravingError, MemoryError):
        raise
    except Exception as error:
        detail = str(error) if isinstance(error, UserError) else cause(error)
        raise EngravingError(reason, f"{where}: {detail}" if where else detail) from None
