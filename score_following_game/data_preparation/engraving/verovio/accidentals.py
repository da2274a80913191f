"""Makes the printed accidentals of an imported score agree with its sound.

In print a sign applies to its step and octave on its staff until the end of the bar, and a tied note needs none. In MEI every
note has its own printed sign (accid) and its own sounding alteration (accid.ges).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.notation import Pitch
from score_following_game.data_preparation.engraving.abc.to_mei import ACCIDENTAL, ID, NAMESPACE
from score_following_game.data_preparation.engraving.mei.definitions import sharps_or_flats
from score_following_game.data_preparation.engraving.mei.values import ALTER, sign_of
from score_following_game.data_preparation.engraving.silent import MARK
from score_following_game.data_preparation.errors import EngravingError

MEI = f"{{{NAMESPACE}}}"  # precedes every tag
_WHOLE_NOTES = {"breve": 2, "long": 4}

Element = ElementTree.Element


@dataclass
class _Staff:
    """The state of a staff. key: step -> alter of the key signature."""

    key: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """A note as it is read. alter: implied by key signature, earlier signs and ties, without the note's own sign; None after
    the sign of a microtone, and beside and after another alteration of its step that is struck with it."""

    note: Element
    alter: int | None


def print_what_sounds(root: Element) -> None:
    """Add the signs without which a note would be read as a different pitch than it sounds.

    Raises EngravingError if a note's own sign contradicts its sound.
    """
    for reading in _readings(root):
        if reading.note.get("type") == MARK:
            continue
        note, sounds = reading.note, sounding_alter(reading.note)
        sign = _accid(note, "accid")
        if sign is None and reading.alter != sounds:
            child = note.find(f"{MEI}accid")
            (note if child is None else child).set("accid", ACCIDENTAL[sounds])
        elif sign is not None and ALTER[sign] != sounds:
            raise EngravingError("accidentals differ from the sound", f"sign {sign!r} on a note that sounds {sounds:+d}")


def _readings(root: Element) -> Iterator[_Reading]:
    """All notes, measure by measure in time order. A sign added to the note just yielded applies to the rest of its bar."""
    staves = {staff.get("n"): _Staff() for staff in root.iter(f"{MEI}staffDef")}
    tied = {tie.get("endid", "").lstrip("#") for tie in root.iter(f"{MEI}tie")}
    last: dict[tuple[str, ...], int | None] = {}  # (staff, step, octave) -> alter of the last note there
    for element in root.iter():
        if element.tag in (f"{MEI}scoreDef", f"{MEI}staffDef"):
            _define(element, staves)
        if element.tag != f"{MEI}measure":
            continue
        signs: dict[tuple[str, ...], int | None] = {}  # (staff, step, octave) -> alter of the last sign in this bar
        events = in_time_order(element)
        several = _several_alterations(events)
        for now, number, item in events:
            staff = staves.get(number)
            if staff is None:
                raise EngravingError("unreadable", f"staff {number!r} is not defined")
            if item.tag == f"{MEI}keySig":
                staff.key = _signature(item)
                continue
            place = _place(number, item)
            if (now, place) in several:
                signs[place] = None
            alter = signs.get(place, staff.key.get(place[1], 0))
            if item.get(ID) in tied or item.get("tie") in ("m", "t"):
                alter = last.get(place, alter)
            yield _Reading(item, alter)
            if (sign := sign_of(item, "accid", MEI)) and (now, place) not in several:
                signs[place] = ALTER.get(sign)
            last[place] = None if item.get("type") == MARK else sounding_alter(item)


def _several_alterations(events: list[tuple[Fraction, str, Element]]) -> set[tuple[Fraction, tuple[str, ...]]]:
    """(onset, place) of the notes beside which another alteration of their step is struck, as C and C sharp in a chord."""
    alters: dict[tuple[Fraction, tuple[str, ...]], set[int]] = defaultdict(set)
    for now, number, item in events:
        if item.tag == f"{MEI}note" and item.get("type") != MARK:
            alters[now, _place(number, item)].add(sounding_alter(item))
    return {key for key, found in alters.items() if len(found) > 1}


def _place(staff: str, note: Element) -> tuple[str, ...]:
    """Staff, step and octave."""
    return staff, note.get("pname", ""), note.get("oct", "")


def _define(definition: Element, staves: dict[str | None, _Staff]) -> None:
    """Apply a scoreDef to all staves, or a staffDef to its own."""
    concerned = [staves[definition.get("n")]] if definition.tag == f"{MEI}staffDef" else staves.values()
    key_signature = definition.find(f"{MEI}keySig")
    sig = definition.get("keysig") or definition.get("key.sig")
    for staff in concerned:
        if key_signature is not None:
            staff.key = _signature(key_signature)
        elif sig:
            staff.key = sharps_or_flats(sig)


def _signature(key_signature: Element) -> dict[str, int]:
    """Step (lower case) -> alter of a keySig, which gives a number of sharps or flats or lists single accidentals."""
    listed = {accid.get("pname", ""): ALTER.get(accid.get("accid", ""), 0) for accid in key_signature.iter(f"{MEI}keyAccid")}
    return listed or sharps_or_flats(key_signature.get("sig", "0"))


def in_time_order(measure: Element) -> list[tuple[Fraction, str, Element]]:
    """(onset in whole notes, number of the staff it is printed on, note or keySig)."""
    events: list[tuple[Fraction, str, Element]] = []
    for staff in measure.findall(f"{MEI}staff"):
        for layer in staff.findall(f"{MEI}layer"):
            _collect(layer, Fraction(0), Fraction(1), staff.get("n", ""), events)
    return sorted(events, key=lambda event: event[0])


def _collect(
    element: Element,
    now: Fraction,
    ratio: Fraction,
    staff: str,
    events: list[tuple[Fraction, str, Element]],
) -> Fraction:
    """Append the events of an element that begins at `now`. Returns its end. ratio: of the tuplets around it."""
    staff = element.get("staff", staff)
    if element.tag in (f"{MEI}note", f"{MEI}keySig"):
        events.append((now, staff, element))
    if element.tag == f"{MEI}tuplet":
        ratio *= Fraction(int(element.get("numbase", "2")), int(element.get("num", "3")))
    end = now + _length(element) * ratio
    if element.tag == f"{MEI}chord":
        for note in element:
            _collect(note, now, ratio, staff, events)
        return end
    for child in element:
        end = _collect(child, end, ratio, staff, events)
    return end


def _length(element: Element) -> Fraction:
    """The element's own duration in whole notes; 0 if it has none, as for a grace note."""
    value = element.get("dur", "")
    if element.get("grace") or not (value.isdigit() or value in _WHOLE_NOTES):
        return Fraction(0)
    length = Fraction(1, int(value)) if value.isdigit() else Fraction(_WHOLE_NOTES[value])
    return length * (2 - Fraction(1, 2 ** int(element.get("dots", "0"))))


def _accid(note: Element, name: str) -> str | None:
    """The attribute `name` (accid or accid.ges) of a note or of its accid element."""
    value = sign_of(note, name, MEI)
    if value is not None and value not in ALTER:
        raise EngravingError("microtones", f"accidental {value!r}")
    return value


def written_pitch(note: Element, alter: int) -> int:
    """MIDI pitch of a note's step and octave with this alteration, under an octave line where it sounds."""
    return Pitch(note.attrib["pname"].upper(), int(note.get("oct.ges") or note.attrib["oct"]), alter).midi


def sounding_alter(note: Element) -> int:
    value = _accid(note, "accid.ges") or _accid(note, "accid")
    return ALTER[value] if value else 0
