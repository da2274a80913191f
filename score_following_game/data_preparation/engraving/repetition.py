"""How abbreviations are written out: the rules that the engraver's MEI and the readers share, and the ids of the new notes.

A player repeats a note with strokes through its stem: one stroke in eighths, two in sixteenths, three or more in thirty-seconds
(an unmeasured tremolo); the flags and beams of the note count as strokes. Two notes with strokes between them alternate.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import replace
from fractions import Fraction

from score_following_game.data_preparation.engraving.read_bar import ReadNote

UNMEASURED = 3  # strokes; more are played no faster

_COPY = re.compile(r"-(bar|beat)\d+$")


def stroke_duration(written: Fraction, strokes: int) -> Fraction:
    """Quarters between two strokes of a note with a written value (quarters, without tuplets, more than 0)."""
    if written <= 0:
        raise ValueError(f"written value {written}")
    flags = 0
    while Fraction(1, 2**flags) > written:
        flags += 1
    return Fraction(1, 2 ** max(min(flags + strokes, max(UNMEASURED, flags)), 1))


def stroke_count(duration: Fraction, each: Fraction) -> int:
    """How often a note sounds that lasts `duration`; 1 if the strokes do not fit into it."""
    count = duration / each
    return int(count) if count.denominator == 1 and count > 0 else 1


def copy_id(id_: str, kind: str, number: int) -> str:
    """Id of a copy of a note.

    kind, number: "again" and the number of the stroke (the first, 0, keeps its id), "bar" and the index of the new bar, or
    "beat" and a thousand times the quarters before it in its bar.
    """
    return f"{id_ if kind == 'again' else _COPY.sub('', id_)}-{kind}{number}"


def is_tremolo(id_: str, ids: Container[str]) -> bool:
    """Whether the note of this id is the first of several strokes. ids: of all notes."""
    return copy_id(id_, "again", 1) in ids


def _struck(note: ReadNote) -> ReadNote:
    """A tremolo is struck where it begins, also if a tie leads to it: the tie says that the tremolo before it goes on."""
    return replace(note, tied_to="", ends_tie=False)


def again(notes: Iterable[ReadNote], kind: str, number: int, later: Fraction) -> list[ReadNote]:
    """Copies of notes, `later` quarters later. Their ties to each other are kept."""
    notes = list(notes)
    present = {note.id for note in notes}
    return [
        replace(
            note,
            id=copy_id(note.id, kind, number),
            onset=note.onset + later,
            tied_to=copy_id(note.tied_to, kind, number) if note.tied_to in present else "",
            ends_tie=note.tied_to in present,
        )
        for note in notes
    ]


def repeated(note: ReadNote, each: Fraction) -> list[ReadNote]:
    """The notes that a note with strokes stands for. each: quarters between two strokes, as they sound."""
    count = stroke_count(note.duration, each)
    first = replace(note if count == 1 else _struck(note), duration=note.duration / count)
    later = [replace(first, id=copy_id(note.id, "again", k), onset=note.onset + k * each, tied_to="") for k in range(1, count)]
    return [first, *later]


def alternating(first: ReadNote, second: ReadNote, together: Fraction, each: Fraction) -> list[ReadNote]:
    """The notes that two notes with strokes between them stand for. together: quarters of both.

    each: quarters between two strokes, as they sound.
    """
    count = stroke_count(together, 2 * each)
    if count > 1:
        first, second = _struck(first), _struck(second)
    step = together / (2 * count)
    pairs = []
    for k in range(count):
        onset = first.onset + 2 * k * step
        for note, at in ((first, onset), (second, onset + step)):
            new = replace(note, onset=at, duration=step)
            pairs.append(replace(new, id=copy_id(note.id, "again", k), tied_to="") if k else new)
    return pairs
