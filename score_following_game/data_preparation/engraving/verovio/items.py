"""The notes, chords and rests of a layer, with their times."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.read_bar import ReadNote
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.values import value_of

_WRAPPERS = {"beam", "tuplet", "bTrem", "fTrem", "graceGrp"}
_TIMED = {"note", "chord", "rest", "mRest", "space", "mSpace"}

Element = ElementTree.Element


@dataclass
class Item:
    """A note, chord or rest of a layer, with the grace notes, clefs and the like before it.

    onset, duration: quarters, as the engraver has them; the layer may be given those of the file.  ratio: of the tuplets
    around it.  beam: number of its beam in the layer, None outside of beams.
    """

    element: Element
    onset: Fraction
    duration: Fraction
    ratio: Fraction
    beam: int | None
    before: list[Element] = field(default_factory=list)
    nested: bool = False


def items_of(layer: Element) -> tuple[list[Item], list[Element]]:
    """The items of a layer in their order, and what follows the last of them."""
    items: list[Item] = []
    waiting: list[Element] = []
    beams = 0

    def take(parent: Element, ratio: Fraction, beam: int | None, tuplets: int) -> None:
        nonlocal beams
        for child in parent:
            tag = child.tag.removeprefix(MEI) if isinstance(child.tag, str) else ""
            if child.get("grace") or tag == "graceGrp" or (tag == "beam" and all(note.get("grace") for note in _leaves(child))):
                waiting.append(child)
            elif tag in _WRAPPERS:
                inner = ratio
                if tag == "tuplet":
                    inner *= Fraction(int(child.get("numbase", "2")), int(child.get("num", "3")))
                beams += tag == "beam"
                take(child, inner, beams if tag == "beam" else beam, tuplets + (tag == "tuplet"))
            elif tag in _TIMED:
                value = value_of(child)
                onset = items[-1].onset + items[-1].duration if items else Fraction(0)
                duration = value.quarters * ratio if value else Fraction(0)
                items.append(Item(child, onset, duration, ratio, beam, waiting[:], tuplets > 1))
                waiting.clear()
            elif tag:
                waiting.append(child)

    take(layer, Fraction(1), None, 0)
    return items, waiting


def _leaves(element: Element) -> list[Element]:
    return [child for child in element.iter() if child.tag in (f"{MEI}note", f"{MEI}chord", f"{MEI}rest")]


def note_of(item: Item, read: dict[str, ReadNote]) -> ReadNote | None:
    """The note of the file that an item stands for; for a chord its first note."""
    ids = [item.element.get(ID, ""), *(note.get(ID, "") for note in item.element.findall(f"{MEI}note"))]
    return next((read[id_] for id_ in ids if id_ in read), None)
