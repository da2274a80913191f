"""Libraries that the plain installation leaves out: each belongs to an extra of pyproject.toml."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from score_following_game.errors import UserError


def missing_library(purpose: str, extra: str, *libraries: str) -> str:
    """Returns the line that names the first library that is not installed and its extra; '' when all are there."""
    for library in libraries:
        if library not in sys.modules and find_spec(library) is None:
            return f"{purpose} needs {library}, which is not installed; pip install 'score_following_game[{extra}]'"
    return ""


def require_libraries(purpose: str, extra: str, *libraries: str) -> None:
    """Raises UserError when one of the libraries is not installed."""
    if missing := missing_library(purpose, extra, *libraries):
        raise UserError(missing)
