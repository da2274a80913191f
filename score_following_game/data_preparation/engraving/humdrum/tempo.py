"""The tempi that a Humdrum file states."""

from __future__ import annotations

import re

_MM = re.compile(r"\*MM(\d+(?:\.\d+)?)")
_NOTE = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "sixteenth": 0.25}  # quarters
_MARK = re.compile(
    rf"(?P<before>dotted[- ])?(?P<note>{'|'.join(_NOTE)})(?P<after>[- ]dot(?:ted)?)?(?:[- ]note)?\]?\s*=\s*(?:c\.|ca\.)?\s*"
    r"(?P<speed>\d+(?:\.\d+)?)",
)


def quarters_per_minute(interpretation: str) -> float | None:
    """The tempo of *MM120, None for any other interpretation."""
    found = _MM.fullmatch(interpretation)
    return float(found[1]) or None if found else None


def metronome_marks(lines: list[str]) -> list[tuple[int, float]]:
    """(line, quarters per minute) of each mark as in "!!!OMD: Allegro [quarter=120]"."""
    marks: list[tuple[int, float]] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("!!!OMD") and (found := _MARK.search(line)):
            dotted = 1.5 if found["before"] or found["after"] else 1.0
            if tempo := float(found["speed"]) * _NOTE[found["note"]] * dotted:
                marks.append((number, tempo))
    return marks
