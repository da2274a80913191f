"""Puts the clefs that change within a bar at their time in every layer of their staff.

In MEI a clef holds for its own layer only; other layers need a copy of it (sameas). The engraver puts such copies a note too
early, and writes a clef that belongs to the bar line behind the last note of a layer, even of one that ends before the bar.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.read_bar import ReadClef, ReadNote
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.items import items_of, note_of

Element = ElementTree.Element
Change = tuple[Fraction, Element]  # (quarters after the start of the bar, clef)


def take_clefs(staff: Element, read: dict[str, ReadNote], length: Fraction) -> list[Change]:
    """Remove the clefs from the layers of a bar's staff. One behind the last note of a layer belongs to the end of the bar.

    length: of the bar, in quarters.
    """
    changes: list[Change] = []
    for layer in staff.findall(f"{MEI}layer"):
        items, rest = items_of(layer)
        for item in items:
            of = note_of(item, read)
            changes += [(item.onset if of is None else of.onset, clef) for clef in item.before if _is_new(clef)]
        behind = [clef for clef in rest if _is_new(clef)]
        ended = items[-1].onset + items[-1].duration if items else Fraction(0)
        changes += [(min(ended, length), clef) for clef in behind[:-1]]  # of two clefs only the second is at the bar line
        changes += [(length, clef) for clef in behind[-1:]]
        for parent in list(layer.iter()):
            parent[:] = [child for child in parent if child.tag != f"{MEI}clef"]
    return sorted(changes, key=lambda change: change[0])


def at_stated_times(changes: Sequence[Change], clefs: Sequence[ReadClef]) -> list[Change]:
    """Put the changes of a staff where the file states them: the engraver may move a clef to the next note of another voice.

    clefs: of this bar and staff in the file.
    """
    moved = list(changes)
    left = set(range(len(moved)))
    for clef in clefs:
        if fitting := [index for index in left if _is(moved[index][1], clef)]:
            nearest = min(fitting, key=lambda index: abs(moved[index][0] - clef.onset))
            moved[nearest] = clef.onset, moved[nearest][1]
            left.remove(nearest)
    return sorted(moved, key=lambda change: change[0])


def _is(element: Element, clef: ReadClef) -> bool:
    octaves = {"8": 1, "15": 2}.get(element.get("dis", ""), 0) * (-1 if element.get("dis.place") == "below" else 1)
    return (element.get("shape"), element.get("line"), octaves) == (clef.shape, str(clef.line), clef.octaves)


def put_clefs(staff: Element, changes: Sequence[Change]) -> None:
    """Put each clef before the first note at its time or later of each layer, at the end of a layer that has none.

    Every layer needs it: in the next bar the engraver takes the clef of the last layer for the whole staff. Of several at one
    time the last counts.
    """
    for time, clef in dict(changes).items():
        layers = staff.findall(f"{MEI}layer")
        following = [next((item for item in items_of(layer)[0] if item.onset >= time), None) for layer in layers]
        # It is drawn where it is no copy: in the layer whose next note is the first.
        own = min(range(len(layers)), key=lambda index: math.inf if (item := following[index]) is None else item.onset)
        for index, (layer, item) in enumerate(zip(layers, following)):
            written_here = clef if index == own else _same(clef)
            if item is None:
                layer.append(written_here)
            else:
                _put_before(layer, item.element, written_here)


def drop_replaced_clefs(measures: Sequence[Element]) -> None:
    """Remove the clefs at the end of a bar's staff where the next bar begins with others."""
    for measure, following in itertools.pairwise(measures):
        for staff in measure.findall(f"{MEI}staff"):
            layers = following.findall(f"{MEI}staff[@n='{staff.get('n')}']/{MEI}layer")
            if not any(len(layer) and _is_new(layer[0]) for layer in layers):
                continue
            for layer in staff.findall(f"{MEI}layer"):
                while len(layer) and layer[-1].tag == f"{MEI}clef":
                    layer.remove(layer[-1])


def drop_replaced_in_definitions(root: Element) -> None:
    """Of several clefs in the definition of a staff keep the last."""
    for definition in root.iter(f"{MEI}staffDef"):
        for replaced in definition.findall(f"{MEI}clef")[:-1]:
            definition.remove(replaced)


def draw_first_clefs(root: Element) -> None:
    """Draw the G clef, by which the engraver places the heads of a staff that begins without a clef."""
    score, measure = root.find(f".//{MEI}score/{MEI}scoreDef"), root.find(f".//{MEI}measure")
    if score is None or score.find(f"{MEI}clef") is not None or score.get("clef.shape"):
        return
    for staff in score.iter(f"{MEI}staffDef"):
        first = None if measure is None else measure.find(f"{MEI}staff[@n='{staff.get('n')}']/{MEI}layer/*")
        begins = first is not None and first.tag == f"{MEI}clef"
        if not begins and staff.find(f"{MEI}clef") is None and not staff.get("clef.shape"):
            staff.insert(0, Element(f"{MEI}clef", shape="G", line="2"))


def _is_new(element: Element) -> bool:
    """True for a clef that is no copy of another layer's."""
    return element.tag == f"{MEI}clef" and element.get("sameas") is None


def _same(clef: Element) -> Element:
    return Element(f"{MEI}clef", sameas=f"#{clef.get(ID)}") if clef.get(ID) else Element(f"{MEI}clef", clef.attrib)


def _put_before(layer: Element, element: Element, clef: Element) -> None:
    """Put a clef before an element of a layer, and before the beam or tuplet that begins with it."""
    parents = {child: parent for parent in layer.iter() for child in parent}
    while parents[element] is not layer and parents[element][0] is element:
        element = parents[element]
    parent = parents[element]
    parent.insert(list(parent).index(element), clef)
