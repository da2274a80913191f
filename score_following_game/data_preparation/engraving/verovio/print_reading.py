"""Reads the drawn sheet as a person does: from clef, key signature, accidentals and the heights of the heads to the notes.

It is a third reading, independent of the engraver's MEI and of the file: a head that shows another note than is played must not
become one of the piece's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.style import SVG_PER_SPACE
from score_following_game.data_preparation.engraving.svg import SVG
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI, sounding_alter
from score_following_game.data_preparation.engraving.verovio.layout import Layout, System, glyph_of, horizontal_line, moved

_STEPS = "cdefgab"
_G4, _F3, _C4 = 4 * 7 + 4, 3 * 7 + 3, 4 * 7  # steps above C0
_CLEFS = {  # SMuFL glyph -> the note on the clef's line, in steps above C0
    **{"E050": _G4, "E051": _G4 - 14, "E052": _G4 - 7, "E053": _G4 + 7, "E054": _G4 + 14, "E07A": _G4},
    **{"E05C": _C4, "E05D": _C4 - 7, "E07B": _C4},
    **{"E062": _F3, "E063": _F3 - 14, "E064": _F3 - 7, "E065": _F3 + 7, "E066": _F3 + 14, "E07C": _F3},
}
_SIGNS = {"E260": -1, "E261": 0, "E262": 1, "E263": 2, "E264": -2, "E267": -1, "E268": 1, "E269": 2}  # glyph -> alter
_BRACKETS = {"E26A", "E26B", "E26C", "E26D"}  # around a sign
_CLASSES = ("measure", "staff", "note", "notehead", "accid", "keyAccid", "keySig", "clef")

Element = ElementTree.Element


@dataclass(frozen=True)
class _Place:
    """Where in the drawing an element is: ids of the elements around it.  lines: y of its staff's lines.  x, y: its own."""

    within: dict[str, str]
    number: int = 0  # of the staff in its measure, from 1
    lines: tuple[float, ...] = ()
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class _Mark:
    """A clef, a sign of a key signature, an accidental or a notehead."""

    kind: str
    place: _Place
    glyph: str


@dataclass
class _Staff:
    """What holds for the heads to come. bottom: steps above C0 of the lowest line, None after an unknown clef."""

    bottom: int | None = None
    key: dict[int, int] = field(default_factory=dict)  # step 0 to 6 -> alter
    key_id: str = ""


def misprints(layout: Layout, mei: str) -> dict[str, str]:
    """The heads that would be read as another note than the MEI has: id of the note -> bar, staff, what it shows and plays.

    Heads that continue a tie or are not played are not compared, nor are those after a clef or with a sign that is not known.
    """
    found: dict[str, str] = {}
    root = ElementTree.fromstring(mei)
    compared = {note.id for note in layout.notes if not note.tied}
    notes = {id_: note for note in root.iter(f"{MEI}note") if (id_ := note.get(ID, "")) in compared}
    crossing = dict(_crossing(root))
    for system in layout.systems:
        staves: dict[int, _Staff] = defaultdict(_Staff)
        for marks in _measures(system, crossing):
            _read_measure(marks, staves, notes, found)
    return found


def _crossing(root: Element) -> Iterator[tuple[str, int]]:
    """(id, number of the staff on which it is drawn) of each note that says one; SVG groups it with the staff of its voice."""
    for holder in root.iter():
        if holder.tag in (f"{MEI}note", f"{MEI}chord", f"{MEI}beam") and (staff := holder.get("staff", "")).isdigit():
            for note in holder.iter(f"{MEI}note"):
                yield note.get(ID, ""), int(staff)


def _read_measure(marks: Sequence[_Mark], staves: dict[int, _Staff], notes: dict[str, Element], found: dict[str, str]) -> None:
    signs: dict[tuple[int, int], int | None] = {}  # (staff, steps above C0) -> alter since the bar line, None if unknown
    own = _own_signs(marks)
    of_notes = {id(mark) for mark in own.values()}
    for mark in sorted(marks, key=lambda mark: mark.place.x):
        staff, height = staves[mark.place.number], _height(mark.place)
        if mark.kind == "clef":
            line = _CLEFS.get(mark.glyph)
            staff.bottom = None if line is None else line - height
        elif mark.kind == "key":
            if staff.key_id != mark.place.within["keySig"]:
                staff.key, staff.key_id = {}, mark.place.within["keySig"]
            if staff.bottom is not None:
                staff.key[(staff.bottom + height) % 7] = _SIGNS.get(mark.glyph, 0)
        elif staff.bottom is not None:
            steps = staff.bottom + height
            place = mark.place.number, steps
            if mark.kind == "accid":
                if id(mark) not in of_notes:
                    signs[place] = _SIGNS.get(mark.glyph)
                continue
            name = mark.place.within["note"]
            if name in own:
                signs[place] = _SIGNS.get(own[name].glyph)
            alter = signs[place] if place in signs else staff.key.get(steps % 7, 0)
            note = notes.get(name)
            if note is not None and alter is not None and (difference := _difference(note, steps, alter, mark.place)):
                found.setdefault(name, difference)


def _own_signs(marks: Sequence[_Mark]) -> dict[str, _Mark]:
    """Id of a note -> its sign, which stands at its height or, as an editor's, above or below its head.

    Any other sign holds for the height at which it stands.
    """
    heads = {mark.place.within["note"]: mark.place for mark in marks if mark.kind == "head"}
    own: dict[str, _Mark] = {}
    for mark in marks:
        head = heads.get(mark.place.within.get("note", "")) if mark.kind == "accid" else None
        if head is not None and (_height(mark.place) == _height(head) or mark.place.x > head.x - SVG_PER_SPACE / 2):
            own[mark.place.within["note"]] = mark
    return own


def _difference(note: Element, steps: int, alter: int, place: _Place) -> str:
    """What is shown and played, "" if it is the same."""
    written = 7 * int(note.attrib["oct"]) + _STEPS.index(note.attrib["pname"])
    if (steps, alter) == (written, sounding_alter(note)):
        return ""
    shown, played = _name(steps, alter), _name(written, sounding_alter(note))
    return f"{place.within['measure']}, staff {place.number}: it shows {shown} where {played} is played"


def _name(steps: int, alter: int) -> str:
    return f"{_STEPS[steps % 7].upper()}{'#' * alter}{'b' * -alter}{steps // 7}"


def _height(place: _Place) -> int:
    """Steps above the lowest line of the staff."""
    return round((place.lines[-1] - place.y) / (SVG_PER_SPACE / 2))


def _measures(system: System, crossing: dict[str, int]) -> Iterator[list[_Mark]]:
    """The marks of each measure of a system, with the staff on which each is drawn."""
    measures: dict[str, list[_Mark]] = defaultdict(list)
    lines: dict[tuple[str, int], tuple[float, ...]] = {}
    for mark in _marks(system.svg, _Place({}), {}, lines):
        measures[mark.place.within["measure"]].append(mark)
    for name, marks in measures.items():
        yield [_on_its_staff(mark, crossing.get(mark.place.within.get("note", "")), name, lines) for mark in marks]


def _on_its_staff(mark: _Mark, number: int | None, measure: str, lines: dict[tuple[str, int], tuple[float, ...]]) -> _Mark:
    if number is None or (measure, number) not in lines:
        return mark
    return replace(mark, place=replace(mark.place, number=number, lines=lines[measure, number]))


def _marks(
    element: Element, place: _Place, counted: dict[str, int], lines: dict[tuple[str, int], tuple[float, ...]]
) -> Iterator[_Mark]:
    if element.get("visibility") == "hidden":
        return
    dx, dy = moved(element)
    place = replace(place, x=place.x + dx, y=place.y + dy)
    for name in (element.get("class") or "").split():
        if name in _CLASSES:
            place = replace(place, within=place.within | {name: element.get("id", "")})
        if name == "staff":
            measure = place.within.get("measure", "")
            counted[measure] = counted.get(measure, 0) + 1
            drawn = sorted(place.y + line[1] for line in map(horizontal_line, element.findall(f"{SVG}path")) if line)
            place = replace(place, number=counted[measure], lines=tuple(drawn))
            lines[measure, place.number] = place.lines
    if element.tag == f"{SVG}use" and place.lines and (found := glyph_of(element)) is not None:
        code, x, y, _ = found
        kinds = {"clef": "clef", "keySig": "key", "accid": "accid", "notehead": "head"}
        kind = next((kind for name, kind in kinds.items() if name in place.within), "")
        if kind and code not in _BRACKETS and (kind not in ("accid", "head") or "note" in place.within):
            yield _Mark(kind, replace(place, x=place.x + x, y=place.y + y), code)
    for child in element:
        yield from _marks(child, place, counted, lines)
