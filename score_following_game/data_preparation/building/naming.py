"""Names of pieces, derived from titles and file names."""

from __future__ import annotations

import re

from score_following_game.optional_libraries import require_libraries


def slug(text: str) -> str:
    """The runs of letters and digits of a title in Latin letters without accents, joined by underscores; may be empty."""
    require_libraries("naming a score", "prepare", "anyascii")
    from anyascii import anyascii

    return re.sub(r"[^A-Za-z0-9]+", "_", anyascii(text).replace("'", "")).strip("_")
