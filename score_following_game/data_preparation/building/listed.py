"""What a file beside the scores of a collection says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from score_following_game.errors import UserError
from score_following_game.yaml_files import read_table


def list_in(folder: Path, file: str, key: str, entries: str) -> dict[str, Any]:
    """A mapping in a JSON file of a collection's folder; `key` names it, "" means the whole file."""
    listed = folder / file
    if not listed.is_file():
        raise UserError(
            f"{folder}: has neither the collection's scores as they are distributed nor the file {file}, which lists them; "
            "for a folder of scores of your own use the collection `folder`"
        )
    content = read_table(listed)
    found = content.get(key) if key else content
    if not isinstance(found, dict) or not found:
        raise UserError(f"{listed}: expected {f'a key {key} with ' if key else ''}entries {entries}")
    return found
