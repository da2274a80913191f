"""Names of pieces, derived from titles and file names."""

from __future__ import annotations

import re

from anyascii import anyascii


def slug(text: str) -> str:
    """The runs of letters and digits of a title in Latin letters without accents, joined by underscores; may be empty."""
    return re.sub(r"[^A-Za-z0-9]+", "_", anyascii(text).replace("'", "")).strip("_")
