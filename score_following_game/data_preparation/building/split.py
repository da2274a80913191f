"""Which pieces train, which validate, which test: fixed by the music itself, or given in a file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from score_following_game.config import read_yaml
from score_following_game.errors import UserError

SETS = ("train", "valid", "test")
_WANTED = (
    "wanted pieces like 187/63/46 or shares like 0.8/0.1/0.1, for train/valid/test, or a YAML or JSON file that lists "
    "the names of each"
)


@dataclass(frozen=True)
class Split:
    """Sizes of train, valid and test: pieces (`counts`) or shares of all pieces."""

    sizes: tuple[float, float, float]
    counts: bool

    def __str__(self) -> str:
        return "/".join(f"{size:g}" if self.counts or size % 1 else f"{size:.1f}" for size in self.sizes)


@dataclass(frozen=True)
class GivenSplit:
    """Piece name -> "train", "valid" or "test", as a file says."""

    sets: dict[str, str]
    origin: str

    def __str__(self) -> str:
        return self.origin


def parse_split(rule: str) -> Split | GivenSplit:
    """ "187/63/46" (whole numbers: pieces), "0.8/0.1/0.1" (shares of 1), or a file's name."""
    with contextlib.suppress(OSError, ValueError):  # too long for a name, or a NUL in it
        if Path(rule).is_file():
            return read_split(Path(rule))
    if rule.lower().endswith((".yaml", ".yml", ".json")):
        raise UserError(f"--split {rule}: no such file")
    parts = rule.split("/")
    try:
        sizes = tuple(float(part) for part in parts)
    except ValueError:
        raise UserError(f"--split {rule}: {_WANTED}") from None
    counts = "." not in rule
    if len(sizes) != 3 or not all(0 <= size < float("inf") for size in sizes) or not sum(sizes):
        raise UserError(f"--split {rule}: {_WANTED}")
    if not counts and sum(sizes) > 1 + 1e-9:
        raise UserError(f"--split {rule}: the shares sum to {sum(sizes):g}, more than 1")
    return Split(sizes, counts)


def read_split(path: Path) -> GivenSplit:
    """Keys train, valid and test, each a list of piece names, at the top or below a key `split`."""
    content = read_yaml(path)
    content = content.get("split", content)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(part), list) and all(isinstance(name, str) for name in content[part]) for part in SETS
    ):
        raise UserError(f"{path}: wanted keys train, valid and test, each with a list of piece names")
    sets = {name: part for part in SETS for name in content[part]}
    if len(sets) < sum(len(content[part]) for part in SETS):
        raise UserError(f"{path}: a piece is named twice")
    return GivenSplit(sets, path.name)


def assign(split: Split, works: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Piece -> "train", "valid" or "test"; a piece that is not in the answer is in none.

    works: key -> the pieces of one work, which go to one set. Keys are SHA-256 digests of melodies. In their order the first
    pieces go to train, the next to valid, the next to test (a work on a border goes where its middle is): the answer depends
    on the set of melodies and works and on nothing else, neither on names nor on the order of files.
    """
    total = sum(map(len, works.values()))
    if split.counts:
        if sum(split.sizes) > total:
            raise UserError(
                f"--split wants {sum(split.sizes):g} pieces and there are {total}; "
                "give smaller numbers, shares like 0.8/0.1/0.1, or more sources"
            )
        ends = [int(end) for end in accumulate(split.sizes)]
    else:
        ends = [round(end * total) for end in accumulate(split.sizes)]
    sets: dict[str, str] = {}
    begin = 0
    for key in sorted(works):
        middle = begin + len(works[key]) / 2
        begin += len(works[key])
        part = next((part for part, end in zip(SETS, ends) if middle <= end), None)
        if part is not None:
            sets |= dict.fromkeys(works[key], part)
    return sets
