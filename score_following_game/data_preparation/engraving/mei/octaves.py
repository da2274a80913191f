"""Octave lines, and the notes under them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.places import place, place_in_bars, target
from score_following_game.data_preparation.engraving.mei.ties import TimedBar
from score_following_game.data_preparation.engraving.mei.timing import Event
from score_following_game.data_preparation.engraving.mei.values import unreadable

_OCTAVES = {"8": 1, "15": 2, "22": 3}

Element = ElementTree.Element


@dataclass(frozen=True)
class OctaveLine:
    """octaves: by which its notes sound higher.  start, end: quarters from the beginning; notes at `end` are under it.

    stated: its notes say themselves how they sound (oct.ges).
    """

    staff: str
    layer: str
    octaves: int
    start: Fraction
    end: Fraction
    stated: bool = False


def octave_lines(bars: Sequence[TimedBar]) -> list[OctaveLine]:
    lines: list[OctaveLine] = []
    for index, bar in enumerate(bars):
        for element in bar.measure.iter("octave"):
            line = _octave_line(element, bars, index)
            if line is not None:
                stated = any(
                    event.element.get("oct.ges") and is_under(line, other, event)
                    for other in bars[index:]
                    for event in other.events
                    if other.start <= line.end
                )
                lines.append(replace(line, stated=stated))
    return lines


def _octave_line(element: Element, bars: Sequence[TimedBar], index: int) -> OctaveLine | None:
    """None for a line that does not say where it ends."""
    octaves = _OCTAVES.get(element.get("dis") or "8")
    if octaves is None:
        raise unreadable(element, "dis")
    octaves *= -1 if element.get("dis.place") == "below" else 1
    first, last = target(element, "startid"), target(element, "endid")
    known = {name: (bar, event) for bar in bars for event in bar.events for name in (event.id, event.chord) if name}
    start, end = bars[index].start, None
    staff, layer = element.get("staff") or "", element.get("layer") or ""
    if first in known:
        bar, event = known[first]
        start, staff = bar.start + event.onset, staff or event.printed
    elif element.get("tstamp"):
        start += place(element, "tstamp", bars[index].unit)[1]
    if last in known:
        bar, event = known[last]
        end, staff = bar.start + event.onset, staff or event.printed
    elif element.get("tstamp2"):
        later, quarters = place_in_bars(element, "tstamp2", index, [bar.unit for bar in bars])
        bar = bars[min(index + later, len(bars) - 1)]
        if quarters >= bar.length:  # the line does not reach the next bar
            quarters = max((event.onset for event in bar.events if event.onset < bar.length), default=Fraction(0))
        end = bar.start + quarters
    return None if end is None else OctaveLine(staff, layer, octaves, start, end)


def is_under(line: OctaveLine, bar: TimedBar, event: Event) -> bool:
    """Whether a note of a bar has the line's staff, layer and time."""
    on_staff = event.printed in line.staff.split() and (not line.layer or event.layer in line.layer.split())
    return on_staff and line.start <= bar.start + event.onset <= line.end
