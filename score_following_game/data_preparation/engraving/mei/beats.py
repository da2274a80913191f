"""Beats of control elements that lie after the end of their bar, as in pickups whose beats are counted from a full bar."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.places import place_in_bars
from score_following_game.data_preparation.errors import EngravingError

Element = ElementTree.Element


def keep_in_bars(measures: Sequence[Element], bars: Sequence[tuple[Fraction, int]]) -> None:
    """Move such beats (tstamp, tstamp2) to the end of the bar, since the engraver would lengthen it.

    bars: of each measure its length in quarters, and the note value that its beats count. Unreadable beats stay.
    """
    units = [unit for _, unit in bars]
    for index, measure in enumerate(measures):
        for element in measure:
            for name in ("tstamp", "tstamp2"):
                if not element.get(name):
                    continue
                try:
                    later, quarters = place_in_bars(element, name, index, units)
                except EngravingError:
                    continue
                if index + later < len(bars) and quarters > bars[index + later][0]:
                    beat = 1 + float(bars[index + later][0] * units[index + later] / 4)
                    element.set(name, f"{later}m+{beat:.6g}" if name == "tstamp2" else f"{beat:.6g}")
