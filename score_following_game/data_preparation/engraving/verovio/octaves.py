"""Octave lines. Under one, MEI writes a note where it is drawn (oct) and says where it sounds (oct.ges)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI, in_time_order
from score_following_game.data_preparation.engraving.verovio.crossing import written_staves

Element = ElementTree.Element


def mend_octave_lines(measures: Sequence[Element]) -> None:
    """Write all notes under octave lines where they are drawn, and all others where they sound.

    The engraver takes lines in the order of the file, not of time: it lowers notes of a second voice that begin earlier, and
    leaves those that are written after the end of the line. A line under which it left every note is removed.

    A line without an end is not drawn: it gets an end. One whose ends are beats is left as it is.

    The engraver shifts the sound of all notes of the layers, also of those written on another staff, unless they state it.
    """
    home = _home(measures)
    under: set[int] = set()  # of the notes under lines: id() of the element
    for index, measure in enumerate(measures):
        for line in measure.findall(f"{MEI}octave"):
            staff = line.get("staff") or _staff_of(measure, _end(line, "startid"))
            if not _has_ends(line) and _end(line, "startid") in home:
                _find_end(line, measures[index:], staff)
            named = _end(line, "startid") in home and _end(line, "endid") in home
            within = measures[index : _last_bar(line, index, home) + 1]
            notes = list(_between(within, staff, line) if named else _notes(within, staff))
            if not _has_ends(line) or (named and not _write_under(notes)):
                measure.remove(line)
            else:
                under |= {id(note) for note in notes}
    for note in (note for measure in measures for note in measure.iter(f"{MEI}note")):
        if id(note) not in under and (sounds := note.attrib.pop("oct.ges", None)) is not None:
            note.set("oct", sounds)
    for note in (note for measure in measures for note in _crossing(measure)):
        if id(note) not in under and note.get("oct"):
            note.set("oct.ges", note.attrib["oct"])


def _crossing(measure: Element) -> Iterator[Element]:
    """The notes that are written on another staff than that of their layer."""
    for staff in measure.findall(f"{MEI}staff"):
        home = staff.get("n", "")
        yield from (note for note, on in written_staves(staff, home) if on != home)


def cut_octave_lines(measures: Sequence[Element], cuts: Container[int]) -> None:
    """Divide the lines that run across a bar line of `cuts`: the bars (indices) that do not always follow the one before."""
    home = _home(measures)
    for index, measure in enumerate(measures):
        for line in measure.findall(f"{MEI}octave"):
            first, last = home.get(_end(line, "startid"), index), _last_bar(line, index, home)
            inner = [bar for bar in range(first + 1, last + 1) if bar in cuts]
            if not inner and not any(bar in cuts for bar in range(index + 1, first + 1)):
                continue
            measure.remove(line)
            line.set("staff", line.get("staff") or _staff_of(measures[first], _end(line, "startid")))
            for begin, end in zip([first, *inner], [*inner, last + 1]):
                _put_piece(line, measures, (begin, end - 1), (begin == first, end == last + 1))


def _put_piece(line: Element, measures: Sequence[Element], bars: tuple[int, int], keeps: tuple[bool, bool]) -> None:
    """Draw a part of a line. bars: its first and last.  keeps: whether it begins and ends as the whole line does."""
    piece = Element(line.tag, {name: value for name, value in line.attrib.items() if name != ID})
    (begin, end), (keeps_start, keeps_end) = bars, keeps
    notes = list(_between(measures[begin : end + 1], line.get("staff", ""), None))
    if not notes:
        return
    if not keeps_start:
        piece.attrib.pop("tstamp", None)
        piece.set("startid", f"#{notes[0].get(ID)}")
    if not keeps_end:
        piece.attrib.pop("tstamp2", None)
        piece.set("endid", f"#{notes[-1].get(ID)}")
    elif beat := piece.get("tstamp2"):
        piece.set("tstamp2", f"{end - begin}m+{beat.rpartition('+')[2]}")
    measures[begin].append(piece)


def _find_end(line: Element, measures: Sequence[Element], staff: str) -> None:
    """Let a line end with its bar, or with the last of the bars after it whose notes the engraver put under it, too, and that
    lie no nearer to the staff.
    """
    start = Element(line.tag, startid=line.get("startid", ""))
    nearest: int | None = None
    for bar in range(len(measures)):
        notes = list(_between(measures[bar : bar + 1], staff, start))
        if any(note.get("oct.ges") is None for note in notes):
            return
        distances = [(_shift(note) > 0 or -1) * _steps(note) for note in notes]
        if nearest is not None and min(distances, default=nearest) < nearest:
            return
        if notes:
            nearest = min(distances) if nearest is None else nearest
            line.set("endid", f"#{notes[-1].get(ID)}")


def _write_under(notes: Sequence[Element]) -> bool:
    """Write the notes under a line as far from their sound as the engraver wrote others there. False if that is not clear."""
    notes = [note for note in notes if note.get("oct") is not None and not note.get("grace")]
    left = [note for note in notes if note.get("oct.ges") is None]
    shifts = {_shift(note) for note in notes if note.get("oct.ges") is not None}
    if not left:
        return True
    if len(shifts) != 1 or min(int(note.attrib["oct"]) for note in left) < max(shifts):
        return False
    for note in left:
        note.set("oct.ges", note.attrib["oct"])
        note.set("oct", str(int(note.attrib["oct"]) - max(shifts)))
    return True


def _shift(note: Element) -> int:
    """Octaves from where a note is written to its sound."""
    return int(note.get("oct.ges", note.attrib["oct"])) - int(note.attrib["oct"])


def _steps(note: Element) -> int:
    """The sounding step, counted from that of C in octave 0."""
    return 7 * int(note.get("oct.ges", note.attrib["oct"])) + "cdefgab".index(note.attrib["pname"])


def _home(measures: Sequence[Element]) -> dict[str | None, int]:
    """Id of an element -> index of its measure."""
    return {element.get(ID): index for index, measure in enumerate(measures) for element in measure.iter() if element.get(ID)}


def _end(line: Element, name: str) -> str:
    """The id of the element at an end of a line, startid or endid; "" without one."""
    return line.get(name, "").lstrip("#")


def _last_bar(line: Element, index: int, home: Mapping[str | None, int]) -> int:
    """The bar in which a line ends that is written to the bar of this index."""
    return home.get(_end(line, "endid"), index + _bars_on(line))


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
        yield from (item for _, number, item in in_time_order(measure) if number == staff and item.tag == f"{MEI}note")


def _between(measures: Sequence[Element], staff: str, line: Element | None) -> Iterator[Element]:
    """The notes of a staff from one end of a line to the other, both included, in all layers, by time. None: all of them."""
    start, end = (_end(line, name) if line is not None else "" for name in ("startid", "endid"))
    for measure in measures:
        chords = {id(note): chord.get(ID) for chord in measure.iter(f"{MEI}chord") for note in chord}
        events = [
            (onset, item) for onset, number, item in in_time_order(measure) if number == staff and item.tag == f"{MEI}note"
        ]
        onsets = {name: onset for onset, item in events for name in (item.get(ID), chords.get(id(item)))}
        for onset, item in events:
            if onsets.get(start, onset) <= onset <= onsets.get(end, onset):
                yield item
