"""Which of the engraved pieces make the data set, and which set each goes to: decided by their records alone."""

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
    """A source that became no piece."""

    name: str
    origin: str
    reason: str
    detail: str = ""


@dataclass
class Selection:
    """folders: piece -> folder inside the destination ("." where there is no split).  related: pieces of a given split that
    vary a piece of another set."""

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
    """Fill `chosen` (what was left out stands there also after a UserError): pieces within `seconds` (shortest, longest), one
    of each melody, split.

    A given split is followed to the letter, whatever is like what: what of that reaches over its borders is told. Else no set
    knows another's tunes: of settings of one tune the first by name stays, and movements of one work go together.
    """

    def leave_out(piece: str, reason: str, detail: str = "") -> None:
        chosen.left_out.append(LeftOut(piece, sources[piece].origin, reason, detail))

    kept: list[str] = []
    for piece in sorted(sources):
        facts = records[piece].facts
        if facts is None:
            leave_out(piece, records[piece].reason, records[piece].detail)
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
    first: dict[str, str] = {}  # melody -> piece
    for piece in list(kept):
        if (other := first.setdefault(records[piece].facts.melody, piece)) != piece:
            leave_out(piece, "same melody as another piece", other)
            kept.remove(piece)
    if split is None:
        chosen.folders = dict.fromkeys(kept, ".")
        return
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
    return variants((piece, records[piece].facts.fragments) for piece in pieces)


def _works(records: dict[str, Record], sources: dict[str, Source], pieces: list[str]) -> dict[str, list[str]]:
    """The pieces of each work, under the least of their melodies' digests."""
    works: dict[str, list[str]] = defaultdict(list)
    for piece in pieces:
        works[sources[piece].work or records[piece].facts.melody].append(piece)
    return {min(records[piece].facts.melody for piece in members): members for members in works.values()}
