"""The boundary that every reader of files passes: whatever goes wrong behind it becomes one UserError with file and cause."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from score_following_game import limits
from score_following_game.errors import UserError, cause


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], problem: str, remedy: str = "") -> Iterator[None]:
    """Turn every exception of the block into a UserError: PATH: PROBLEM (CAUSE); REMEDY.

    Libraries raise exceptions of many types for a damaged or hostile file, so no list of them is complete. UserErrors pass.
    problem: such as "cannot be read as MIDI".
    """
    remedy = f"; {remedy}" if remedy else ""
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except MemoryError:
        raise UserError(f"{path}: {problem} (it needs more memory than there is){remedy}") from None
    except OSError as error:
        reason = error.strerror or cause(error)
        raise UserError(
            f"{path}: cannot be read ({reason})" if error.errno else f"{path}: {problem} ({reason}){remedy}"
        ) from None
    except limits.TooLarge as error:
        raise UserError(f"{path}: {error}") from None
    except Exception as error:
        raise UserError(f"{path}: {problem} ({cause(error)}){remedy}") from None


def read_bytes(path: str | os.PathLike[str], largest: int) -> bytes:
    """The content of a file. Raises OSError, and TooLarge for more than `largest` bytes."""
    with open(path, "rb") as stream:
        data = stream.read(largest + 1)
    if len(data) > largest:
        limits.require_at_most(os.path.getsize(path), largest, "bytes")
    return data


def read_json(path: Path) -> Any:
    """The value in a JSON file. Raises UserError naming the file when it cannot be read or holds no JSON."""
    with reading(path, "not JSON"):
        return json.loads(read_bytes(path, limits.TABLE_FILE))
