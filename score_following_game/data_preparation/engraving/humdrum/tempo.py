"""The tempi that a Humdrum file states."""

from __future__ import annotations

import re

_MM = re.compile(r"\*MM(\d+(?:\.\d+)?)")
_NOTE = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "sixteenth": 0.25}  # quarters
_MARK = re.compile(
    rf"\[?({'|'.join(_NOTE)})(-dot)?\]?\s*=\s*(?:c\.|ca\.)?\s*(\d+(?:\.\d+)?)",
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
            note, dotted, speed = found.groups()
            if tempo := float(speed) * _NOTE[note] * (1.5 if dotted else 1.0):
                marks.append((number, tempo))
    return marks
