"""Lays the bars of a score one after another in the order in which they are played."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.octaves import cut_octave_lines
from score_following_game.data_preparation.errors import EngravingError

Element = ElementTree.Element

_SIGNS = ("clef", "keySig", "meterSig")
_ATTRIBUTES = {  # attributes of a definition that say the same as an element inside it: attribute -> (element, its attribute)
    "clef.shape": ("clef", "shape"),
    "clef.line": ("clef", "line"),
    "clef.dis": ("clef", "dis"),
    "clef.dis.place": ("clef", "dis.place"),
    "keysig": ("keySig", "sig"),
    "key.sig": ("keySig", "sig"),
    "meter.count": ("meterSig", "count"),
    "meter.unit": ("meterSig", "unit"),
    "meter.sym": ("meterSig", "sym"),
}
_REFERENCES = ("startid", "endid")

State = dict[tuple[str, str], Element]  # (staff, sign) -> the clef, key or time signature in force


@dataclass
class _Bar:
    """A measure, the definitions before it, and the signs in force at its start and after its end."""

    measure: Element
    definitions: list[Element]
    start: State = field(default_factory=dict)
    after: State = field(default_factory=dict)


def lay_in_order(root: Element, order: Sequence[int], reading: Reading) -> None:
    """Replace the sections of a score by one section with its measures in the given order (indices).

    A measure that comes again is copied; ids in its k-th copy end with -k. After a jump the clefs, key and time signature in
    force at its target are printed where they differ. What connects two bars that do not follow each other is removed, but
    octave lines are divided there, and notes that are tied there by the reading get a tie.
    """
    score = root.find(f".//{MEI}score")
    if score is None:
        raise EngravingError("no notes", "no score")
    bars = _bars(score)
    if not bars:
        raise EngravingError("no notes", "no measures")
    cut_octave_lines([bar.measure for bar in bars], _cuts(order))
    section = Element(f"{MEI}section")
    names = _Names(bars, order)
    for place, index in enumerate(order):
        bar = bars[index]
        if place and order[place - 1] != index - 1:
            section.extend(_changes(bars[order[place - 1]].after, bar.start))
        else:
            section.extend(copy.deepcopy(bar.definitions) if place else [])
        measure = names.measure(place)
        if place and order[place - 1] != index - 1:
            held_from = reading.bars[index].held_from(reading.bars[order[place - 1]])
            names.tie(held_from, section.findall(f"{MEI}measure")[-1], measure, place)
        section.append(measure)
    definitions = [child for child in score if child.tag == f"{MEI}scoreDef"][:1]
    for definition in definitions:
        _begin_with(definition, bars[order[0]].start)
    score[:] = [*definitions, section]
    section[-1].set("right", "end")


def _cuts(order: Sequence[int]) -> set[int]:
    """The bars between which and the one before them there is a jump, wherever either comes."""
    jumps = [index for index, before in zip(order, [-1, *order]) if before != index - 1]
    return {*jumps, *(index + 1 for index, after in zip(order, [*order[1:], -1]) if after != index + 1)}


def _bars(score: Element) -> list[_Bar]:
    bars: list[_Bar] = []
    waiting: list[Element] = []
    state: State = {}
    first = score.find(f"{MEI}scoreDef")
    staves = [staff.get("n", "") for staff in first.iter(f"{MEI}staffDef")] if first is not None else []
    if first is not None:
        _apply(first, state, staves)
    for element in _flat(score):
        if element.tag != f"{MEI}measure":
            waiting.append(element)
            continue
        for definition in waiting:
            _apply(definition, state, staves)
        bar = _Bar(element, waiting, dict(state))
        for staff in element.findall(f"{MEI}staff"):
            for sign in staff.iter():
                if sign.tag.removeprefix(MEI) in _SIGNS:
                    state[staff.get("n", ""), sign.tag.removeprefix(MEI)] = sign
        bar.after = dict(state)
        bars.append(bar)
        waiting = []
    return bars


def _flat(parent: Element) -> Iterator[Element]:
    """The measures and the definitions between them, without the first definition of the score."""
    for place, child in enumerate(parent):
        if child.tag in (f"{MEI}section", f"{MEI}ending", f"{MEI}part", f"{MEI}parts"):
            yield from _flat(child)
        elif child.tag == f"{MEI}measure" or (
            child.tag in (f"{MEI}scoreDef", f"{MEI}staffDef") and not (parent.tag == f"{MEI}score" and not place)
        ):
            yield child


def _apply(definition: Element, state: State, staves: Sequence[str]) -> None:
    """Bring the state up to date with a scoreDef or staffDef."""
    of_all = definition.tag == f"{MEI}scoreDef"
    for staff in staves if of_all else [definition.get("n", "")]:
        for name, sign in _signs(definition):
            state[staff, name] = sign
    if of_all:
        for own in definition.iter(f"{MEI}staffDef"):
            for name, sign in _signs(own):
                state[own.get("n", ""), name] = sign


def _signs(definition: Element) -> list[tuple[str, Element]]:
    """The signs that a definition states itself, by attributes or by elements."""
    signs: dict[str, Element] = {}
    for attribute, (name, own) in _ATTRIBUTES.items():
        if (value := definition.get(attribute)) is not None:
            signs.setdefault(name, Element(MEI + name)).set(own, value)
    signs |= {child.tag.removeprefix(MEI): child for child in definition if child.tag.removeprefix(MEI) in _SIGNS}
    return list(signs.items())


def _changes(now: State, then: State) -> list[Element]:
    """Definitions that lead from one state to another; none if they are the same."""
    changes = [(staff, name, sign) for (staff, name), sign in then.items() if not _same(now.get((staff, name)), sign)]
    definitions: dict[str, Element] = {}
    for staff, _, sign in sorted(changes, key=lambda change: _SIGNS.index(change[1])):
        definitions.setdefault(staff, Element(f"{MEI}staffDef", n=staff)).append(_copy(sign))
    if not definitions:
        return []
    score = Element(f"{MEI}scoreDef")
    ElementTree.SubElement(score, f"{MEI}staffGrp").extend(definitions.values())
    return [score]


def _copy(sign: Element) -> Element:
    """A sign without the ids of the original."""
    own = copy.deepcopy(sign)
    own.tail = None
    for element in own.iter():
        element.attrib.pop(ID, None)
    return own


def _begin_with(definition: Element, state: State) -> None:
    """Let the first definition of a score state what is in force at the first bar that is played, where it differs."""
    begins: State = {}
    _apply(definition, begins, [staff.get("n", "") for staff in definition.iter(f"{MEI}staffDef")])
    if all(_same(begins.get(key), sign) for key, sign in state.items()):
        return
    for holder in (definition, *definition.iter(f"{MEI}staffDef")):
        for attribute in _ATTRIBUTES:
            holder.attrib.pop(attribute, None)
        holder[:] = [child for child in holder if child.tag.removeprefix(MEI) not in _SIGNS]
        number = holder.get("n", "") if holder is not definition else None
        holder[:0] = [_copy(state[number, name]) for name in _SIGNS if number is not None and (number, name) in state]


def _same(first: Element | None, second: Element) -> bool:
    """True if two signs say the same."""
    return first is not None and _content(first) == _content(second)


def _content(sign: Element) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (element.tag, sorted((key, value) for key, value in element.attrib.items() if key != ID)) for element in sign.iter()
    ]


class _Names:
    """The ids of the measures' elements in each place of the order, and the measures with them."""

    def __init__(self, bars: Sequence[_Bar], order: Sequence[int]) -> None:
        self.bars, self.order = bars, order
        times: dict[int, int] = {}
        self.suffix: list[str] = []
        for index in order:
            times[index] = times.get(index, 0) + 1
            self.suffix.append("" if times[index] == 1 else f"-{times[index]}")
        self.home = {
            element.get(ID): index for index, bar in enumerate(bars) for element in bar.measure.iter() if element.get(ID)
        }

    def measure(self, place: int) -> Element:
        """The measure for a place in the order, with its ids and references."""
        measure = copy.deepcopy(self.bars[self.order[place]].measure)
        for element in measure.iter():
            if own := element.get(ID):
                element.set(ID, own + self.suffix[place])
        for parent in list(measure.iter()):
            parent[:] = [child for child in parent if self._refers(child, place)]
        for side in ("left", "right"):
            if measure.get(side, "").startswith("rpt"):
                measure.set(side, "single")
        return measure

    def tie(self, held_from: Mapping[str, str], before: Element, measure: Element, place: int) -> None:
        """Tie notes of a measure to notes of the one before it. held_from: id of the second note -> id of the first."""
        drawn = {note.get(ID) for note in (*before.iter(f"{MEI}note"), *measure.iter(f"{MEI}note"))}
        within = {tie.get("startid"): tie.get("endid", "").lstrip("#") for tie in before.findall(f"{MEI}tie")}
        for second, first in held_from.items():
            start, end = first + self.suffix[place - 1], second + self.suffix[place]
            while within.get(f"#{start}") in drawn:  # a long ABC note is drawn as several
                start = within[f"#{start}"]
            if start in drawn and end in drawn:
                ElementTree.SubElement(before, f"{MEI}tie", startid=f"#{start}", endid=f"#{end}")

    def _refers(self, element: Element, place: int) -> bool:
        """Renew an element's references. False if it refers to a bar that does not follow, here, as in the file."""
        for name in _REFERENCES:
            reference = element.get(name, "").lstrip("#")
            if not reference:
                continue
            there = self._place_of(self.home.get(reference), place)
            if there is None:
                return False
            element.set(name, f"#{reference}{self.suffix[there]}")
        bars_on = element.get("tstamp2", "").partition("m")
        return not (bars_on[1] and bars_on[0].isdigit()) or self._runs(place, place + int(bars_on[0]))

    def _place_of(self, bar: int | None, place: int) -> int | None:
        """The place at which a bar comes, within the run of bars around `place` that follow each other as in the file."""
        there = place + bar - self.order[place] if bar is not None else -1
        return there if self._runs(*sorted((place, there))) else None

    def _runs(self, first: int, last: int) -> bool:
        """True if the bars at these places follow each other as in the file."""
        if first < 0 or last >= len(self.order):
            return False
        return all(self.order[at] == self.order[first] + at - first for at in range(first, last + 1))
