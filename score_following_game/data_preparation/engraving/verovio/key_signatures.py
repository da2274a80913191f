"""Draws the naturals that end a key signature where the engraver draws nothing, as if the old one still held."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.verovio.accidentals import MEI

_ATTRIBUTES = ("keysig", "key.sig")
_PARENTS = (f"{MEI}score", f"{MEI}section", f"{MEI}ending")
_ORDER = "fcgdaeb"  # of sharps; that of flats is the opposite one

Element = ElementTree.Element


def draw_naturals(root: Element) -> None:
    """Write the naturals of a key without signs that begins within a bar, or after a key that lists its signs.

    From the next bar on the key is one without signs again, so that later systems do not begin with naturals.
    """
    signs: dict[str, list[str]] = {}  # staff -> steps of its key signature
    listed: set[str] = set()  # staves whose key lists its signs
    for parent in [parent for parent in root.iter() if parent.tag in _PARENTS]:
        for element in list(parent):
            cancelled: set[str] = set()
            for staff, holder, key in list(_keys(element, {*signs})):
                own = _steps(key)
                if not own and signs.get(staff) and (element.tag == f"{MEI}measure" or staff in listed):
                    _write_naturals(holder, key, signs[staff])
                    cancelled.add(staff)
                signs[staff] = own
                listed = listed | {staff} if key.find(f"{MEI}keyAccid") is not None else listed - {staff}
            if cancelled:
                measures = [child for child in parent if child.tag == f"{MEI}measure"]
                later = [child for child in measures if list(parent).index(child) >= list(parent).index(element)]
                if later:
                    parent.insert(list(parent).index(later[0]) + 1, _without_signs(cancelled))


def _keys(element: Element, staves: set[str]) -> Iterator[tuple[str, Element, Element]]:
    """(staff, element that holds it, key signature) of each key in a definition or measure; of an attribute, a new element."""
    if element.tag == f"{MEI}measure":
        for own in element.findall(f"{MEI}staff"):
            for holder in list(own.iter()):
                for sign in holder.findall(f"{MEI}keySig"):
                    yield own.get("n", ""), holder, sign
    elif element.tag == f"{MEI}scoreDef":
        inner = list(element.iter(f"{MEI}staffDef"))
        if (key := _key_of(element)) is not None:
            for staff in sorted(staves | {own.get("n", "") for own in inner}):
                yield staff, element, key
        for own in inner:
            if (key := _key_of(own)) is not None:
                yield own.get("n", ""), own, key
    elif element.tag == f"{MEI}staffDef" and (key := _key_of(element)) is not None:
        yield element.get("n", ""), element, key


def _key_of(definition: Element) -> Element | None:
    key = definition.find(f"{MEI}keySig")
    if key is not None:
        return key
    sig = next((definition.get(name) for name in _ATTRIBUTES if definition.get(name) is not None), None)
    return None if sig is None else Element(f"{MEI}keySig", sig=sig)


def _steps(key: Element) -> list[str]:
    own = key.findall(f"{MEI}keyAccid")
    if own:
        return [sign.get("pname", "") for sign in own if sign.get("accid") != "n"]
    sig = key.get("sig", "0")
    count = int(sig[0]) if sig[:1].isdigit() else 0
    return list((_ORDER if sig.endswith("s") else _ORDER[::-1])[:count])


def _write_naturals(holder: Element, key: Element, steps: list[str]) -> None:
    if key not in list(holder):
        for name in _ATTRIBUTES:
            holder.attrib.pop(name, None)
        holder.insert(0, key)
    for name in ("sig", "cancelaccid"):
        key.attrib.pop(name, None)
    key[:] = [Element(f"{MEI}keyAccid", pname=step, accid="n") for step in steps]


def _without_signs(staves: set[str]) -> Element:
    score = Element(f"{MEI}scoreDef")
    group = ElementTree.SubElement(score, f"{MEI}staffGrp")
    for staff in sorted(staves):
        ElementTree.SubElement(ElementTree.SubElement(group, f"{MEI}staffDef", n=staff), f"{MEI}keySig", sig="0")
    return score
