"""Notes that are not played: why, and how many of a piece there may be."""

from __future__ import annotations

from collections.abc import Iterable

# Why a note of the file is not played.
CUE = "cue note"  # another player's, printed small; it is no loss
UNPITCHED = "without a definite pitch"
MICROTONE = "microtone"
NO_PITCH = "pitch cannot be read"
NOT_MIDI = "pitch that MIDI does not have"
NO_DURATION = "without a duration"

MARK = "silent"  # @type of a note of the MEI that is drawn and not played
MOST_UNSHOWN = 0.05  # share of the notes that may be missing; one always may


class Unplayable(Exception):
    """A note that cannot be played. drawn: whether the engraver can draw it all the same."""

    def __init__(self, reason: str, drawn: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.drawn = reason, drawn


def too_many(missing: int, total: int) -> bool:
    """Whether more of the notes are missing than may be."""
    return missing > max(1, MOST_UNSHOWN * total)


# Noteheads of sounds without a definite pitch: knocks, strums, muted or silently pressed keys, clusters.
_WITHOUT_PITCH = {"x", "+", "cross", "circle-x", "slash", "slashed", "backslash", "back slashed", "diamond", "cluster"}
_WITHOUT_PITCH |= {"arrow up", "arrow down", "rhythm", "harmonic"}
_WITHOUT_PITCH |= {"xcircle", "harmonic-black", "harmonic-mixed"}
_GLYPHS = range(0xE0A6, 0xE0B4), range(0xE0CE, 0xE0F0), range(0xE100, 0xE140)  # SMuFL: crosses, slashes, diamonds, clusters


def is_without_pitch(heads: Iterable[str]) -> bool:
    """Whether a notehead is of a shape that stands for no definite pitch. heads: names in
    MusicXML, MEI, SMuFL ("U+E0A9"), ABC or LilyPond.
    """
    return any(_means_no_pitch(head.strip().lower()) for head in heads)


def _means_no_pitch(head: str) -> bool:
    code = head.removeprefix("u+").removeprefix("#x")
    try:
        return head in _WITHOUT_PITCH or (code != head and any(int(code, 16) in glyphs for glyphs in _GLYPHS))
    except ValueError:
        return False
