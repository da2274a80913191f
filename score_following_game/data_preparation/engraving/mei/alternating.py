"""Time signatures that hold in turn (meterSigGrp), where whole-bar rests depend on whose turn it is."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.definitions import meter_of_sign
from score_following_game.data_preparation.errors import EngravingError

_DEFINITIONS = ("scoreDef", "staffDef")
_TIMED = ("note", "rest", "space")

Element = ElementTree.Element


def write_out_meters(score: Element) -> None:
    """Write the time signatures of alternating groups to their bars, if the length of one of these follows from nothing else.

    An incomplete first bar (metcon) has no turn of its own. Raises EngravingError, naming the bar, for such a bar where no
    order of the time signatures is stated, or where an incomplete bar makes it unclear.
    """
    definitions: list[Element] = []
    bars: list[tuple[Element, Element]] = []
    for parent, element in [*_in_order(score)]:
        if element.tag == "measure":
            bars.append((parent, element))
        elif element.find(".//meterSigGrp") is not None or _states_meter(element):
            _write_out(definitions, bars)
            definitions, bars = ([] if bars else definitions) + [element], []
    _write_out(definitions, bars)


def _in_order(parent: Element) -> Iterator[tuple[Element, Element]]:
    """(parent, definition or measure), without those inside them."""
    for child in parent:
        if child.tag in (*_DEFINITIONS, "measure"):
            yield parent, child
        else:
            yield from _in_order(child)


def _states_meter(definition: Element) -> bool:
    return any(
        part.tag == "meterSig" or (part.tag in _DEFINITIONS and (part.get("meter.count") or part.get("meter.sym")))
        for part in definition.iter()
    )


def _write_out(definitions: list[Element], bars: list[tuple[Element, Element]]) -> None:
    """The bars over which these definitions hold."""
    groups = [(parent, group) for top in definitions for parent in top.iter() for group in parent.findall("meterSigGrp")]
    groups = [(parent, group) for parent, group in groups if group.get("func") not in ("mixed", None)]
    unknown = [bar for _, bar in bars if not _is_timed(bar)]
    if not groups or not unknown:
        return
    signs = groups[0][1].findall("meterSig")
    lengths = {(4 * meter[0] / meter[1] if meter else 0) for meter in map(meter_of_sign, signs)}
    if len(lengths) < 2:
        return
    begins = bars[0][1].get("metcon") == "false"
    incomplete = next((bar for _, bar in bars[1:-1] if bar.get("metcon") == "false"), None)
    if any(group.get("func") != "alternating" for _, group in groups) or incomplete is not None:
        name = (unknown[0] if incomplete is None else incomplete).get("n") or "?"
        raise EngravingError("unreadable", f"bar {name}: whole-bar rests, and no clear order of the meters; write their length")
    for parent, group in groups:
        place = list(parent).index(group)
        parent[place] = signs[0]
    for turn, (parent, bar) in enumerate(bars[begins:]):
        if turn:
            definition = Element("scoreDef")
            definition.append(ElementTree.Element("meterSig", signs[turn % len(signs)].attrib))
            parent.insert(list(parent).index(bar), definition)


def _is_timed(bar: Element) -> bool:
    """Whether every staff of a bar has something with a length of its own."""
    staves = bar.findall("staff")
    return bool(staves) and all(any(part.tag in _TIMED for part in staff.iter()) for staff in staves)
