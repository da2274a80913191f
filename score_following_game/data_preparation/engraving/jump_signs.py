"""Signs and words for jumps: what they say, and which bar they belong to.

Bars are laid down whole. A sign at the bar line before or after a bar belongs to that bar line; what stands between the
notes of a bar gives no clear order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.read_bar import ReadBar

SIGNS = {"segno": "segno", "coda": "coda", "fine": "fine", "dacapo": "da_capo", "dalsegno": "dal_segno", "tocoda": "to_coda"}
GLYPHS = {"segno": "segno", "segnoSerpent1": "segno", "coda": "coda", "U+E047": "segno", "U+E048": "coda"}
_CHARACTERS = {"\ue047": "segno", "\U0001d10b": "segno", "\ue048": "coda", "\U0001d10c": "coda"}
_JUMPS = (  # first match counts; other words may follow
    (r"d\.? ?c\.?(?![a-z])|da ?capo", "da_capo"),
    (r"d\.? ?s\.?(?![a-z])|dal ?segno", "dal_segno"),
    (r"(al|to) ?coda", "to_coda"),
)
_PLACES = ("fine", "coda", "segno")
_UNTIL = re.compile(r"fine?\b|coda\b|\ue048|\U0001d10c")  # what the words of a jump may name as the place to which one plays
# What may follow a place, besides signs: a number, the time at which it counts, or a jump. "Fine and light" is no end.
_TAIL = re.compile(
    r"[\W_]*(?:\d+|[ivx]+)?[\W_]*|\W*[(\[].*|\W+(?:on |at )?(?:the )?(?:\w+ (?:time|x|verse|repeat)|repeat|[\w ]+ volta)\b.*"
    rf"|\W+(?:{'|'.join(words for words, _ in _JUMPS)})(?![a-z]).*"
)
_COUNTS = {"two": 2, "twice": 2, "three": 3, "thrice": 3, "four": 4, "five": 5, "six": 6}
_NUMBER = rf"\d{{1,2}}|{'|'.join(_COUNTS)}"
_TIMES = re.compile(
    r"[\W_]*(?:(?:play|repeat|sing)\w*\W+)?"
    rf"(?:[x\u00d7]\W?(\d{{1,2}})|({_NUMBER})\W?(?:[x\u00d7]|times?)|(twice|thrice))"
    r"(?:\W+(?:in all|altogether|in total))?[\W_]*"
)
JUMPS = ("da_capo", "dal_segno")
GOALS = ("segno", "coda", "repeat_start")  # one jumps to them; all others end what is played
_NAMES = {"da_capo": "da capo", "dal_segno": "dal segno", "to_coda": "to coda", "repeat_start": "a repeat"}
_BEFORE, _AFTER, _WITHIN = "before", "after", "within"
_NEAR = Fraction(1, 50)  # quarters; a position given in decimals is meant to be that of the note


@dataclass(frozen=True)
class Onsets:
    """Quarters from the start of a bar at which its notes and rests begin, and those at which notes are struck."""

    all: tuple[Fraction, ...]
    struck: tuple[Fraction, ...]

    @classmethod
    def of(cls, bar: ReadBar) -> Onsets:
        struck = {note.onset for note in bar.notes if note.pitch is not None and not note.tied_to}
        return cls(tuple(sorted({note.onset for note in bar.notes})), tuple(sorted(struck)))


def sign_of_words(text: str) -> str | None:
    """The field of BarMarks that a text stands for; None for other words."""
    text = " ".join(text.lower().split())
    if text in _CHARACTERS:
        return _CHARACTERS[text]
    jump = next((sign for words, sign in _JUMPS if re.match(rf"(?:{words})(?![a-z])", text)), None)
    places = (place for place in _PLACES if text.startswith(place) and _TAIL.fullmatch(text, len(place)))
    return jump or next(places, None)


def goal_of_words(text: str) -> str:
    """Where one plays to after a jump back, if its words name it as "D.C. al Fine" does: "fine", "coda" or ""."""
    text = " ".join(text.lower().split())
    named = _UNTIL.search(text) if sign_of_words(text) in JUMPS else None
    return "" if named is None else "fine" if named[0].startswith("fin") else "coda"


def times_of_words(text: str) -> int:
    """How often a passage is played by a text such as "x3", "3x" or "play three times"; 0 for other words."""
    found = _TIMES.fullmatch(" ".join(text.lower().split()))
    number = next(filter(None, found.groups()), "") if found else ""
    return _COUNTS.get(number) or int(number or 0)


def put_sign(
    marks: list[BarMarks],
    bar: int,
    sign: str,
    onsets: Onsets,
    positions: Iterable[Fraction],
    attached: bool = False,
    until: str = "",
) -> None:
    """Mark the bar that a sign belongs to, or that the order is unclear.

    positions: quarters after the start of the bar; the first that is not between notes counts. Without any, a goal stands at
    the start of the bar and the others at its end.  attached: the sign is written to the note that begins there.  until: as in
    BarMarks.
    """
    last = bar == len(marks) - 1
    sides = [_side(sign, position, onsets, attached, last) for position in positions]
    side = next((side for side in sides if side != _WITHIN), sides[0] if sides else _AFTER if sign not in GOALS else _BEFORE)
    if sign in GOALS and side == _AFTER:
        bar = min(bar + 1, len(marks) - 1)
    elif sign not in GOALS and side == _BEFORE:
        bar -= 1
    if side == _WITHIN or bar < 0:
        why = f"{_NAMES.get(sign, sign)} {'within the bar' if side == _WITHIN else 'before it'}; only whole bars are played"
        marks[max(bar, 0)] = replace(marks[max(bar, 0)], unclear=why)
        return
    found: dict[str, Any] = {sign: True, "until": until or marks[bar].until}
    marks[bar] = replace(marks[bar], **found)


def _side(sign: str, position: Fraction, onsets: Onsets, attached: bool, last: bool) -> str:
    """Whether a sign stands before a bar, after it or within it.

    What ends the music stands after the bar if no note is struck later in it. At the last note itself it may be meant before
    that note, if it is not attached to it. last: the bar is the last one; from there only its end is a place to go back.
    """
    if last and sign in JUMPS:
        return _AFTER
    position = next((onset for onset in onsets.all if abs(onset - position) < _NEAR), position)
    begins = not any(onset < position for onset in onsets.all)
    if sign in GOALS:
        return _BEFORE if begins else _WITHIN if any(onset >= position for onset in onsets.all) else _AFTER
    if not any(onset > position for onset in onsets.struck):
        return _AFTER if begins or position not in onsets.struck or attached or last else _WITHIN
    # A fine at the first note, or a jump that is attached to it, may end the music with that note.
    ends = sign == "fine" or (attached and sign in JUMPS)
    return _BEFORE if begins and not ends else _WITHIN


def with_to_coda(marks: Sequence[BarMarks]) -> list[BarMarks]:
    """Of several coda signs the first is where one leaves, if no words say where, or if they stand at it."""
    marks = list(marks)
    signs = [bar for bar, mark in enumerate(marks) if mark.coda]
    leave = [bar for bar, mark in enumerate(marks) if mark.to_coda]
    if len(signs) < 2 or not (not leave or {signs[0], signs[0] - 1} & {*leave}):
        return marks
    first = signs[0]
    marks[first] = replace(marks[first], coda=False)
    if first and not leave:
        marks[first - 1] = replace(marks[first - 1], to_coda=True)
    return marks
