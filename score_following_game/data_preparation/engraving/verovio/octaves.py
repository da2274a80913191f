"""Octave lines. Under one, MEI writes a note where it is drawn (oct) and says where it sounds (oct.ges)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI, in_time_order

Element = ElementTree.Element


def mend_octave_lines(measures: Sequence[Element]) -> None:
    """Remove the lines under which the engraver left notes where they sound, and draw all notes outside of lines there.

    The engraver takes lines in the order of the file, not of time, and so lowers notes of a second voice that begin earlier.

    A line without an end is not drawn; it is removed. One whose ends are beats is left as it is.
    """
    home = {element.get(ID): index for index, measure in enumerate(measures) for element in measure.iter() if element.get(ID)}
    under: set[int] = set()  # of the notes under lines: id() of the element
    for index, measure in enumerate(measures):
        for line in measure.findall(f"{MEI}octave"):
            start, end = (line.get(name, "").lstrip("#") for name in ("startid", "endid"))
            last = home.get(end, index + _bars_on(line))
            staff = line.get("staff") or _staff_of(measure, start)
            within = measures[index : last + 1]
            named = start in home and end in home
            notes = list(_between(within, staff, start, end) if named else _notes(within, staff))
            left = named and any(note.get("oct.ges") is None for note in notes if not note.get("grace"))
            if not _has_ends(line) or left:
                measure.remove(line)
            else:
                under |= {id(note) for note in notes}
    for note in (note for measure in measures for note in measure.iter(f"{MEI}note")):
        if id(note) not in under and (sounds := note.attrib.pop("oct.ges", None)) is not None:
            note.set("oct", sounds)


def _has_ends(line: Element) -> bool:
    return all(line.get(id_) or line.get(beat) for id_, beat in (("startid", "tstamp"), ("endid", "tstamp2")))


def _bars_on(line: Element) -> int:
    """How many bars after its own a line ends at a beat, as in tstamp2="1m+2"."""
    bars = line.get("tstamp2", "").partition("m")[0] if "m" in line.get("tstamp2", "") else ""
    return int(bars) if bars.isdecimal() else 0


def _staff_of(measure: Element, id_: str) -> str:
    found = (staff.get("n", "") for staff in measure.findall(f"{MEI}staff") if any(e.get(ID) == id_ for e in staff.iter()))
    return next(found, "")


def _notes(measures: Sequence[Element], staff: str) -> Iterator[Element]:
    for measure in measures:
        for own in measure.findall(f"{MEI}staff"):
            if own.get("n") == staff:
                yield from own.iter(f"{MEI}note")


def _between(measures: Sequence[Element], staff: str, start: str, end: str) -> Iterator[Element]:
    """The notes of a staff that begin from one element to another, both included, in all layers."""
    for measure in measures:
        chords = {id(note): chord.get(ID) for chord in measure.iter(f"{MEI}chord") for note in chord}
        events = [
            (onset, item) for onset, number, item in in_time_order(measure) if number == staff and item.tag == f"{MEI}note"
        ]
        onsets = {name: onset for onset, item in events for name in (item.get(ID), chords.get(id(item)))}
        for onset, item in events:
            if onsets.get(start, onset) <= onset <= onsets.get(end, onset):
                yield item
