"""When two pieces are one work: digests of a melody and of its fragments, the same in every key."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote

FRAGMENT_STEPS = 6  # a fragment: this many steps from note to note (interval and time)
SAME_WORK = 0.3  # share of the fragments of the piece that has fewer
_LOOKED_AT = 300  # notes


def melody_key(notes: Sequence[PlayedNote]) -> str:
    """SHA-256 of all pitches and onsets, relative to the first note."""
    first = notes[0]
    rows = (f"{note.pitch - first.pitch} {note.onset - first.onset}" for note in notes)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def fragments(notes: Sequence[PlayedNote]) -> str:
    """The distinct fragments of the first notes, eight hexadecimal digits each, sorted, in one string."""
    notes = notes[:_LOOKED_AT]
    steps = [f"{b.pitch - a.pitch} {b.onset - a.onset}" for a, b in pairwise(notes)]
    texts = {";".join(steps[i : i + FRAGMENT_STEPS]) for i in range(max(1, len(steps) - FRAGMENT_STEPS + 1))}
    return "".join(sorted(hashlib.sha256(text.encode()).hexdigest()[:8] for text in texts))


def variants(pieces: Iterable[tuple[str, str]]) -> dict[str, str]:
    """(name, fragments) of pieces, in order -> name of each piece that varies an earlier kept one, and that one's name.

    A piece is a variant where it shares more than SAME_WORK of the fragments of the one that has fewer. In the Nottingham
    collection the pairs above it are settings of one tune; unrelated tunes share up to about a fifth.
    """
    holders: dict[str, list[str]] = defaultdict(list)
    sizes: dict[str, int] = {}
    found: dict[str, str] = {}
    for name, text in pieces:
        own = {text[i : i + 8] for i in range(0, len(text), 8)}
        common = Counter(holder for fragment in own for holder in holders[fragment])
        shares = {holder: count / min(len(own), sizes[holder]) for holder, count in common.items()}
        closest = max(shares, key=lambda holder: (shares[holder], holder), default=None)
        if closest is not None and shares[closest] > SAME_WORK:
            found[name] = closest
            continue
        sizes[name] = len(own)
        for fragment in own:
            holders[fragment].append(name)
    return found
