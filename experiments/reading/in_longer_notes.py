"""Write tunes of ABC books again in notes that are longer by a factor, at the same speed, as in white notation.

    python experiments/reading/in_longer_notes.py 4 DATA_ROOT/score_following_game_data/folk/folk_train > longer.abc

The tunes are those of a prepared set, whose manifest names their sources. So none of its validation and test sets comes in,
and no variant of one. Only the fields L:, M: and Q: change; a tune whose fields cannot be scaled is left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

ORIGIN = re.compile(r"(?P<book>.+\.abc) X:(?P<number>\d+)")
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


def tunes_of(data_set: Path) -> Iterator[str]:
    """The ABC texts of the pieces of a prepared set."""
    listed = json.loads((data_set.parent / "prepared.json").read_text(encoding="utf-8"))["pieces"]
    for midi in sorted(data_set.glob("*.mid")):
        origin = ORIGIN.match(listed[midi.stem]["origin"])
        if origin is None:
            raise SystemExit(f"{midi.stem}: not from a tune book")
        yield _books(origin["book"])[origin["number"]]


@cache
def _books(book: str) -> dict[str, str]:
    """X: -> tune, of a book."""
    tunes = re.split(r"\n\s*\n", Path(book).read_text(encoding="utf-8", errors="replace"))
    return {found[1]: tune for tune in tunes if (found := re.search(r"^X:\s*(\d+)", tune, re.MULTILINE))}


def main() -> None:
    factor, data_set = int(sys.argv[1]), Path(sys.argv[2])
    tried = list(tunes_of(data_set))
    kept = [written for tune in tried if (written := longer(tune, factor)) is not None]
    for number, tune in enumerate(kept, 1):
        print(re.sub(r"^X:.*", f"X:{number}", tune.strip(), count=1, flags=re.MULTILINE) + "\n")
    print(f"{len(kept)} of {len(tried)} tunes", file=sys.stderr)


if __name__ == "__main__":
    main()
