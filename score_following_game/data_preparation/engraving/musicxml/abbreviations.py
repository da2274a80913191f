"""Writes out MusicXML's abbreviations: repeated bars in the document, strokes and tremolos in the notes that are read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.chords import passing
from score_following_game.data_preparation.engraving.musicxml.document import number
from score_following_game.data_preparation.engraving.musicxml.values import written_value
from score_following_game.data_preparation.engraving.read_bar import ReadNote
from score_following_game.data_preparation.engraving.repetition import (
    UNMEASURED,
    alternating,
    copy_id,
    repeated,
    stroke_duration,
)
from score_following_game.data_preparation.errors import EngravingError

Element = ElementTree.Element

_STREAM = ("note", "backup", "forward")


def write_out_bars(measures: Sequence[Element]) -> None:
    """Replace the content of bars that a <measure-repeat> covers by that of the bars before. measures: of one part."""
    patterns: dict[str, tuple[int, int]] = {}  # staff, "" for all -> bars in the pattern, bar in which the sign begins
    for index, measure in enumerate(measures):
        for attributes in measure.findall("attributes"):
            for style in attributes.findall("measure-style"):
                sign = style.find("measure-repeat")
                if sign is None:
                    continue
                if sign.get("type") == "start":
                    patterns[style.get("number", "")] = max(1, number(style, "measure-repeat", 1)), index
                else:
                    patterns.pop(style.get("number", ""), None)
                style.remove(sign)
                if not len(style):
                    attributes.remove(style)
        for staff, (back, first) in patterns.items():
            if first < back:
                raise EngravingError(
                    "abbreviated notation", f"bar {measure.get('number')}: no {back} bars before a repeat sign"
                )
            _replace(measure, measures[index - back], staff)


def divide_rests(measures: Sequence[Element]) -> None:
    """Remove the signs for rests of several bars. The file has these bars, of which the engraver would make one."""
    for style in (style for measure in measures for style in measure.iterfind("attributes/measure-style")):
        for sign in style.findall("multiple-rest"):
            style.remove(sign)


def refuse_repeated_beats(measures: Sequence[Element]) -> None:
    """Raise EngravingError for rests that stand for repetitions of a beat (<beat-repeat>). measures: of one part."""
    under: set[str] = set()  # staves, "" for all
    for measure in measures:
        for element in measure:
            for style in element.findall("measure-style") if element.tag == "attributes" else ():
                for sign in style.findall("beat-repeat"):
                    staff = style.get("number", "")
                    under = under | {staff} if sign.get("type") == "start" else under - {staff}
            if element.find("rest") is not None and any(_is_of(element, staff) for staff in under):
                where = f"bar {measure.get('number')}: repetitions of a beat (beat-repeat)"
                raise EngravingError("abbreviated notation", f"{where}; write their notes out")


def _replace(measure: Element, source: Element, staff: str) -> None:
    """Give a measure the notes of another, of one staff or of all. Time that they leave is passed over."""
    length = Fraction(0)
    for element in list(measure):
        if element.tag == "note" and _is_of(element, staff):
            if element.find("chord") is None and element.find("grace") is None:
                _before(measure, element, "forward", element.findtext("duration") or "0")
                length += _duration(element)
            measure.remove(element)
        elif element.tag in ("note", "forward") and element.find("chord") is None and element.find("grace") is None:
            length += _duration(element)
        elif element.tag == "backup":
            length = max(Fraction(0), length - _duration(element))
    place = max((at for at, child in enumerate(measure) if child.tag in _STREAM), default=len(measure) - 1) + 1
    stream: list[Element] = []
    if length:
        stream.append(passing("backup", str(length)))
    for element in source:
        if element.tag == "note" and not _is_of(element, staff):
            if element.find("chord") is None and element.find("grace") is None:
                stream.append(passing("forward", element.findtext("duration") or "0"))
        elif element.tag in _STREAM:
            stream.append(copy.deepcopy(element))
    measure[place:place] = stream


def _is_of(note: Element, staff: str) -> bool:
    return not staff or (note.findtext("staff") or "1").strip() == staff


def _duration(element: Element) -> Fraction:
    try:
        return Fraction((element.findtext("duration") or "0").strip())
    except (ValueError, ZeroDivisionError):
        return Fraction(0)


def _before(parent: Element, child: Element, tag: str, duration: str) -> None:
    parent.insert(list(parent).index(child), passing(tag, duration))


def write_out_strokes(notes: Sequence[ReadNote], measure: Element, last: dict[str, str]) -> list[ReadNote]:
    """The notes that are played: those with strokes through the stem again and again, tremolos of two in alternation.

    last: id of a note -> id of its last repetition, on which a tie goes on, also in later bars; those of this bar are added.
    """
    elements = {note.get("id", ""): note for note in measure.iter("note")}
    written: list[ReadNote] = []
    first: list[ReadNote] = []  # of a tremolo
    for chord in _chords(notes, elements):
        kind, strokes = next(filter(None, (_strokes(elements[note.id]) for note in chord)), ("", 0))
        value = written_value(elements[chord[0].id], modified=False)
        if kind == "start":
            written, first = written + first, chord
        elif kind == "stop" and first:
            played = _tremolo(first, chord, Fraction(1, 2**strokes))
            last |= {note.id: max(_repetitions(note, played), key=lambda new: new.onset).id for note in chord}
            written += played
            first = []
        elif kind == "single" and value is not None:
            each = stroke_duration(value, strokes) * chord[0].duration / value
            for note in chord:
                new = repeated(note, each)
                last[note.id] = new[-1].id
                written += new
        else:
            written += chord
    return [replace(note, tied_to=last.get(note.tied_to, note.tied_to)) for note in written + first]


def _repetitions(note: ReadNote, played: Sequence[ReadNote]) -> list[ReadNote]:
    """The note and its copies."""
    return [new for new in played if new.id == note.id or new.id.startswith(copy_id(note.id, "again", 0)[:-1])]


def _chords(notes: Sequence[ReadNote], elements: dict[str, Element]) -> list[list[ReadNote]]:
    chords: list[list[ReadNote]] = []
    for note in notes:
        if chords and elements[note.id].find("chord") is not None:
            chords[-1].append(note)
        else:
            chords.append([note])
    return chords


def _strokes(note: Element) -> tuple[str, int] | None:
    """Kind of a note's tremolo, single, start or stop, and the number of strokes; None without one."""
    tremolo = note.find("notations/ornaments/tremolo")
    if tremolo is None or note.find("pitch") is None:
        return None
    if tremolo.get("type") == "unmeasured":
        return "single", UNMEASURED
    return tremolo.get("type", "single"), min(max(number(note, "notations/ornaments/tremolo", UNMEASURED), 1), UNMEASURED)


def _tremolo(first: Sequence[ReadNote], second: Sequence[ReadNote], each: Fraction) -> list[ReadNote]:
    """The notes of two chords in alternation."""
    together = first[0].duration + second[0].duration
    written = [new for note in first for new in alternating(note, second[0], together, each)[::2]]
    return written + [new for note in second for new in alternating(first[0], note, together, each)[1::2]]
