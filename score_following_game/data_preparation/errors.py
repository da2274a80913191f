"""The error that leaves a piece out of a data set."""

from __future__ import annotations

STAVES = "wrong number of staves"  # the reason for which the report has advice


class EngravingError(Exception):
    """A piece has to be left out. reason: short category, for counting.  detail: what exactly is wrong."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
