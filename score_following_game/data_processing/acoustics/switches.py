"""The kinds of variety in renditions, by name."""

from __future__ import annotations

from score_following_game.errors import UserError

SWITCHES = ("timing", "instruments", "tuning", "rooms", "gain", "noise", "coding", "sheets")
ALL = "all"


def parse_switches(text: str, where: str) -> frozenset[str]:
    """The switches in "all" or a list like "timing,rooms". Raises UserError, which begins with `where`, for unknown names."""
    names = frozenset(SWITCHES if text == ALL else (name.strip() for name in text.split(",")))
    if unknown := sorted(names - set(SWITCHES)):
        raise UserError(f"{where} {text}: unknown {', '.join(map(repr, unknown))}; known are {ALL}, or of {','.join(SWITCHES)}")
    return names
