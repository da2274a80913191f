"""Names of pieces, derived from titles and file names."""

from __future__ import annotations

import re
import unicodedata


def slug(text: str) -> str:
    """The runs of letters and digits of a title, without accents, joined by underscores; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain.replace("'", "")).strip("_")
