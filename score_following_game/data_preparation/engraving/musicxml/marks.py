"""Repeats, endings and jumps of MusicXML, by <barline> and <sound>; the printed words are read from the MEI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.bar_marks import BarMarks

_SOUNDS = {
    "segno": "segno",
    "coda": "coda",
    "fine": "fine",
    "tocoda": "to_coda",
    "dacapo": "da_capo",
    "dalsegno": "dal_segno",
}
_MOST_TIMES = 16


def read_marks(parts: Sequence[Sequence[ElementTree.Element]]) -> tuple[BarMarks, ...]:
    """The marks of each bar. parts: the measures of each part; what one of them says is true of all."""
    marks = [BarMarks() for _ in range(max(map(len, parts)))]
    for measures in parts:
        for index, measure in enumerate(measures):
            marks[index] = _with_sounds(_with_repeats(marks[index], measure), measure)
    return _with_endings(marks, parts[0])


def _with_repeats(mark: BarMarks, measure: ElementTree.Element) -> BarMarks:
    if measure.find("barline[@location='middle']/repeat") is not None:
        mark = replace(mark, within=True)
    for repeat in measure.iterfind("barline/repeat"):
        if repeat.get("direction") == "forward":
            mark = replace(mark, repeat_start=True)
        elif repeat.get("direction") == "backward":
            times = repeat.get("times", "2")
            mark = replace(mark, repeat_end=min(max(int(times), 2), _MOST_TIMES) if times.isdecimal() else 2)
    return mark


def _with_sounds(mark: BarMarks, measure: ElementTree.Element) -> BarMarks:
    for sound in measure.iter("sound"):
        said = {field: True for name, field in _SOUNDS.items() if sound.get(name, "no") != "no"}
        mark = replace(mark, **said)  # type: ignore[arg-type]
    return mark


def _with_endings(marks: list[BarMarks], measures: Sequence[ElementTree.Element]) -> tuple[BarMarks, ...]:
    open_ending: tuple[int, ...] = ()
    for index, measure in enumerate(measures):
        endings = measure.findall("barline/ending")
        for ending in endings:
            if ending.get("type") == "start":
                numbers = _numbers(ending.text or "") or _numbers(ending.get("number", ""))  # what is printed counts
                open_ending = tuple(sorted(numbers)) or (1,)
        marks[index] = replace(marks[index], ending=open_ending)
        if any(ending.get("type") in ("stop", "discontinue") for ending in endings):
            open_ending = ()
    return tuple(marks)


def _numbers(text: str) -> set[int]:
    """The numbers in "1. 2." or "1.-3."."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:\.?\s*[-–]\s*(\d{1,2}))?", text):
        found.update(range(int(first), int(last or first) + 1))
    return {number for number in found if 0 < number <= _MOST_TIMES}
