"""The tempi that a Humdrum file states."""

from __future__ import annotations

import re

from score_following_game.data_preparation.engraving.tempo_marks import tempo_of_words

_NUMBER = r"\d+(?:\.\d*)?"
_MM = re.compile(rf"\*MM\s*=?\s*({_NUMBER})(?:\s*-\s*{_NUMBER})?")


def quarters_per_minute(interpretation: str) -> float | None:
    """The tempo of *MM120, *MM120-132 (the first number) or *MM[quarter=120], None for any other interpretation."""
    if found := _MM.fullmatch(interpretation):
        return float(found[1]) or None
    return tempo_of_words(interpretation.removeprefix("*MM")) if interpretation.startswith("*MM") else None


def metronome_marks(lines: list[str]) -> list[tuple[int, float]]:
    """(line, quarters per minute) of each mark as in "!!!OMD: Allegro [quarter=120]"."""
    marks: list[tuple[int, float]] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("!!!OMD") and (tempo := tempo_of_words(line)) is not None:
            marks.append((number, tempo))
    return marks
