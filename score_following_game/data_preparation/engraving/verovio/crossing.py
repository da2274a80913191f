"""Notes that are written on another staff than that of their voice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI

Element = ElementTree.Element


def take_crossing(root: Element, staves: Sequence[str], kept: Sequence[str]) -> dict[str, str]:
    """Put spaces for the notes of voices of the kept staves that are written on another one.

    staves: @n of all staves.  kept: of those that are kept. Returns the ids of all notes between a kept staff and another, also
    of those that go with the voice of another staff, and the kept one of the two.
    """
    crossing: dict[str, str] = {}

    def take(parent: Element, home: str, around: str) -> None:
        for place, child in enumerate(list(parent)):
            on = child.get("staff", around)
            on = on if on in staves else around
            if child.tag != f"{MEI}note":
                take(child, home, on)
                if child.tag == f"{MEI}chord" and child.find(f"{MEI}note") is None:
                    parent[place] = _space(child)
            elif (home in kept) != (on in kept):
                crossing[child.get(ID, "")] = home if home in kept else on
                if home in kept and parent.tag == f"{MEI}chord":
                    parent.remove(child)
                elif home in kept:
                    parent[place] = _space(child)

    for staff in root.iter(f"{MEI}staff"):
        take(staff, staff.get("n", ""), staff.get("n", ""))
    return crossing


def bring_home(root: Element) -> None:
    """Move a layer whose notes are all written on one other staff of its bar to that staff.

    The engraver puts the first voice of a bar of MusicXML on the part's first staff, whatever staff its notes name. Its clefs
    and the places of its rests are then those of another staff.
    """
    for measure in root.iter(f"{MEI}measure"):
        staves = {staff.get("n", ""): staff for staff in measure.findall(f"{MEI}staff")}
        for n, staff in staves.items():
            for layer in staff.findall(f"{MEI}layer"):
                named = {on for _, on in written_staves(layer, n)}
                if len(named) == 1 and (other := named.pop()) != n and other in staves:
                    staff.remove(layer)
                    _leave_clefs(staff, layer)
                    _add_layer(staves[other], layer)


def written_staves(element: Element, home: str) -> Iterator[tuple[Element, str]]:
    """The notes of an element, each with the staff that it is written on. home: that of notes that name none."""
    on = element.get("staff", home)
    if element.tag == f"{MEI}note":
        yield element, on
    for child in element:
        yield from written_staves(child, on)


def _leave_clefs(staff: Element, layer: Element) -> None:
    """Clefs in a layer that is moved away are those of the staff that it was on. Their times are mended later (clefs.py)."""
    for parent in list(layer.iter()):
        clefs = [child for child in parent if child.tag == f"{MEI}clef"]
        parent[:] = [child for child in parent if child.tag != f"{MEI}clef"]
        if clefs:
            others = staff.findall(f"{MEI}layer") or [ElementTree.SubElement(staff, f"{MEI}layer", n="1")]
            others[0].extend(clefs)


def _add_layer(staff: Element, layer: Element) -> None:
    numbers = {other.get("n") for other in staff.findall(f"{MEI}layer")}
    if layer.get("n") in numbers:
        layer.set("n", next(str(n) for n in range(1, len(numbers) + 2) if str(n) not in numbers))
    for element in layer.iter():
        element.attrib.pop("staff", None)
    staff.append(layer)


def _space(of: Element) -> Element:
    """As long as a note or chord; a grace note becomes one without any time, which is dropped with the others."""
    return Element(f"{MEI}space", {name: text for name in ("dur", "dots", "grace") if (text := of.get(name)) is not None})
