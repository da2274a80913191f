"""Why a piece is left out of a data set."""

from __future__ import annotations

STAVES = "wrong number of staves"  # the most common reason, which a user can do something about


class EngravingError(Exception):
    """A piece that is left out. `reason` is a short category to count by; the text gives the details."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
