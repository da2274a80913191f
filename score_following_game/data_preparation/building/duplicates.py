"""Detection of duplicate pieces by digests of the melody and of its fragments, which do not depend on the key."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from score_following_game.data_preparation.engraving.engraved_piece import PlayedNote

FRAGMENT_STEPS = 6  # steps from note to note (interval and time) in a fragment
SAME_WORK = 0.3  # share of common fragments, relative to the piece with fewer fragments
_LOOKED_AT = 300  # notes at the start of a piece


def melody_key(notes: Sequence[PlayedNote]) -> str:
    """SHA-256 of the pitches and onsets of all notes, relative to the first note."""
    first = notes[0]
    rows = (f"{note.pitch - first.pitch} {note.onset - first.onset}" for note in notes)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def fragments(notes: Sequence[PlayedNote], looked_at: int = _LOOKED_AT) -> str:
    """The distinct fragments of the first notes: a string of sorted digests of eight hexadecimal digits each."""
    notes = notes[:looked_at]
    steps = [f"{b.pitch - a.pitch} {b.onset - a.onset}" for a, b in pairwise(notes)]
    texts = {";".join(steps[i : i + FRAGMENT_STEPS]) for i in range(max(1, len(steps) - FRAGMENT_STEPS + 1))}
    return "".join(sorted(hashlib.sha256(text.encode()).hexdigest()[:8] for text in texts))


def split_fragments(text: str) -> set[str]:
    """The digests in a string of `fragments`."""
    return {text[place : place + 8] for place in range(0, len(text), 8)}


def variants(pieces: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each variant of an earlier piece to that piece. pieces: (name, fragments), in order of precedence.

    Two pieces are variants when their common fragments exceed the share SAME_WORK. In the Nottingham collection such pairs are
    settings of one tune; unrelated tunes share up to about a fifth of their fragments.
    """
    holders: dict[str, list[str]] = defaultdict(list)
    sizes: dict[str, int] = {}
    found: dict[str, str] = {}
    for name, text in pieces:
        own = split_fragments(text)
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
