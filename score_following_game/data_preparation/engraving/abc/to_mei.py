"""Writes a Melody as MEI for verovio: one staff, with tuplets, ties, and beams as grouped in the ABC text."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import groupby
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.fields import Meter
from score_following_game.data_preparation.engraving.abc.keys import Key
from score_following_game.data_preparation.engraving.abc.notation import Event, Measure, Melody
from score_following_game.data_preparation.engraving.abc.properties import Clef
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError
from score_following_game.data_preparation.engraving.xml_text import xml_text

ACCIDENTAL = {2: "x", 1: "s", 0: "n", -1: "f", -2: "ff"}  # alter in semitones -> MEI's accid, a printed sign
GESTURAL = ACCIDENTAL | {2: "ss"}  # alter -> MEI's accid.ges, the sound of a note without a sign
NAMESPACE = "http://www.music-encoding.org/ns/mei"
ID = "{http://www.w3.org/XML/1998/namespace}id"  # the attribute

Element = ElementTree.Element


def melody_to_mei(melody: Melody) -> str:
    """Returns MEI text. The notes get the ids n1, n2, ... in time order, the measures bar-0, bar-1, ..."""
    root = Element("mei", xmlns=NAMESPACE, meiversion="5.0")
    head = _inside(root, "meiHead", "fileDesc")
    _inside(head, "titleStmt", "title")
    _inside(head, "pubStmt")
    score = _inside(root, "music", "body", "mdiv", "score")
    staff = ElementTree.SubElement(_inside(score, "scoreDef", "staffGrp"), "staffDef", n="1", lines="5")
    staff.extend([_clef(melody.clef), _signature(melody.key)])
    if melody.meter:
        ElementTree.SubElement(staff, "meterSig", count=str(melody.meter[0]), unit=str(melody.meter[1]))
    section = ElementTree.SubElement(score, "section")
    for number, measure in enumerate(melody.measures, 1):
        if measure.key is not None or measure.meter is not None:
            section.append(_changes(measure.key, measure.meter))
        right = "end" if number == len(melody.measures) else "single"
        drawn = ElementTree.SubElement(section, "measure", {ID: f"bar-{number - 1}"}, n=str(number), right=right)
        layer = ElementTree.SubElement(ElementTree.SubElement(drawn, "staff", n="1"), "layer", n="1")
        layer.extend([_clef(measure.clef)] if measure.clef else [])
        layer.extend(list(_measure_content(measure)))  # a list: of a generator, extend() hides the error
    for number, note in enumerate(root.iter("note"), 1):
        note.set(ID, f"n{number}")
    _write_ties(section)
    return xml_text(root)


def _write_ties(section: Element) -> None:
    """Replace the notes' attributes by tie elements in the measures in which the ties begin."""
    begun: tuple[str, Element] | None = None  # id of the note before, if a tie begins there, and its measure
    for measure in section.iter("measure"):
        for note in list(measure.iter("note")):
            tie = note.attrib.pop("tie", "")
            if begun and tie in ("m", "t"):
                ElementTree.SubElement(begun[1], "tie", startid=f"#{begun[0]}", endid=f"#{note.get(ID)}")
            begun = (note.attrib[ID], measure) if tie in ("i", "m") else None


def note_values(written: Fraction) -> list[tuple[int, int]]:
    """(note value, dots) of tied notes that last `written` whole notes, longest first; 5/8 gives a half and an eighth."""
    values: list[tuple[int, int]] = []
    whole = written
    while written > 0:
        value = next((value for value in (1, 2, 4, 8, 16, 32, 64) if Fraction(1, value) <= written), None)
        if value is None:
            raise AbcError(f"note values cannot add up to {whole} of a whole note")
        dots = next((dots for dots in (2, 1, 0) if _length(value, dots) == written), 0)
        values.append((value, dots))
        written -= _length(value, dots)
    return values


def _length(value: int, dots: int) -> Fraction:
    return Fraction(1, value) * (2 - Fraction(1, 2**dots))


def _inside(parent: Element, *tags: str) -> Element:
    for tag in tags:
        parent = ElementTree.SubElement(parent, tag)
    return parent


def _clef(clef: Clef) -> Element:
    element = Element("clef", shape=clef.shape, line=str(clef.line))
    if clef.octaves:
        element.attrib |= {"dis": {1: "8", 2: "15"}[abs(clef.octaves)], "dis.place": "above" if clef.octaves > 0 else "below"}
    return element


def _signature(key: Key) -> Element:
    """A number of sharps or flats; of other keys each sign, which verovio puts where it belongs."""
    signs = key.signs()
    fifths = next((number for number in range(-7, 8) if Key(number).signs() == signs), None)
    if fifths is not None:
        return Element("keySig", sig="0" if fifths == 0 else f"{abs(fifths)}{'s' if fifths > 0 else 'f'}")
    element = Element("keySig")
    for step, alter in signs:
        ElementTree.SubElement(element, "keyAccid", pname=step.lower(), accid=ACCIDENTAL[alter])
    return element


def _changes(key: Key | None, meter: Meter) -> Element:
    signature = None if key is None else _signature(key)
    sig = {} if signature is None or not signature.get("sig") else {"keysig": signature.attrib["sig"]}
    changes = Element("scoreDef", sig | ({} if meter is None else {"meter.count": str(meter[0]), "meter.unit": str(meter[1])}))
    if signature is not None and not sig:
        changes.append(signature)
    return changes


def _measure_content(measure: Measure) -> Iterator[Element]:
    """Beams, tuplets, notes and rests of a layer. No beam crosses the edge of a tuplet."""
    for tuplet, events in groupby(measure.events, key=lambda event: event.tuplet):
        content = _beamed(list(events))
        if tuplet is None:
            yield from content
        else:
            group = Element("tuplet", num=str(tuplet.number), numbase=str(tuplet.base))
            group.extend(content)
            yield group


def _beamed(events: list[Event]) -> list[Element]:
    """Put notes shorter than a quarter under one beam if no space separates them in the ABC text."""
    content: list[Element] = []
    beam: list[Element] = []

    def close() -> None:
        if len(beam) > 1:
            content.append(Element("beam"))
            content[-1].extend(beam)
        else:
            content.extend(beam)
        beam.clear()

    for event in events:
        for place, element in enumerate(_elements(event)):
            flagged = event.pitch is not None and int(element.get("dur", "1")) >= 8
            if event.new_beam or place > 0 or not flagged:
                close()
            (beam if flagged else content).append(element)
    close()
    return content


def _elements(event: Event) -> Iterator[Element]:
    """The event's note or rest. If no single note value is long enough, several, with their notes tied."""
    values = note_values(event.written)
    for place, (value, dots) in enumerate(values):
        shape = {"dur": str(value)} | ({"dots": str(dots)} if dots else {})
        if event.pitch is None:
            yield Element("rest", shape)
            continue
        note = Element("note", shape, pname=event.pitch.step.lower(), oct=str(event.pitch.octave))
        if event.accidental is not None and place == 0:
            note.set("accid", ACCIDENTAL[event.accidental])
        elif event.pitch.alter:
            note.set("accid.ges", GESTURAL[event.pitch.alter])
        if event.pitch.transposed:
            note.set("pnum", str(event.pitch.midi))  # the sound; the drawing ignores it
        begins, ends = event.tie_to or place < len(values) - 1, event.tie_from or place > 0
        if begins or ends:
            note.set("tie", "m" if begins and ends else "i" if begins else "t")
        yield note
