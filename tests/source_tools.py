"""Tune books for tests."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"

SONG = "CDEF|GABc|{}cBA|GFED|C4|]"


def abc_tune(number: int, title: str = "", first: str = "c", key: str = "C", unit: str = "1/4") -> str:
    return f"X:{number}\nT:{title or f'Tune {number}'}\nM:none\nL:{unit}\nK:{key}\n{SONG.format(first)}\n\n"
