"""Writes out the repeated bars and beats and the tremolos of an MEI file, so that both readings see every note."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.mei.definitions import StaffState
from score_following_game.data_preparation.engraving.mei.places import target
from score_following_game.data_preparation.engraving.mei.timing import layer_length
from score_following_game.data_preparation.engraving.mei.tremolo import write_out_strokes
from score_following_game.data_preparation.engraving.mei.values import whole
from score_following_game.data_preparation.errors import EngravingError

_BARS = {"mRpt": 1, "mRpt2": 2, "multiRpt": 0}  # sign -> bars that it repeats; multiRpt says itself how many
_BEATS = ("beatRpt", "halfmRpt")
_EARLIER_COPY = re.compile(r"-bar\d+$")
_COPIED = ("tie", "tupletSpan")

Element = ElementTree.Element


def write_out(measures: Sequence[Element], index: int, staves: Mapping[str, StaffState]) -> None:
    """Write out the abbreviations of one measure; those before it must be written out. staves: at its start.

    Raises EngravingError for a sign with nothing before it to repeat.
    """
    measure = measures[index]
    for staff, layer in _layers(measure):
        name = staff.get("n") or ""
        sign = next((element for element in layer.iter() if element.tag in _BARS), None)
        if sign is not None:
            back = whole(sign, "num", 2, 1, 99) if sign.tag == "multiRpt" else _BARS[sign.tag]
            for later in range(index, min(index + back, len(measures))):
                _repeat_bar(measures, later, back, name, layer.get("n") or "1", sign.tag)
        if name in staves:
            _repeat_beats(measures, index, layer, staves[name], name)
            write_out_strokes(layer, staves[name], measure)


def _layers(measure: Element) -> list[tuple[Element, Element]]:
    return [(staff, layer) for staff in measure.iter("staff") for layer in staff.iter("layer")]


def _find(measure: Element, staff: str, layer: str) -> Element | None:
    """The layer with these numbers; the staff's first if it has no such layer."""
    layers = [(of.get("n") or "", found) for of, found in _layers(measure)]
    mine = [found for name, found in layers if name == staff]
    return next((found for found in mine if (found.get("n") or "1") == layer), mine[0] if mine else None)


def _repeat_bar(measures: Sequence[Element], index: int, back: int, staff: str, layer: str, sign: str) -> None:
    into = _find(measures[index], staff, layer)
    source = _find(measures[index - back], staff, layer) if index >= back else None
    if into is None or source is None or source is into:
        raise EngravingError("abbreviated notation", f"staff {staff}: {sign} with nothing to repeat")
    into[:] = _copies(list(source), f"bar{index}", measures[index - back], measures[index], staff)


def _repeat_beats(measures: Sequence[Element], index: int, layer: Element, state: StaffState, staff: str) -> None:
    """Replace signs for a beat or half a bar by what comes just before them, in this bar or at the end of the last."""
    measure, serial = measures[index], 0
    for parent in list(layer.iter()):
        while (sign := next((child for child in parent if child.tag in _BEATS), None)) is not None:
            place = list(parent).index(sign)
            earlier = _find(measures[index - 1], staff, layer.get("n") or "1") if index and parent is layer else None
            known = [*(() if earlier is None else earlier), *list(parent)[:place]]
            before = _last(known, _span(sign, state), state, staff, sign.tag)
            of = measure if place and before[0] in list(parent) else measures[max(index - 1, 0)]
            parent[place : place + 1] = _copies(before, f"beat{index}x{serial}", of, measure, staff)
            serial += 1


def _span(sign: Element, state: StaffState) -> Fraction:
    """The quarters that the sign repeats."""
    if sign.tag == "halfmRpt":
        return state.bar / 2
    count, unit = state.meter or (4, 4)
    beats = whole(sign, "beatdef", 3 if count % 3 == 0 and count > 3 and unit >= 8 else 1, 1, 99)
    return Fraction(4 * beats, unit)


def _last(elements: Sequence[Element], span: Fraction, state: StaffState, staff: str, sign: str) -> list[Element]:
    """The elements that last `span` together, at the end of these."""
    for start in range(len(elements) - 1, -1, -1):
        length = layer_length(elements[start:], state)
        if length == span:
            return list(elements[start:])
        if length > span:
            break
    raise EngravingError("abbreviated notation", f"staff {staff}: {sign} does not follow {float(span):g} quarters of music")


def _copies(elements: Sequence[Element], suffix: str, of: Element, into: Element, staff: str) -> list[Element]:
    """Copies with new ids, and copies of the ties and tuplets among them in the measure `into`."""
    copies = [deepcopy(element) for element in elements]
    names: dict[str, str] = {}
    for element in (inner for copy in copies for inner in copy.iter() if inner.get(ID)):
        name = element.get(ID, "")
        names[name] = f"{_EARLIER_COPY.sub('', name)}-{suffix}" if suffix.startswith("bar") else f"{name}-{suffix}"
        element.set(ID, names[name])
    into.extend(_controls(of, names, staff, of is not into))
    return copies


def _controls(measure: Element, names: Mapping[str, str], staff: str, whole_bar: bool) -> Iterator[Element]:
    """Copies of the ties and tuplet spans among elements with these ids; of a whole bar, also of those named by staff."""
    for element in list(measure):
        if element.tag not in _COPIED:
            continue
        ends = [target(element, name) for name in ("startid", "endid") if element.get(name)]
        if not (all(end in names for end in ends) if ends else whole_bar):
            continue
        if not ends and staff not in (element.get("staff") or "").split():
            continue
        copy = deepcopy(element)
        copy.attrib.pop(ID, None)
        for name in ("startid", "endid"):
            if copy.get(name):
                copy.set(name, f"#{names[target(copy, name)]}")
        yield copy
