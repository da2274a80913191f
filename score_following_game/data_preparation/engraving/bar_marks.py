"""The marks of bars from which their order follows: repeats, endings, da capo, dal segno, coda and fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WITHOUT_REPEATS = "norep"  # of the orders that a Humdrum or MEI file lists, the one that plays each section once
REPEAT_WITHIN = "a repeat within the bar; only whole bars are repeated"


@dataclass(frozen=True)
class BarMarks:
    """The marks of a bar.

    repeat_start: at its beginning.  repeat_end: times that the passage ending with it is played, 0 for no repeat.
    ending: numbers of the ending it is in, () outside.  segno, coda: it begins with this sign.  The others stand at its end:
    fine, to_coda, da_capo, dal_segno.  until: "fine" or "coda" if the words of the jump say so ("D.C. al Fine"), else "".
    times: how often the words of the bar say that a passage is played ("x3"), 0 if they do not.  unclear: why no clear order
    follows from what stands in the bar, "" if it does.
    """

    repeat_start: bool = False
    repeat_end: int = 0
    ending: tuple[int, ...] = ()
    segno: bool = False
    coda: bool = False
    fine: bool = False
    to_coda: bool = False
    da_capo: bool = False
    dal_segno: bool = False
    until: str = ""
    times: int = 0
    unclear: str = ""

    def together(self, other: BarMarks) -> BarMarks:
        """The marks of one bar from two readings of it."""
        return BarMarks(
            self.repeat_start or other.repeat_start,
            max(self.repeat_end, other.repeat_end),
            other.ending or self.ending,
            self.segno or other.segno,
            self.coda or other.coda,
            self.fine or other.fine,
            self.to_coda or other.to_coda,
            self.da_capo or other.da_capo,
            self.dal_segno or other.dal_segno,
            self.until or other.until,
            self.times or other.times,
            self.unclear or other.unclear,
        )


@dataclass(frozen=True)
class Endings:
    """Alternative endings that follow each other. first, last: bars.  numbers: of all of them."""

    first: int
    last: int
    numbers: frozenset[int]


def endings_of(marks: Sequence[BarMarks]) -> dict[int, Endings]:
    """Bar -> the group of endings it is in. Adjacent endings belong together until a number comes again."""
    groups: dict[int, Endings] = {}
    for bar, mark in enumerate(marks):
        if not mark.ending:
            continue
        before = groups.get(bar - 1)
        same = before is not None and (marks[bar - 1].ending == mark.ending or before.numbers.isdisjoint(mark.ending))
        first, numbers = (before.first, before.numbers) if before is not None and same else (bar, frozenset[int]())
        group = Endings(first, bar, numbers | set(mark.ending))
        groups.update(dict.fromkeys(range(first, bar + 1), group))
    return groups
