"""The tempi that an MEI file states in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.places import place, target
from score_following_game.data_preparation.engraving.mei.ties import TimedBar
from score_following_game.data_preparation.engraving.mei.values import decimal, note_value, whole
from score_following_game.data_preparation.engraving.tempo_marks import tempo_of_words

Element = ElementTree.Element


def stated_tempo(element: Element) -> float | None:
    """Quarters per minute of a tempo mark or a definition; None if it states none, or none that makes sense."""
    if sounding := decimal(element.get("midi.bpm") or element.get("midi.tempo")):
        return float(sounding) if sounding > 0 else None
    if micros := decimal(element.get("midi.mspb")):
        return float(60 * 10**6 / micros) if micros > 0 else None
    mark, value = decimal(element.get("mm")), note_value(element.get("mm.unit") or "4")
    if not mark or mark < 0 or value is None:
        return None
    return float(mark * value * (2 - Fraction(1, 2 ** whole(element, "mm.dots", 0, 0, 4))))


def bar_tempi(bar: TimedBar, defined: float | None) -> tuple[tuple[Fraction, float], ...]:
    """(quarters after its start, quarters per minute) of a bar's tempi, in order. defined: by definitions just before it."""
    tempi = {} if defined is None else {Fraction(0): defined}
    tempi.update(_marks(bar))
    return tuple(sorted(tempi.items()))


def _marks(bar: TimedBar) -> Iterator[tuple[Fraction, float]]:
    onsets = {name: event.onset for event in bar.events for name in (event.id, event.chord) if name}
    for mark in bar.measure.iter("tempo"):
        tempo = stated_tempo(mark) or tempo_of_words("".join(mark.itertext()))
        if tempo is not None:
            at = onsets.get(target(mark, "startid"))
            yield place(mark, "tstamp", bar.unit)[1] if at is None else at, tempo
