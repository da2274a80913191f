"""Repeats, endings and jumps of MusicXML, by <barline>, <sound> and printed words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.bar_marks import REPEAT_WITHIN, BarMarks
from score_following_game.data_preparation.engraving.jump_signs import (
    GLYPHS,
    SIGNS,
    Onsets,
    goal_of_words,
    put_sign,
    sign_of_words,
    times_of_words,
    with_to_coda,
)
from score_following_game.data_preparation.engraving.musicxml.document import sounds_of
from score_following_game.data_preparation.engraving.musicxml.values import decimal
from score_following_game.data_preparation.engraving.read_bar import ReadBar

_SOUNDS = {**SIGNS, "forward-repeat": "repeat_start"}  # the latter without a printed sign
_MOST_TIMES = 16

Element = ElementTree.Element


def read_marks(
    parts: Sequence[Sequence[Element]], bars: Sequence[ReadBar], signs: Sequence[Sequence[PlacedSign]]
) -> tuple[BarMarks, ...]:
    """The marks of each bar. parts: the measures of each part; what one of them says is true of all.  signs: of each bar."""
    marks = [BarMarks() for _ in bars]
    for measures in parts:
        for index, measure in enumerate(measures):
            for barline in measure.findall("barline"):
                _put_repeats(marks, index, barline)
            times = max((times_of_words(_words(direction)) for direction in measure.findall("direction")), default=0)
            marks[index] = replace(marks[index], times=max(times, marks[index].times))
            if any(element.get("time-only") for tag in ("note", "sound") for element in measure.iter(tag)):
                marks[index] = replace(marks[index], unclear="notes or jumps of single repetitions (time-only)")
    for index, (bar, placed) in enumerate(zip(bars, signs)):
        onsets = Onsets.of(bar)
        for sign in placed:
            put_sign(marks, index, sign.sign, onsets, sign.positions(onsets), sign.attached, sign.until)
    endings = [_endings(measures) for measures in parts]
    return tuple(
        replace(mark, ending=next((own[index] for own in endings if index < len(own) and own[index]), ()))
        for index, mark in enumerate(with_to_coda(marks))
    )


@dataclass(frozen=True)
class PlacedSign:
    """A jump or its sign. sign: field of BarMarks.  written: quarters after the start of the bar.

    offset: from there to the place at which it is printed.  sounds: a <sound> says it, which follows the last note that is
    played.  until: as in BarMarks.
    """

    sign: str
    written: Fraction
    offset: Fraction = Fraction(0)
    sounds: bool = True
    until: str = ""

    @property
    def attached(self) -> bool:
        """Whether it belongs to the note at its position: the printed word "fine" stands above the last note."""
        return self.sign == "fine" and not self.sounds

    def positions(self, onsets: Onsets) -> list[Fraction]:
        """The positions that may be meant, the likelier first.

        A text printed to the left of its position ends there. One printed to the right belongs to where it is printed, and to
        its position only if no note or rest begins between the two.
        """
        printed = self.written + self.offset
        if self.offset <= 0:
            return [self.written, printed] if self.offset else [self.written]
        return [printed] if any(self.written < onset <= printed for onset in onsets.all) else [printed, self.written]


def signs_at(barline: Element, now: Fraction, length: Fraction) -> list[PlacedSign]:
    """The signs at a <barline> in a bar of this length. now: quarters after the start of the bar."""
    place = {"left": Fraction(0), "middle": now}.get(barline.get("location", "right"), length)
    return [PlacedSign(sign, place) for sign in ("segno", "coda") if barline.get(sign) or barline.find(sign) is not None]


def signs_of(element: Element, now: Fraction, divisions: Fraction) -> list[PlacedSign]:
    """The jumps and signs of a <direction> or <sound>. now: quarters after the start of the bar.

    divisions: of a quarter, in which offsets are counted. What a <sound> says counts more than the words and signs beside it.
    """
    sounds = sounds_of(element)
    said = [sign for sound in sounds for name, sign in _SOUNDS.items() if sound.get(name, "no") != "no"]
    sounding = bool(said)
    said = said or [sign for sign in (_printed(element),) if sign]
    offset = next((text for sound in sounds if (text := sound.findtext("offset"))), element.findtext("offset")) or "0"
    until = goal_of_words(_words(element))
    return [PlacedSign(sign, now, (decimal(offset.strip()) or Fraction(0)) / divisions, sounding, until) for sign in said]


def _printed(direction: Element) -> str | None:
    """What the words of a direction say, or else its sign."""
    glyphs = (GLYPHS.get((symbol.text or "").strip()) for symbol in direction.iterfind("direction-type/symbol"))
    signs = (sign for sign in ("segno", "coda") if direction.find(f"direction-type/{sign}") is not None)
    return sign_of_words(_words(direction)) or next(filter(None, (*signs, *glyphs)), None)


def _words(direction: Element) -> str:
    return " ".join(word.text or "" for word in direction.iterfind("direction-type/words"))


def _put_repeats(marks: list[BarMarks], index: int, barline: Element) -> None:
    place = barline.get("location", "right")
    if place == "middle" and (barline.find("repeat") is not None or barline.find("ending") is not None):
        marks[index] = replace(marks[index], unclear=REPEAT_WITHIN)
    for repeat in barline.findall("repeat"):
        if repeat.get("direction") == "forward":
            bar = min(index + (place == "right"), len(marks) - 1)
            marks[bar] = replace(marks[bar], repeat_start=True)
        elif repeat.get("direction") == "backward":
            bar = max(index - (place == "left"), 0)
            times = repeat.get("times", "2")
            count = min(max(int(times), 2), _MOST_TIMES) if times.isdecimal() else 2
            marks[bar] = replace(marks[bar], repeat_end=count)
        if repeat.get("after-jump") == "yes":
            marks[index] = replace(marks[index], unclear="a repeat that is played again after a jump")


def _endings(measures: Sequence[Element]) -> list[tuple[int, ...]]:
    """The numbers of the ending that each of the measures of a part is in, () outside."""
    found: list[tuple[int, ...]] = []
    open_ending: tuple[int, ...] = ()
    for measure in measures:
        endings = measure.findall("barline/ending")
        for ending in endings:
            if ending.get("type") == "start":
                numbers = _numbers(ending.text or "") or _numbers(ending.get("number", ""))  # what is printed counts
                open_ending = tuple(sorted(numbers)) or (1,)
        found.append(open_ending)
        if any(ending.get("type") in ("stop", "discontinue") for ending in endings):
            open_ending = ()
    return found


def _numbers(text: str) -> set[int]:
    """The numbers in "1. 2." or "1.-3."."""
    found: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:\.?\s*[-–]\s*(\d{1,2}))?", text):
        found.update(range(int(first), int(last or first) + 1))
    return {number for number in found if 0 < number <= _MOST_TIMES}
