"""Writes out tremolos: notes with strokes through the stem (bTrem, stem.mod) and two notes in alternation (fTrem)."""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.mei.definitions import StaffState
from score_following_game.data_preparation.engraving.mei.places import target
from score_following_game.data_preparation.engraving.mei.timing import chord_length
from score_following_game.data_preparation.engraving.mei.values import whole
from score_following_game.data_preparation.engraving.repetition import UNMEASURED, stroke_count, stroke_duration
from score_following_game.data_preparation.errors import EngravingError

_FASTEST = stroke_duration(Fraction(1), UNMEASURED)
_LENGTHS = ("dur", "dots", "dur.ges", "dots.ges", "dur.ppq", "stem.mod")
_PLAYED = ("note", "chord")

Element = ElementTree.Element


def write_out_strokes(parent: Element, state: StaffState, measure: Element) -> None:
    """Replace the tremolos in a layer, beam or tuplet by the notes that are played. measure: with their ties."""
    written: list[Element] = []
    for child in list(parent):
        if child.tag == "fTrem":
            written.append(_alternating(child, state))
        elif child.tag == "bTrem":
            for note in child:
                written += _repeated(note, _unit(child) or _strokes(note, state) or _FASTEST, state, measure)
        elif child.tag in _PLAYED:
            written += _repeated(child, _strokes(child, state), state, measure)
        else:
            write_out_strokes(child, state, measure)
            written.append(child)
    parent[:] = written


def _is_plain(length: Fraction) -> bool:
    """Whether it is the length of a note without dots."""
    share = length / 4
    return share.numerator == 1 and share.denominator & (share.denominator - 1) == 0


def _unit(tremolo: Element) -> Fraction | None:
    if not tremolo.get("unitdur"):
        return None
    return max(Fraction(4, whole(tremolo, "unitdur", 8, 1, 2048)), _FASTEST)


def _strokes(note: Element, state: StaffState) -> Fraction | None:
    """Quarters between the strokes of a note or chord, None if it has none."""
    marks = [holder.get("stem.mod") or "" for holder in (note, *note.findall("note"))]
    slashes = [int(mark[0]) for mark in marks if mark[:1] in tuple("123456789")]
    length = chord_length(note, state)
    return stroke_duration(length, slashes[0]) if slashes and length else None


def _repeated(note: Element, each: Fraction | None, state: StaffState, measure: Element) -> list[Element]:
    length = chord_length(note, state) if note.tag in _PLAYED and not note.get("grace") else None
    if each is None or not length:
        return [note]
    count = stroke_count(length, each) if _is_plain(each) else 1
    if count == 1:
        for holder in (note, *note.findall("note")):
            holder.attrib.pop("stem.mod", None)
        return [note]
    _move_ties(note, count - 1, measure)
    return [_stroke(note, number, count, each) for number in range(count)]


def _move_ties(note: Element, last: int, measure: Element) -> None:
    """Let ties that begin at the note begin at its last stroke."""
    names = {element.get(ID) for element in note.iter()}
    for tie in measure.iter("tie"):
        if target(tie, "startid") in names and tie.get("startid"):
            tie.set("startid", f"#{target(tie, 'startid')}-again{last}")


def _stroke(note: Element, number: int, count: int, each: Fraction) -> Element:
    """A copy of a note or chord that lasts `each`. The first keeps the ids and ties to it, the last the ties from it."""
    copy = deepcopy(note)
    for element in copy.iter():
        tie = element.attrib.pop("tie", "")
        kept = ("t" if number == 0 and set(tie) & set("mt") else "") + (
            "i" if number == count - 1 and set(tie) & set("im") else ""
        )
        if kept:
            element.set("tie", kept)
        if number and element.get(ID):
            element.set(ID, f"{element.get(ID)}-again{number}")
        for name in _LENGTHS:
            element.attrib.pop(name, None)
    copy.set("dur", str(4 / each))
    return copy


def _alternating(tremolo: Element, state: StaffState) -> Element:
    """A beam with the notes of a tremolo between two notes. Both have the value of the whole tremolo."""
    notes = [note for note in tremolo if note.tag in _PLAYED]
    together = chord_length(notes[0], state) if len(notes) == 2 else None
    if not together:
        raise EngravingError("abbreviated notation", f"a tremolo of {len(notes)} notes")
    each = _unit(tremolo) or max(Fraction(1, 2 ** whole(tremolo, "beams", UNMEASURED, 0, 9)), _FASTEST)
    count = stroke_count(together, 2 * each)
    each = together / 2 if count == 1 else each
    if not _is_plain(each):
        raise EngravingError("abbreviated notation", f"a tremolo of {float(together):g} quarters")
    beam = Element("beam")
    beam.extend(_stroke(note, number, count, each) for number in range(count) for note in notes)
    return beam
