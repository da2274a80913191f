"""Where the pieces of the MSMD, and Mutopia's other keyboard pieces, lie in Mutopia's own folders.

Mutopia: https://github.com/MutopiaProject/MutopiaProject, folder `ftp`. A piece is named COMPOSER__OPUS__BASE after its path.
mutopia.json has the paths of the pieces of each set of the MSMD's split, and of the others with their licences.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import NamedTuple

from score_following_game.data_preparation.building.split import GivenSplit

LIST = Path(__file__).with_suffix(".json")
SCORES = "ftp"  # the folder of the scores in the repository


class Listed(NamedTuple):
    """A piece. path: of its main file, from the folder of the scores.  licence: "" where the score states it."""

    path: str
    licence: str = ""


def msmd_pieces() -> dict[str, Listed]:
    """The pieces of the MSMD by their names."""
    return {name: Listed(path) for pieces in _listed()["msmd"].values() for name, path in pieces.items()}


def msmd_split() -> GivenSplit:
    """The MSMD's split, version 1.1."""
    return GivenSplit({name: part for part, pieces in _listed()["msmd"].items() for name in pieces}, "split v1.1 of the MSMD")


def other_pieces() -> dict[str, Listed]:
    """The other keyboard pieces by their names."""
    return {name: Listed(path, licence) for name, (path, licence) in _listed()["others"].items()}


def scores_in(folder: Path, pieces: dict[str, Listed]) -> Path | None:
    """The folder of the scores, which is `folder` or in it; None if none of the pieces is there."""
    places = (folder, folder / SCORES)
    return next((place for place in places if any((place / piece.path).is_file() for piece in pieces.values())), None)


@functools.cache
def _listed() -> dict[str, dict]:
    return json.loads(LIST.read_text(encoding="utf-8"))
