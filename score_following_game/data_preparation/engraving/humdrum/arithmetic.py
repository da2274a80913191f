"""Reads Humdrum by its own arithmetic (to be written)."""

from __future__ import annotations

from score_following_game.data_preparation.engraving.reading import Reading


def read_humdrum(text: str) -> tuple[str, Reading]:
    """Returns the text for the engraver and the reading."""
    raise NotImplementedError
