"""Makes the MEI of the engraver agree with the file's own arithmetic: times, pitches, ties and clefs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ACCIDENTAL, GESTURAL, ID
from score_following_game.data_preparation.engraving.mei.beats import keep_in_bars
from score_following_game.data_preparation.engraving.mei.values import ALTER
from score_following_game.data_preparation.engraving.read_bar import DIFFER, ReadBar, ReadClef, ReadNote
from score_following_game.data_preparation.engraving.reading import SIGN, TIE, Reading
from score_following_game.data_preparation.engraving.repetition import is_tremolo
from score_following_game.data_preparation.engraving.silent import MARK, UNPITCHED, is_without_pitch
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI, written_pitch
from score_following_game.data_preparation.engraving.verovio.clefs import (
    at_stated_times,
    drop_replaced_clefs,
    put_clefs,
    take_clefs,
)
from score_following_game.data_preparation.engraving.verovio.layers import additive_bars, fill_measure, mend_layer
from score_following_game.data_preparation.engraving.verovio.octaves import mend_octave_lines
from score_following_game.data_preparation.errors import EngravingError

Element = ElementTree.Element


def mend(root: Element, reading: Reading) -> Reading:
    """Give the MEI the times, pitches and ties of `reading`; measure i gets the id bar-i.

    Returns the reading with those notes as lost that the MEI does not have, and with the notes at which it was mended.

    Where the two agree nothing is changed but ids. Raises EngravingError if their numbers of bars differ.
    """
    measures = list(root.iter(f"{MEI}measure"))
    if len(measures) != len(reading.bars):
        last = f"the last is {reading.bars[-1].name}"
        raise EngravingError(DIFFER, f"{len(measures)} bars engraved, {len(reading.bars)} in the file ({last})")
    _drop_other_values(root)
    for index, (measure, bar, additive) in enumerate(zip(measures, reading.bars, additive_bars(root))):
        measure.set(ID, f"bar-{index}")
        _mend_times(measure, bar, additive, bar.clefs)
    drop_replaced_clefs(measures)
    _keep_beats(measures, reading)
    mend_octave_lines(measures)
    read = {note.id: note for bar in reading.bars for note in bar.notes}
    _mark_silent(root, read)
    names = {note.id: bar.name for bar in reading.bars for note in bar.notes}
    signs = _mend_pitches(root, read, names)
    mended = {**dict.fromkeys(_mend_ties(root, measures, read), TIE), **dict.fromkeys(signs, SIGN)}
    reading = replace(reading, mended={**reading.mended, **mended})
    return reading.without(read.keys() - {element.get(ID) for element in root.iter()})


def end_with_part(root: Element, reading: Reading) -> Reading:
    """After the choice of a part, let its bars last as long as its own time signature says, not as that of another part.

    Changes the times of the MEI and returns the reading with the new lengths.
    """
    alone = replace(reading, bars=tuple(bar.alone() for bar in reading.bars))
    measures = list(root.iter(f"{MEI}measure"))
    for measure, before, bar, additive in zip(measures, reading.bars, alone.bars, additive_bars(root)):
        if bar.length != before.length:
            _mend_times(measure, bar, additive)
    _keep_beats(measures, alone, reading)
    return alone


def _keep_beats(measures: list[Element], *readings: Reading) -> None:
    """The engraver may count in the beats of any part, now or of the bars before, so that the longest beat counts."""
    bars = zip(*(reading.bars for reading in readings))
    keep_in_bars(measures, [(of[0].length, min(_unit(bar) for bar in of)) for of in bars])


def _unit(bar: ReadBar) -> int:
    """The longest beat of a bar, as a note value."""
    meters = [meter for meter in (bar.meter, *(part.meter for part in bar.parts)) if meter]
    return min((unit for _, unit in meters), default=4)


def silence_heads(root: Element, reading: Reading) -> Reading:
    """Returns the reading with the notes as silent whose heads stand for no definite pitch."""
    shaped = {
        note.get(ID, "")
        for holder in root.iter()
        if is_without_pitch([holder.get("head.shape", "")])
        for note in holder.iter(f"{MEI}note")
    }
    return reading.silencing(shaped, UNPITCHED)


def _mark_silent(root: Element, read: dict[str, ReadNote]) -> None:
    for note in root.iter(f"{MEI}note"):
        note.attrib.pop("type", None)
        if (of := read.get(note.get(ID, ""))) is not None and of.silent:
            note.set("type", MARK)


def _drop_other_values(root: Element) -> None:
    """Remove the values that override the written one in the engraver's timing: gestural ones, and those of notes in chords."""
    for element in root.iter():
        for name in ("dur.ges", "dots.ges"):
            element.attrib.pop(name, None)
        if element.tag == f"{MEI}chord" and element.get("dur"):
            for note in element.findall(f"{MEI}note"):
                for name in ("dur", "dots"):
                    note.attrib.pop(name, None)


def draw_time_signatures(root: Element) -> None:
    """Draw the C and the cut C of Humdrum scores, which the engraver hides behind a mensural sign that it does not draw."""
    for parent in root.iter():
        signs = [child for child in parent if child.tag == f"{MEI}mensur"]
        for sign in signs:
            parent.remove(sign)
        for meter in parent.findall(f"{MEI}meterSig") if signs else ():
            if meter.get("sym"):
                meter.attrib.pop("visible", None)


def _mend_times(measure: Element, bar: ReadBar, additive: bool, clefs: Sequence[ReadClef] = ()) -> None:
    """additive: the time signature is a sum.  clefs: of the file, if the staves still have their numbers."""
    read = {note.id: note for note in bar.notes}
    for staff in measure.findall(f"{MEI}staff"):
        stated = [clef for clef in clefs if str(clef.staff) == staff.get("n")]
        taken = take_clefs(staff, read, bar.length)
        changes = at_stated_times(taken, stated)
        for layer in staff.findall(f"{MEI}layer"):
            mend_layer(staff, layer, read, bar.length)
        fill_measure(staff, bar, additive)
        put_clefs(staff, changes)


def _mend_pitches(root: Element, read: dict[str, ReadNote], names: dict[str, str]) -> list[str]:
    """Write each note's sounding alteration, and its MIDI pitch where it differs from the written one.

    names: id of a note -> its bar. A printed sign that contradicts the sound, or that is unknown, is replaced by the sounding
    one. Returns the ids of the notes with such a sign.
    """
    replaced: list[str] = []
    for definition in root.iter(f"{MEI}staffDef"):
        definition.attrib.pop("trans.semi", None)
        definition.attrib.pop("trans.diat", None)
    for note in root.iter(f"{MEI}note"):
        of = read.get(note.get(ID, ""))
        if of is None or of.pitch is None or note.get("pname") is None:
            continue
        signs = [holder for holder in (note, *note.findall(f"{MEI}accid")) if holder.get("accid") is not None]
        for holder in (note, *note.findall(f"{MEI}accid")):
            holder.attrib.pop("accid.ges", None)
        for holder in signs:
            if ALTER.get(holder.get("accid", "")) != of.alter:
                holder.set("accid", ACCIDENTAL[of.alter])
                replaced.append(of.id)
        if of.alter or signs:
            note.set("accid.ges", GESTURAL[of.alter])
        written = written_pitch(note, of.alter)
        if written + of.transposition != of.pitch:
            place = f"bar {names[of.id]}, staff {of.staff}"
            raise EngravingError(DIFFER, f"{place}: pitch {written} is engraved, the file writes {of.pitch - of.transposition}")
        if of.transposition:
            note.set("pnum", str(of.pitch))  # in the engraver's timing it overrides the written pitch; the drawing ignores it
    return replaced


def _mend_ties(root: Element, measures: list[Element], read: dict[str, ReadNote]) -> list[str]:
    """Leave exactly the ties of the reading, keeping the engraver's elements for those that it has too, and for silent notes.

    Returns the ids of the notes at which a tie of the engraver ended that is removed, or ends one that it did not have.
    """
    expected = {(note.tied_to, note.id) for note in read.values() if note.tied_to}
    present = {note.get(ID) for note in root.iter(f"{MEI}note")}
    found = set()
    removed: list[str] = []
    for measure in measures:
        for tie in measure.findall(f"{MEI}tie"):
            pair = tie.get("startid", "").lstrip("#"), tie.get("endid", "").lstrip("#")
            if pair in expected and pair not in found:
                found.add(pair)
            elif pair[1] not in read or not read[pair[1]].silent:
                measure.remove(tie)
                removed.append(pair[1])
    marked = {note.get(ID) for note in root.iter(f"{MEI}note") if note.attrib.pop("tie", "") in ("m", "t")}
    home = {note.get(ID): measure for measure in measures for note in measure.iter(f"{MEI}note")}
    added = [(start, end) for start, end in sorted(expected - found) if start in present and end in present]
    for start, end in added:
        ElementTree.SubElement(home[start], f"{MEI}tie", startid=f"#{start}", endid=f"#{end}")
    return [id_ for id_ in removed if id_ in read and not is_tremolo(id_, read)] + [
        end for _, end in added if end not in marked
    ]
