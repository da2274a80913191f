"""Tuplets that are not elements around their notes: tupletSpan, and the attribute tuplet="i1" ... "t1"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.mei.definitions import StaffState
from score_following_game.data_preparation.engraving.mei.places import place, target
from score_following_game.data_preparation.engraving.mei.timing import Event, given_ratio, likely_ratio, read_layers
from score_following_game.data_preparation.engraving.mei.values import written_length
from score_following_game.data_preparation.errors import EngravingError

_TIMED = ("note", "rest", "chord", "space")

Element = ElementTree.Element
Ratios = dict[str, Fraction]


def span_ratios(measure: Element, staves: Mapping[str, StaffState], meter_unit: int) -> Ratios:
    """id -> ratio of the spans around it, for the notes, chords, rests and spaces of one measure."""
    ratios: Ratios = {}
    layers = list(_layers(measure))
    for staff, _, items in layers:
        for group in _marked(items):
            _multiply(ratios, group, likely_ratio(_written(group), staves.get(staff) or StaffState(1)))
    spans = list(measure.iter("tupletSpan"))
    for span in spans:
        if target(span, "startid") and target(span, "endid"):
            _by_reference(span, layers, staves, ratios)
    timed = [span for span in spans if not (target(span, "startid") and target(span, "endid")) and span.get("tstamp")]
    for span in sorted(timed, key=lambda span: place(span, "tstamp", meter_unit)[1]):
        _by_time(span, measure, staves, meter_unit, ratios)
    return ratios


def _layers(measure: Element) -> Iterator[tuple[str, str, list[Element]]]:
    for staff in measure.iter("staff"):
        for layer in staff.iter("layer"):
            inside = {id(note) for chord in layer.iter("chord") for note in chord.iter("note")}
            items = [item for item in layer.iter() if item.tag in _TIMED and id(item) not in inside]
            yield staff.get("n") or "", layer.get("n") or "1", items


def _marked(items: Sequence[Element]) -> Iterator[list[Element]]:
    """The groups of a layer that are marked with the attribute `tuplet`, such as "i1", "m1" and "t1"."""
    open_groups: dict[str, list[Element]] = {}
    for item in items:
        for kind, number in re.findall(r"([imt])([1-6])", item.get("tuplet") or ""):
            if kind == "i":
                open_groups[number] = []
        for group in open_groups.values():
            group.append(item)
        for kind, number in re.findall(r"([imt])([1-6])", item.get("tuplet") or ""):
            if kind == "t" and number in open_groups:
                yield open_groups.pop(number)


def _by_reference(
    span: Element, layers: Sequence[tuple[str, str, list[Element]]], staves: Mapping[str, StaffState], ratios: Ratios
) -> None:
    first, last = target(span, "startid"), target(span, "endid")
    for staff, _, items in layers:
        names = [{item.get(ID), *(note.get(ID) for note in item.iter("note"))} for item in items]
        starts = [index for index, ids in enumerate(names) if first in ids]
        ends = [index for index, ids in enumerate(names) if last in ids]
        if starts and ends and starts[0] <= ends[0]:
            group = items[starts[0] : ends[0] + 1]
            _multiply(ratios, group, _ratio(span, _written(group), staves.get(staff)))
            return
    raise EngravingError("unreadable", "a tupletSpan without its notes")


def _by_time(span: Element, measure: Element, staves: Mapping[str, StaffState], meter_unit: int, ratios: Ratios) -> None:
    """The notes from tstamp to tstamp2, which names the last note or the end."""
    bars, end = place(span, "tstamp2", meter_unit)
    _, start = place(span, "tstamp", meter_unit)
    events, _ = read_layers(measure, staves, ratios)
    layer = [event for event in events if _concerns(span, event) and event.onset >= start and not event.grace]
    if bars or end <= start or not layer:
        raise EngravingError("unreadable", "a tupletSpan without its notes")
    ratio = _ratio(span, sum((e.duration for e in _firsts(layer) if e.onset < end), Fraction(0)), staves.get(layer[0].staff))
    names: list[str] = []
    now = start
    for event in _firsts(layer):
        if now > end or (now == end and _is_whole(names, now - start)):
            break
        names.append(event.chord or event.id)
        now += event.duration * ratio
    for name in names:
        ratios[name] = ratios.get(name, Fraction(1)) * ratio


def _is_whole(names: Sequence[str], length: Fraction) -> bool:
    """Whether these notes are a whole tuplet: their length is one that plain notes can have."""
    return len(names) > 1 and length.denominator & (length.denominator - 1) == 0


def _concerns(span: Element, event: Event) -> bool:
    staff, layer = span.get("staff"), span.get("layer")
    return (not staff or event.staff in staff.split()) and (not layer or event.layer in layer.split())


def _firsts(events: Sequence[Event]) -> list[Event]:
    """One event of each chord, in the first layer that occurs."""
    kept: list[Event] = []
    for event in events:
        same_layer = (event.staff, event.layer) == (events[0].staff, events[0].layer)
        if same_layer and not (kept and event.chord and kept[-1].chord == event.chord):
            kept.append(event)
    return kept


def _ratio(span: Element, written: Fraction, state: StaffState | None) -> Fraction:
    return given_ratio(span) if span.get("num") else likely_ratio(written, state or StaffState(1))


def _written(group: Sequence[Element]) -> Fraction:
    lengths = (written_length(item) for item in group if not item.get("grace"))
    return sum((length for length in lengths if length), Fraction(0))


def _multiply(ratios: Ratios, group: Sequence[Element], ratio: Fraction) -> None:
    for item in group:
        name = item.get(ID, "")
        ratios[name] = ratios.get(name, Fraction(1)) * ratio
