"""Rewrites the layers of a measure so that each note and rest begins and lasts as the file says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.read_bar import ReadBar, ReadNote
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.items import Item, items_of, note_of
from score_following_game.data_preparation.engraving.verovio.values import Value, plain_values, simple_ratio, value_of

Element = ElementTree.Element


def mend_layer(staff: Element, layer: Element, read: dict[str, ReadNote], length: Fraction) -> None:
    """Rewrite a layer that disagrees with the file. Notes that overlap others of their layer go to a new layer of `staff`.

    length: of the bar, in quarters.
    """
    items, rest = items_of(layer)
    if _agrees(items, read, length):
        return
    items = _with_times(items, read)
    for number, voice in enumerate(_voices(items)):
        target = layer
        if number:
            number = 1 + max(int(other.get("n") or 0) for other in staff.findall(f"{MEI}layer"))
            target = ElementTree.SubElement(staff, f"{MEI}layer", n=str(number))
        target[:] = _written(voice) + ([] if number else rest)


def additive_bars(root: Element) -> list[bool]:
    """For each measure, whether the time signature before it is a sum, as 3+2/8 or 2/4 + 3/8."""
    bars: list[bool] = []
    additive = False
    grouped = {id(meter) for group in root.iter(f"{MEI}meterSigGrp") for meter in group}
    for element in root.iter():
        if element.tag == f"{MEI}measure":
            bars.append(additive)
        elif element.tag == f"{MEI}meterSigGrp":
            additive = True
        elif (count := element.get("count") or element.get("meter.count")) and id(element) not in grouped:
            additive = "+" in count
    return bars


def fill_measure(staff: Element, bar: ReadBar, additive: bool = False) -> None:
    """Make the first layer of a staff as long as the bar, and write whole-bar rests of other bars than full ones as rests.

    The engraver takes a whole-bar rest for as long as the time signature says, which it does not know where that is a sum
    (additive), and a whole-bar space for nothing.
    """
    if staff.find(f"{MEI}layer") is None:
        ElementTree.SubElement(staff, f"{MEI}layer", n="1")
    full = not additive and bar.meter is not None and bar.length == bar.full
    for place, layer in enumerate(staff.findall(f"{MEI}layer")):
        for element in [element for element in layer if element.tag in (f"{MEI}mRest", f"{MEI}mSpace")]:
            if element.tag == f"{MEI}mSpace" or not full:
                at = list(layer).index(element)
                layer[at : at + 1] = _silence(bar.length, element.tag.replace("}m", "}").replace("R", "r").replace("S", "s"))
        if not place and layer.find(f"{MEI}mRest") is None:
            items, _ = items_of(layer)
            layer.extend(_silence(bar.length - max((item.onset + item.duration for item in items), default=Fraction(0))))


def _agrees(items: list[Item], read: dict[str, ReadNote], length: Fraction) -> bool:
    """True if all items have the file's times. A whole-bar rest always has; nested tuplets never (verovio misreads them)."""
    if any(not item.duration and item.element.tag == f"{MEI}space" for item in items):
        return False  # the engraver gives it a quarter
    if items and items[-1].onset + items[-1].duration > length:
        return False
    for item in items:
        of = note_of(item, read)
        if item.nested:
            return False
        if of is None or item.element.tag == f"{MEI}mRest":
            continue
        if (of.onset, of.duration) != (item.onset, item.duration):
            return False
    return True


def _with_times(items: list[Item], read: dict[str, ReadNote]) -> list[Item]:
    """The items that last some time in the file, with its times, sorted. What stood before others moves to the next one."""
    timed: list[Item] = []
    waiting: list[Element] = []
    for item in items:
        of = note_of(item, read)
        if of is None or not of.duration:
            waiting += item.before
            continue
        item.onset, item.duration, item.before = of.onset, of.duration, waiting + item.before
        waiting = []
        timed.append(item)
    if waiting and timed:
        timed[-1].before += waiting
    return sorted(timed, key=lambda item: item.onset)


def _voices(items: list[Item]) -> list[list[Item]]:
    """Distribute items over as few layers as needed so that none overlaps another."""
    voices: list[list[Item]] = []
    for item in items:
        free = next((voice for voice in voices if voice[-1].onset + voice[-1].duration <= item.onset), None)
        if free is None:
            voices.append([item])
        else:
            free.append(item)
    return voices or [[]]


def _written(voice: list[Item]) -> list[Element]:
    """The content of a layer: the items with their values, tuplets, beams and the spaces between them."""
    slots: list[_Slot] = []
    now = Fraction(0)
    for item in voice:
        if item.onset > now:
            slots.append(_Slot(_silence(item.onset - now), Fraction(1), item.onset - now))
        ratio, length = _write_value(item)
        slots.append(_Slot([*item.before, item.element], ratio, length, item.beam))
        now = item.onset + item.duration
    return _with_beams(list(_tuplets(slots)))


@dataclass
class _Slot:
    """Elements written one after the other, the last of which takes `length` quarters, in a tuplet of this ratio."""

    elements: list[Element]
    ratio: Fraction
    length: Fraction
    beam: int | None = None


def _write_value(item: Item) -> tuple[Fraction, Fraction]:
    """Give an item the value, dots and ratio that make its duration. Returns the ratio and the duration."""
    value = value_of(item.element)
    plain = plain_values(item.duration)
    if value is not None and value.quarters * item.ratio == item.duration:
        return item.ratio, item.duration
    if len(plain) == 1:
        plain[0].write(item.element)
        return Fraction(1), item.duration
    if value is None or not simple_ratio(item.duration / value.quarters):
        value = Value.around(item.duration)
        value.write(item.element)
    return item.duration / value.quarters, item.duration


def _silence(duration: Fraction, tag: str = f"{MEI}space") -> list[Element]:
    """Spaces or rests that last so many quarters, in a tuplet of their own if need be."""
    values = plain_values(duration)
    ratio = Fraction(1)
    if duration > 0 and not values:
        values = [Value.around(duration)]
        ratio = duration / values[0].quarters
    silence = [Element(tag) for _ in values]
    for element, value in zip(silence, values):
        value.write(element)
    return silence if ratio == 1 else [_tuplet(silence, ratio)]


def _tuplet(elements: list[Element], ratio: Fraction) -> Element:
    tuplet = Element(f"{MEI}tuplet", num=str(ratio.denominator), numbase=str(ratio.numerator))
    if not any(element.tag != f"{MEI}space" for element in elements):
        tuplet.set("num.visible", "false")
        tuplet.set("bracket.visible", "false")
    tuplet.extend(elements)
    return tuplet


def _tuplets(slots: list[_Slot]) -> Iterator[_Slot]:
    """Join neighbours of one ratio into tuplets that fill a plain duration."""
    group: list[_Slot] = []

    def joined() -> Iterator[_Slot]:
        if group:
            beams = {slot.beam for slot in group}
            content = _with_beams(group) if len(beams) > 1 else [element for slot in group for element in slot.elements]
            beam = beams.pop() if len(beams) == 1 else None
            yield _Slot(
                [_tuplet(content, group[0].ratio)], Fraction(1), sum((slot.length for slot in group), Fraction(0)), beam
            )
            group.clear()

    for slot in slots:
        if group and slot.ratio != group[0].ratio:
            yield from joined()
        if slot.ratio == 1:
            yield slot
            continue
        group.append(slot)
        total = sum((slot.length for slot in group), Fraction(0))
        shortest = min(slot.length / slot.ratio for slot in group)
        if total.denominator & (total.denominator - 1) == 0 and total >= slot.ratio.numerator * shortest:
            yield from joined()
    yield from joined()


def _with_beams(slots: list[_Slot]) -> list[Element]:
    """Put neighbours of one beam into a beam element; a beam of which only one note is left is dropped."""
    content: list[Element] = []
    place = 0
    while place < len(slots):
        end = place + 1
        while end < len(slots) and slots[place].beam is not None and slots[end].beam == slots[place].beam:
            end += 1
        elements = [element for slot in slots[place:end] for element in slot.elements]
        if slots[place].beam is not None and len(elements) > 1:
            beam = Element(f"{MEI}beam")
            beam.extend(elements)
            elements = [beam]
        content += elements
        place = end
    return content
