"""How names, times and the ends of games are written in pictures, plots and reports."""

from __future__ import annotations


def title(name: str) -> str:
    """A piece's name as people write it: with spaces, which file names do not have."""
    return " ".join(name.replace("_", " ").split()) or name


def clock(seconds: float) -> str:
    """Minutes, seconds and tenths. Rounded before it is divided, so that 59.96 becomes 1:00.0 and not 0:60.0."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def ending(finished: bool, lost: bool, seconds: float) -> str:
    """How a game ended. seconds: of the music that were played. Neither finished nor lost: the player left."""
    if finished:
        return "followed to the end"
    return f"{'lost' if lost else 'left'} at {clock(seconds)}"
