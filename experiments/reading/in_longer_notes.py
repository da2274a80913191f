"""Write tunes of ABC books again in notes that are longer by a factor, at the same speed, as in white notation.

    python experiments/reading/in_longer_notes.py 4 tunes.abc ... > longer.abc

Only the fields L:, M: and Q: change; a tune whose fields cannot be scaled is left out.
"""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from pathlib import Path

FIELD = re.compile(r"^([LMQ]):\s*([^%\n]*?)\s*$|\[([LMQ]):\s*([^\]\n]*?)\s*\]", re.MULTILINE)
METERS = {"C": "4/4", "C|": "2/2"}


def longer(tune: str, factor: int) -> str | None:
    """The tune in longer notes; None where a field cannot be scaled."""
    meter = next((found[2] for found in re.finditer(r"^(M):\s*([^%\n]*?)\s*$", tune, re.MULTILINE)), None)
    try:
        if not re.search(r"^L:", tune, re.MULTILINE):
            beats = Fraction(METERS.get(meter or "4/4", meter or "4/4"))
            unit = "1/16" if beats < Fraction(3, 4) else "1/8"
            tune = re.sub(r"^K:", f"L:{unit}\nK:", tune, count=1, flags=re.MULTILINE)
        return FIELD.sub(lambda found: _scaled(found, factor), tune)
    except (ValueError, ZeroDivisionError):
        return None


def _scaled(found: re.Match[str], factor: int) -> str:
    name, value = (found[1], found[2]) if found[1] else (found[3], found[4])
    value = {"L": _length, "M": _meter, "Q": _tempo}[name](value, factor)
    return f"{name}:{value}" if found[1] else f"[{name}:{value}]"


def _length(value: str, factor: int) -> str:
    length = Fraction(value) * factor
    return f"{length.numerator}/{length.denominator}"


def _meter(value: str, factor: int) -> str:
    if value == "none":
        return value
    above, below = METERS.get(value, value).split("/")
    if int(below) % factor:
        raise ValueError(value)
    return f"{above}/{int(below) // factor}"


def _tempo(value: str, factor: int) -> str:
    beat, speed = value.split("=")
    return f"{_length(beat, factor)}={int(speed)}"


def main() -> None:
    factor, books = int(sys.argv[1]), sys.argv[2:]
    kept = tried = 0
    for book in books:
        for tune in re.split(r"\n\s*\n", Path(book).read_text(encoding="utf-8", errors="replace")):
            if not re.search(r"^X:", tune, re.MULTILINE):
                continue
            tried += 1
            if (written := longer(tune, factor)) is not None:
                kept += 1
                print(written.strip() + "\n")
    print(f"{kept} of {tried} tunes", file=sys.stderr)


if __name__ == "__main__":
    main()
