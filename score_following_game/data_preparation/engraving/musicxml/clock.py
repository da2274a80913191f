"""The position in a bar of MusicXML, as the file counts it and as it is meant."""

from __future__ import annotations

from fractions import Fraction


class Clock:
    """The position in a bar, in quarters.

    A file whose divisions are too coarse for its tuplets has rounded durations. Notes then take the time that their values
    have, and `exact` maps the position that the file counts to the one that is meant. A position that the file counts may be
    two, where it rounds a note to nothing: other voices begin at the first, and the voice itself goes on from the last.
    """

    def __init__(self) -> None:
        self.counted = Fraction(0)
        self.now = Fraction(0)
        self.exact: dict[Fraction, Fraction] = {}

    def advance(self, counted: Fraction, exact: Fraction, certain: bool = False) -> None:
        """certain: `exact` is the value of a note, and not just what the file counts."""
        end = self.now + exact
        self.counted += counted
        self.now = end if certain else self.exact.get(self.counted, end)
        if self.counted and self.now != self.counted:
            self.exact.setdefault(self.counted, self.now)

    def go_back(self, counted: Fraction) -> None:
        self.counted = max(Fraction(0), self.counted - counted)
        self.now = self.exact.get(self.counted, self.counted)
