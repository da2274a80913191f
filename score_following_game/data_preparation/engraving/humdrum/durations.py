"""Finds how long a **kern note without a duration lasts, by the spines beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from score_following_game.data_preparation.engraving.humdrum.spines import Row, Spine
from score_following_game.data_preparation.engraving.humdrum.tokens import METER, read_token

_MOST_DOTS = 2
_NUMBERED = re.compile(r"=(\d|=)")  # a bar line with a number, or the last one


def lacks_duration(token: str) -> bool:
    """Whether a token is of notes or rests that state no duration. Grace notes need none."""
    return bool(re.search(r"[a-gA-Gr]", token)) and not re.search(r"[\dq]", token)


def missing_duration(rows: Sequence[Row], place: int, spine: Spine) -> str | None:
    """The duration of the token of a spine in rows[place], as **kern writes it; None if no other spine tells it.

    It lasts until the next token of its spine or the bar line. Another spine that has a token at both ends says how long that
    is. Spines that contradict each other tell nothing. A rest that is alone in its bar lasts as long as the bar.
    """
    end = next((at for at in range(place + 1, len(rows)) if rows[at].is_barline or _token(rows[at], spine) != "."), None)
    if end is None:
        return None
    others = [other for _, token, other in rows[place].kern() if other is not spine and token != "."]
    found = {length for other in others if (length := _length(rows[place : end + 1], other)) is not None}
    if not found and _is_bar_of_rest(rows, place, end, spine):
        found = {meter} if (meter := _meter(rows[:place], spine)) else found
    return _written(found.pop()) if len(found) == 1 else None


def _is_bar_of_rest(rows: Sequence[Row], place: int, end: int, spine: Spine) -> bool:
    """Whether the token of a spine in rows[place] is a rest with nothing before it in its bar, which ends at rows[end].

    Both bar lines must have numbers: what is before the first one, or beside a repeat sign within a bar, is no whole bar.
    """
    first = next((at for at in range(place - 1, -1, -1) if rows[at].is_barline), None)
    if first is None or not all(_NUMBERED.match(rows[at].tokens[0]) for at in (first, end)):
        return False
    return all(_token(row, spine) == "." for row in rows[first + 1 : place]) and "r" in (_token(rows[place], spine) or "")


def _meter(rows: Sequence[Row], spine: Spine) -> Fraction | None:
    """Quarters of a bar, by the last time signature of a spine; None if it has none."""
    interpretations = (own for row in reversed(rows) if row.is_interpretation for own in row.kern())
    signs = (METER.match(token) for _, token, other in interpretations if other.origin == spine.origin)
    meter = next(filter(None, signs), None)
    return Fraction(4 * int(meter[1]), int(meter[2])) if meter else None


def _length(rows: Sequence[Row], spine: Spine) -> Fraction | None:
    """Quarters from the first to the last of the rows, by a spine that has a token in both."""
    tokens = [_token(row, spine) for row in rows if not row.is_interpretation]
    if None in tokens[:-1] or (tokens[-1] in (None, ".") and not rows[-1].is_barline):
        return None
    try:
        signs = [read_token(token)[0] for token in tokens[:-1] if token not in (None, ".")]
    except ValueError:
        return None
    return sum((sign.duration for sign in signs), Fraction(0)) or None


def _token(row: Row, spine: Spine) -> str | None:
    """The token of a spine in a row; "." in a row of interpretations, None if the row does not have the spine."""
    if row.is_interpretation:
        return "."
    return next((token for _, token, other in row.kern() if other is spine), None)


def _written(quarters: Fraction) -> str:
    for dots in range(_MOST_DOTS + 1):
        value = 4 * (2 - Fraction(1, 2**dots)) / quarters
        if value.denominator == 1:
            return f"{value}{'.' * dots}"
    return f"{(4 / quarters).numerator}%{(4 / quarters).denominator}"
