"""Reads repeats, endings and jumps from MEI, the file's own or that which verovio makes from other formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.mei.places import target
from score_following_game.data_preparation.engraving.mei.tree import name_of, parse
from score_following_game.data_preparation.engraving.mei.values import decimal

_SIGNS = {"segno": "segno", "coda": "coda", "fine": "fine", "dacapo": "da_capo", "dalsegno": "dal_segno", "tocoda": "to_coda"}
_GLYPHS = {"segno": "segno", "segnoSerpent1": "segno", "coda": "coda", "U+E047": "segno", "U+E048": "coda"}
_CHARACTERS = {"\ue047": "segno", "\U0001d10b": "segno", "\ue048": "coda", "\U0001d10c": "coda"}
_WORDS = (  # first match counts
    (r"d\.? ?c\.?(?![a-z])|da ?capo", "da_capo"),
    (r"d\.? ?s\.?(?![a-z])|dal ?segno", "dal_segno"),
    (r"(al|to) ?coda", "to_coda"),
    (r"fine", "fine"),
    (r"coda", "coda"),
    (r"segno", "segno"),
)
_AT_START = ("segno", "coda")
_MOST = 64  # highest number of an ending

Element = ElementTree.Element


def marks_of(root: Element) -> list[BarMarks]:
    """The marks of each measure in an element, in document order."""
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
        for sign, at_end in _signs(measure):
            bar = min(index + (at_end and sign in _AT_START), len(marks) - 1)
            found: dict[str, Any] = {sign: True}
            marks[bar] = replace(marks[bar], **found)
    return _with_to_coda(marks)


def expansion_order(mei: str) -> list[int] | None:
    """The bars in the order of the score's first expansion; None if it has none, or one that names what is not there."""
    root = parse(mei)
    measures = {id(measure): index for index, (measure, _) in enumerate(_measures(root, ()))}
    expansion = next((element for element in root.iter() if name_of(element) == "expansion"), None)
    if expansion is None:
        return None
    parts = {element.get(ID): element for element in root.iter() if element.get(ID)}
    names = [name.rpartition("#")[2] for name in (expansion.get("plist") or "").split()]
    if not names or any(name not in parts for name in names):
        return None
    return [measures[id(part)] for name in names for part in parts[name].iter() if id(part) in measures]


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


def _signs(measure: Element) -> Iterator[tuple[str, bool]]:
    """(field of BarMarks, whether it stands at or after the last note) of the jumps and signs of a measure."""
    for element in measure:
        name = name_of(element)
        if name not in ("repeatMark", "dir", "tempo"):
            continue
        sign = _SIGNS.get((element.get("func") or "").lower()) or _SIGNS.get((element.get("type") or "").lower())
        sign = sign or _by_glyph(element) or _by_words(" ".join("".join(element.itertext()).lower().split()))
        if sign:
            yield sign, _is_at_end(element, measure)


def _by_glyph(element: Element) -> str | None:
    glyphs = [part.get(key) or "" for part in element.iter() for key in ("glyph.name", "glyph.num")]
    return next((_GLYPHS[glyph] for glyph in glyphs if glyph in _GLYPHS), None)


def _by_words(text: str) -> str | None:
    if text in _CHARACTERS:
        return _CHARACTERS[text]
    return next((sign for words, sign in _WORDS if re.match(rf"(?:{words})(?![a-z])", text)), None)


def _is_at_end(element: Element, measure: Element) -> bool:
    """Whether the sign follows all notes of its measure: it belongs to the next one, as the coda after a "D.S."."""
    notes = [part for part in measure.iter() if name_of(part) in ("note", "chord", "rest", "mRest")]
    if target(element, "startid"):
        return False
    beat = decimal(element.get("tstamp"))
    return bool(notes) and beat is not None and beat > _beats(measure)


def _beats(measure: Element) -> float:
    """A beat that no note of a measure begins after: one quarter for each note value in its fullest layer."""
    layers = [layer for layer in measure.iter() if name_of(layer) == "layer"]
    return max((sum(_quarters(part) for part in layer.iter()) for layer in layers), default=0.0) + 0.999


def _quarters(part: Element) -> float:
    value = part.get("dur") or ""
    return 4 / int(value) if re.fullmatch(r"[1-9][0-9]{0,3}", value) and not part.get("grace") else 0.0


def _with_to_coda(marks: list[BarMarks]) -> list[BarMarks]:
    """Of several coda signs without the words "to coda" the first is where one leaves."""
    signs = [bar for bar, mark in enumerate(marks) if mark.coda]
    leaves = any(mark.to_coda for mark in marks)
    if len(signs) < 2:
        return marks
    first = signs[0]
    where = first - 1 if first and not leaves else None
    marks[first] = replace(marks[first], coda=False)
    if where is not None:
        marks[where] = replace(marks[where], to_coda=True)
    return marks
