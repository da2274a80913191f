"""Reads repeats, endings and jumps from MEI, the file's own or that which verovio makes from other formats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
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
from score_following_game.data_preparation.engraving.mei.places import target
from score_following_game.data_preparation.engraving.mei.tree import name_of
from score_following_game.data_preparation.engraving.mei.values import decimal
from score_following_game.data_preparation.engraving.read_bar import ReadBar

_WORDS = ("repeatMark", "dir", "tempo")
_MOST = 64  # highest number of an ending

Element = ElementTree.Element


def marks_of(root: Element, bars: Sequence[ReadBar] | None, attached: bool = False) -> list[BarMarks]:
    """The marks of each measure in an element, in document order.

    bars: the reading of the same measures, None to leave out jumps and their signs.  attached: these belong to the notes at
    which they stand.
    """
    measures = list(_measures(root, ()))
    marks = [BarMarks(ending=ending) for _, ending in measures]
    for index, (measure, _) in enumerate(measures):
        left, right = measure.get("left"), measure.get("right")
        if left in ("rptstart", "rptboth"):
            marks[index] = replace(marks[index], repeat_start=True)
        if left in ("rptend", "rptboth") and index:
            marks[index - 1] = replace(marks[index - 1], repeat_end=2)
        if right in ("rptend", "rptboth"):
            marks[index] = replace(marks[index], repeat_end=2)
        if right in ("rptstart", "rptboth") and index + 1 < len(marks):
            marks[index + 1] = replace(marks[index + 1], repeat_start=True)
        if any(name_of(line) == "barLine" and (line.get("form") or "").startswith("rpt") for line in measure.iter()):
            marks[index] = replace(marks[index], unclear=REPEAT_WITHIN)
    if bars is None:
        return marks
    notes = _Notes(root, bars)
    for index, (measure, _) in enumerate(measures):
        texts = ("".join(element.itertext()) for element in measure if name_of(element) in _WORDS)
        marks[index] = replace(marks[index], times=max(map(times_of_words, texts), default=0))
        for sign, element in _signs(measure):
            _put(marks, index, sign, element, bars, notes, attached)
    return with_to_coda(marks)


def _measures(parent: Element, ending: tuple[int, ...]) -> Iterator[tuple[Element, tuple[int, ...]]]:
    """(measure, numbers of the ending it is in). An ending without a number follows the one before it."""
    previous = 0
    for child in parent:
        name = name_of(child)
        if name == "measure":
            previous = 0
            yield child, ending
        elif name == "ending":
            numbers = ending_numbers(child.get("n") or "") or (previous + 1,)
            previous = max(numbers)
            yield from _measures(child, numbers)
        elif name not in ("meiHead", "parts", "oStaff"):
            previous = 0 if name == "section" else previous
            yield from _measures(child, ending)


def ending_numbers(text: str) -> tuple[int, ...]:
    """The numbers of "1", "1, 2", "1.-3." and the like."""
    numbers: set[int] = set()
    for first, last in re.findall(r"([0-9]{1,4})(?:\.?\s*[-–]\s*([0-9]{1,4}))?", text):
        numbers.update(range(int(first), min(int(last or first), _MOST) + 1))
    return tuple(sorted(number for number in numbers if 0 < number <= _MOST))


def _signs(measure: Element) -> Iterator[tuple[str, Element]]:
    """(field of BarMarks, element) of the jumps and signs of a measure."""
    for element in measure:
        if name_of(element) not in _WORDS:
            continue
        sign = SIGNS.get((element.get("func") or "").lower()) or SIGNS.get((element.get("type") or "").lower())
        sign = sign or _by_glyph(element) or sign_of_words("".join(element.itertext()))
        if sign:
            yield sign, element


def _by_glyph(element: Element) -> str | None:
    glyphs = [part.get(key) or "" for part in element.iter() for key in ("glyph.name", "glyph.num")]
    return next((GLYPHS[glyph] for glyph in glyphs if glyph in GLYPHS), None)


class _Notes:
    """Where the notes of a score begin, by their ids or those of their chords."""

    def __init__(self, root: Element, bars: Sequence[ReadBar]) -> None:
        self.onsets = {note.id: (index, note.onset) for index, bar in enumerate(bars) for note in bar.notes}
        for chord in (element for element in root.iter() if name_of(element) == "chord"):
            first = next((self.onsets[note.get(ID, "")] for note in chord if note.get(ID, "") in self.onsets), None)
            if first is not None:
                self.onsets.setdefault(chord.get(ID, ""), first)


def _put(
    marks: list[BarMarks], index: int, sign: str, element: Element, bars: Sequence[ReadBar], notes: _Notes, near: bool
) -> None:
    """Mark the bar that a sign belongs to. near: a tstamp stands for the note that begins there."""
    name, beat = target(element, "startid"), decimal(element.get("tstamp"))
    positions: list[Fraction] = []
    if name in notes.onsets:
        index, onset = notes.onsets[name]
        positions, near = [onset], True
    elif beat is not None and not name:
        meter = bars[index].meter
        positions = [(Fraction(beat) - 1) * Fraction(4, meter[1] if meter else 4)]
    until = goal_of_words("".join(element.itertext()))
    put_sign(marks, index, sign, Onsets.of(bars[index]), positions, near or sign == "fine", until)
