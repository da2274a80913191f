"""Writes lengths that no note value has, as in G2/3 A4/3, as tuplets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from score_following_game.data_preparation.engraving.abc.notation import Event, Tuplet


def write_as_tuplets(events: Sequence[Event], next_serial: Callable[[], int]) -> None:
    """Put events outside of tuplets into some, each as short as it can be, and leave those that do not add up to a note value.

    Their sounding lengths remain.
    """
    group: list[Event] = []
    for event in events:
        if event.tuplet is not None:
            group = []
        elif group or _odd(event.written) > 1:
            group.append(event)
            if _odd(sum((one.written for one in group), Fraction(0))) == 1:
                _write_as_tuplet(group, next_serial)
                group = []


def _write_as_tuplet(group: list[Event], next_serial: Callable[[], int]) -> None:
    number = max(_odd(event.written) for event in group)
    base = 1 << (number.bit_length() - 1)  # three in the time of two, five in the time of four
    written = [event.written * Fraction(number, base) for event in group]
    if any(_odd(value) > 1 for value in written):
        return
    tuplet = Tuplet(number, base, next_serial())
    for event, value in zip(group, written, strict=True):
        event.written, event.tuplet = value, tuplet


def _odd(length: Fraction) -> int:
    """The odd part of its denominator: 3 for 5/12, 1 for lengths that note values add up to."""
    denominator = length.denominator
    return denominator // (denominator & -denominator)
