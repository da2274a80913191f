"""Gives a note that states no duration the time that the rest of its bar leaves for it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.definitions import StaffState
from score_following_game.data_preparation.engraving.mei.timing import chord_length, layer_length
from score_following_game.data_preparation.engraving.verovio.values import plain_values

WITHOUT_DURATION = "without-duration"  # attribute of such a note; it is not played
_NOT_PLAIN = ("tuplet", "graceGrp", "bTrem", "fTrem")

Element = ElementTree.Element


def complete_durations(measure: Element, staves: Mapping[str, StaffState], first: bool) -> None:
    """first: whether it is the first bar, which may be a pickup.

    A layer has to lack one duration only, and all other layers of the bar have to fill it. Other notes stay as they are.
    """
    layers = [
        (layer, state)
        for staff in measure.iter("staff")
        if (state := staves.get(staff.get("n") or "")) is not None
        for layer in staff.iter("layer")
    ]
    lacking = [(layer, state, missing) for layer, state in layers if (missing := _missing(layer, state))]
    if not lacking or first or measure.get("metcon") == "false":
        return
    complete = [(layer, state) for layer, state in layers if not _missing(layer, state) and len(layer)]
    if any(layer_length(list(layer), state) != state.bar for layer, state in complete):
        return
    for layer, state, missing in lacking:
        if len(missing) > 1 or any(
            element in list(parent.iter()) for parent in layer.iter() if parent.tag in _NOT_PLAIN for element in missing
        ):
            continue
        _complete(layer, missing[0], state)


def _missing(layer: Element, state: StaffState) -> list[Element]:
    """The notes, chords and rests without a duration, outside of chords and without grace notes."""
    in_chords = {id(note) for chord in layer.iter("chord") for note in chord.iter("note")}
    return [
        element
        for element in layer.iter()
        if element.tag in ("note", "chord", "rest", "space")
        and id(element) not in in_chords
        and not element.get("grace")
        and chord_length(element, state) is None
    ]


def _complete(layer: Element, element: Element, state: StaffState) -> None:
    element.set("dur", "1")
    left = state.bar - layer_length(list(layer), state) + Fraction(4)
    del element.attrib["dur"]
    values = plain_values(left)
    if len(values) != 1:
        return
    values[0].write(element)
    for note in element.iter("note"):
        note.set(WITHOUT_DURATION, "yes")
