"""The error that leaves a piece out of a data set."""

from __future__ import annotations

STAVES = "wrong number of staves"  # the most common reason, and one that users can do something about


class EngravingError(Exception):
    """The piece cannot be used. `reason` is a short category for counting; `detail` describes this case."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
