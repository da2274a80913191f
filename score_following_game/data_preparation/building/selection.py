"""Selection of the pieces of a data set and their assignment to train, valid and test, from the records alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from score_following_game.data_preparation.building.duplicates import variants
from score_following_game.data_preparation.building.records import Record
from score_following_game.data_preparation.building.sources import Source
from score_following_game.data_preparation.building.split import GivenSplit, Split, assign


@dataclass(frozen=True)
class LeftOut:
    """A source that did not become a piece of the data set."""

    name: str
    origin: str
    reason: str
    detail: str = ""


@dataclass
class Selection:
    """folders: piece -> folder inside the destination, "." without a split.
    related: piece -> a similar piece of another set; only for a given split.
    """

    folders: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    related: dict[str, str] = field(default_factory=dict)


def select(
    records: dict[str, Record],
    sources: dict[str, Source],
    name: str,
    split: Split | GivenSplit | None,
    seconds: tuple[float, float],
    chosen: Selection,
) -> None:
    """Fill `chosen` with the pieces to keep, their sets, and the pieces left out.

    It is an argument so that the pieces left out are known also after a UserError. seconds: shortest and longest length.

    Without a split all are kept. A given one is followed exactly; similar pieces in different sets are only reported. Otherwise
    no two sets share a tune: one piece of each melody is kept, of the settings of one tune the first by name, and the movements
    of a work stay together.
    """

    def leave_out(piece: str, reason: str, detail: str = "") -> None:
        chosen.left_out.append(LeftOut(piece, sources[piece].origin, reason, detail))

    kept: list[str] = []
    for piece in sorted(sources):
        facts = records[piece].facts
        if facts is None:
            leave_out(piece, records[piece].reason, records[piece].detail)
        elif not facts.notes and split is not None:
            leave_out(piece, "no notes", "pages can be followed, not trained or judged on: leave --split away")
        elif facts.held_out:
            leave_out(piece, "music of a validation or test piece of another set", facts.held_out)
        elif facts.seconds < seconds[0]:
            leave_out(piece, f"shorter than {seconds[0]:g} s", f"{facts.seconds:.1f} s")
        elif facts.seconds > seconds[1]:
            leave_out(piece, f"longer than {seconds[1]:g} s", f"{facts.seconds:.1f} s")
        else:
            kept.append(piece)
    if isinstance(split, GivenSplit):
        for piece in kept:
            if piece in split.sets:
                chosen.folders[piece] = f"{name}_{split.sets[piece]}"
            else:
                leave_out(piece, "not in the split", split.origin)
        chosen.related = {
            piece: other
            for piece, other in _variants(records, chosen.folders).items()
            if chosen.folders[piece] != chosen.folders[other]
        }
        return
    if split is None:
        chosen.folders = dict.fromkeys(kept, ".")
        return
    first: dict[str, str] = {}  # melody -> piece
    for piece in list(kept):
        if not records[piece].made.notes:
            continue
        if (other := first.setdefault(records[piece].made.melody, piece)) != piece:
            leave_out(piece, "same melody as another piece", other)
            kept.remove(piece)
    for piece, other in _variants(records, kept).items():
        leave_out(piece, "variant of another piece", other)
        kept.remove(piece)
    sets = assign(split, _works(records, sources, kept)) if kept else {}
    for piece in kept:
        if piece in sets:
            chosen.folders[piece] = f"{name}_{sets[piece]}"
        else:
            leave_out(piece, "not needed by --split")


def _variants(records: dict[str, Record], pieces: Iterable[str]) -> dict[str, str]:
    return variants((piece, records[piece].made.fragments) for piece in pieces)


def _works(records: dict[str, Record], sources: dict[str, Source], pieces: list[str]) -> dict[str, list[str]]:
    """The pieces of each work. A work's key is the smallest of its melody digests."""
    works: dict[str, list[str]] = defaultdict(list)
    for piece in pieces:
        works[sources[piece].work or records[piece].made.melody].append(piece)
    return {min(records[piece].made.melody for piece in members): members for members in works.values()}
