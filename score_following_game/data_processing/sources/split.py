"""Which pieces train, which validate, which test: fixed by the music itself."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from score_following_game.errors import UserError

SETS = ("train", "valid", "test")


@dataclass(frozen=True)
class Split:
    """Sizes of train, valid and test: pieces (`counts`) or shares of all pieces."""

    sizes: tuple[float, float, float]
    counts: bool


def parse_split(rule: str) -> Split:
    """"187/63/46" (whole numbers: pieces) or "0.8/0.1/0.1" (shares of 1)."""
    wanted = "wanted pieces like 187/63/46 or shares like 0.8/0.1/0.1, for train/valid/test"
    parts = rule.split("/")
    try:
        sizes = tuple(float(part) for part in parts)
    except ValueError:
        raise UserError(f"--split {rule}: {wanted}") from None
    counts = "." not in rule
    if len(sizes) != 3 or not all(0 <= size < float("inf") for size in sizes) or not sum(sizes):
        raise UserError(f"--split {rule}: {wanted}")
    if not counts and sum(sizes) > 1 + 1e-9:
        raise UserError(f"--split {rule}: the shares sum to {sum(sizes):g}, more than 1")
    return Split(sizes, counts)


def assign(split: Split, keys: Iterable[str]) -> dict[str, str]:
    """Melody key -> "train", "valid" or "test"; a key that is not in the answer is in none.

    Keys are SHA-256 digests of the melodies. In their order the first go to train, the next to valid, the next to test: the
    answer depends on the set of melodies and on nothing else, neither on names nor on the order of files.
    """
    ranked = sorted(set(keys))
    if split.counts:
        if sum(split.sizes) > len(ranked):
            raise UserError(f"--split wants {sum(split.sizes):g} pieces and there are {len(ranked)}; "
                            "give smaller numbers, shares like 0.8/0.1/0.1, or more sources")
        ends = [int(end) for end in accumulate(split.sizes)]
    else:
        ends = [round(end * len(ranked)) for end in accumulate(split.sizes)]
    starts = [0, *ends[:-1]]
    return {key: name for name, start, end in zip(SETS, starts, ends) for key in ranked[start:end]}
