"""Names of pieces made of titles and file names."""

from __future__ import annotations

import re
import unicodedata


def slug(text: str) -> str:
    """Letters and digits of a title joined by underscores, accents gone."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "_", plain.replace("'", "")).strip("_")
