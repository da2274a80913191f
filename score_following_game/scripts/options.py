"""Checks of options that the scripts share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from score_following_game.errors import UserError

Files = Mapping[str, str | Path | None]  # by option; None where the option is not given


def require_separate_files(outputs: Files, inputs: Files | None = None) -> None:
    """Raise UserError when writing one option's file would overwrite the file of another option.

    Different spellings of a path (relative, `..`, links) count as the same file.
    """
    used = {_real(path): option for option, path in (inputs or {}).items() if path is not None and os.path.isfile(path)}
    for option, path in outputs.items():
        if path is None:
            continue
        other = used.setdefault(_real(path), option)
        if other != option:
            raise UserError(f"{other} and {option} name the same file ({path}); choose another name for {option}")


def warn_without_effect(option: str, reason: str) -> None:
    """One line on stderr. reason: continues "--option has no effect ..."."""
    print(f"warning: {option} has no effect {reason}", file=sys.stderr, flush=True)


def _real(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))
