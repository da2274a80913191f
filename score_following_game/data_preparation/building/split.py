"""The split into train, valid and test sets: determined by the music itself or given in a file."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from score_following_game.errors import UserError, counted
from score_following_game.yaml_files import read_table

SETS = ("train", "valid", "test")
_EXPECTED = (
    "expected numbers of pieces like 187/63/46 or shares like 0.8/0.1/0.1 (train/valid/test), or a YAML or JSON file with "
    "the piece names of each set"
)


@dataclass(frozen=True)
class Split:
    """Sizes of train, valid and test: numbers of pieces if `counts`, otherwise shares of all pieces."""

    sizes: tuple[float, float, float]
    counts: bool

    def __str__(self) -> str:
        return "/".join(f"{size:g}" if self.counts or size % 1 else f"{size:.1f}" for size in self.sizes)

    def as_shares(self) -> Split:
        """The same proportions, as shares of all pieces."""
        train, valid, test = self.sizes
        total = sum(self.sizes)
        return Split((train / total, valid / total, test / total), counts=False)


@dataclass(frozen=True)
class GivenSplit:
    """A split read from a file. sets: piece name -> "train", "valid" or "test".  origin: the file's name."""

    sets: dict[str, str]
    origin: str

    def __str__(self) -> str:
        return self.origin


def parse_split(rule: str) -> Split | GivenSplit:
    """Parse the --split option: "187/63/46" (numbers of pieces), "0.8/0.1/0.1" (shares) or the path of a file.

    Raises UserError for anything else.
    """
    with contextlib.suppress(OSError, ValueError):  # a rule that cannot be a path: too long, or with a NUL
        if Path(rule).is_file():
            return read_split(Path(rule))
    if rule.lower().endswith((".yaml", ".yml", ".json")):
        raise UserError(f"--split {rule}: no such file")
    try:
        train, valid, test = map(float, rule.split("/"))
    except ValueError:
        raise UserError(f"--split {rule}: {_EXPECTED}") from None
    sizes = (train, valid, test)
    counts = "." not in rule
    if not all(0 <= size < float("inf") for size in sizes) or not sum(sizes):
        raise UserError(f"--split {rule}: {_EXPECTED}")
    if not counts and sum(sizes) > 1 + 1e-9:
        raise UserError(f"--split {rule}: the shares sum to {sum(sizes):g}, more than 1")
    return Split(sizes, counts)


def read_split(path: Path) -> GivenSplit:
    """Read a YAML or JSON file with the keys train, valid and test (lists of piece names), at the top or under `split`.

    Raises UserError for other content, and when a piece is named twice.
    """
    content = read_table(path)
    content = content.get("split", content)
    if not isinstance(content, dict) or not all(
        isinstance(content.get(part), list) and all(isinstance(name, str) for name in content[part]) for part in SETS
    ):
        raise UserError(f"{path}: expected the keys train, valid and test, each with a list of piece names")
    sets = {name: part for part in SETS for name in content[part]}
    if len(sets) < sum(len(content[part]) for part in SETS):
        raise UserError(f"{path}: a piece is named twice")
    return GivenSplit(sets, path.name)


def assign(split: Split, works: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Map pieces to "train", "valid" or "test". Pieces beyond the sizes of the split are left out of the result.

    works: SHA-256 digest of a melody -> the pieces of one work, which go to one set. In the order of the digests, the first
    works go to train, the next to valid, the next to test; a work on a border goes where its middle is. The result therefore
    depends only on the melodies and works, not on names or the order of files.

    Raises UserError when the split needs more pieces than there are.
    """
    total = sum(map(len, works.values()))
    if split.counts:
        if sum(split.sizes) > total:
            raise UserError(
                f"--split needs {counted(int(sum(split.sizes)), 'piece')}, found: {total}; "
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
