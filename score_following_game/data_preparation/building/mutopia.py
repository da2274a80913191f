"""Where the pieces of the MSMD, and Mutopia's other keyboard pieces, lie in Mutopia's own folders.

Mutopia: https://github.com/MutopiaProject/MutopiaProject, folder `ftp`.
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
    return {name_of(path): Listed(path) for paths in _listed()["msmd"].values() for path in paths}


def msmd_split() -> GivenSplit:
    """The MSMD's split, version 1.1."""
    sets = {name_of(path): part for part, paths in _listed()["msmd"].items() for path in paths}
    return GivenSplit(sets, "split v1.1 of the MSMD")


def other_pieces() -> dict[str, Listed]:
    """The other keyboard pieces by their names."""
    return {name_of(path): Listed(path, licence) for path, licence in _listed()["others"].items()}


def name_of(path: str) -> str:
    """COMPOSER__OPUS__BASE of a path."""
    composer, opus, *_, file = path.split("/")
    return f"{composer}__{opus}__{file.removesuffix('.ly')}"


def scores_in(folder: Path, pieces: dict[str, Listed]) -> Path | None:
    """The folder of the scores, which is `folder` or in it; None if none of the pieces is there."""
    places = (folder, folder / SCORES)
    return next((place for place in places if any((place / piece.path).is_file() for piece in pieces.values())), None)


@functools.cache
def _listed() -> dict[str, dict]:
    return json.loads(LIST.read_text(encoding="utf-8"))
