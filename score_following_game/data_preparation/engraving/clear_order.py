"""Refuses marks from which no clear order of the bars follows: a wrong order would go unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from score_following_game.data_preparation.engraving.bar_marks import BarMarks, Endings, endings_of
from score_following_game.data_preparation.errors import EngravingError


def unclear(name: str, why: str) -> EngravingError:
    """The error for marks at the bar of this name."""
    return EngravingError("no clear order of the bars", f"bar {name}: {why}; list the bars with --order, or play each once")


def require_clear_marks(marks: Sequence[BarMarks], names: Sequence[str]) -> None:
    """Raises EngravingError for repeats and endings inside one another, jumps out of what is repeated, and half of a pair."""
    groups = endings_of(marks)
    unclear_bars = ((bar, mark.unclear) for bar, mark in enumerate(marks) if mark.unclear)
    for bar, why in (
        *unclear_bars,
        *_counted_in_words(marks),
        *_in_endings(marks, groups),
        *_in_repeats(marks, groups),
        *_of_jumps(marks),
    ):
        raise unclear(names[bar], why)


def require_clear_order(marks: Sequence[BarMarks], order: Sequence[int], names: Sequence[str]) -> None:
    """Raises EngravingError for a bar that the order never reaches, and for ways to a coda that it never takes."""
    for bar in sorted({*range(len(marks))} - {*order}):
        raise unclear(names[bar], "no order of repeats and jumps reaches it")
    ways = [bar for bar, mark in enumerate(marks) if mark.to_coda]
    if ways and not any(marks[first].to_coda and marks[then].coda for first, then in pairwise(order)):
        raise unclear(names[ways[0]], "after no jump back the way to the coda is reached")


def _counted_in_words(marks: Sequence[BarMarks]) -> Iterator[tuple[int, str]]:
    """(bar, what is unclear) of words for a number of times that no repeat or group of endings has."""
    counts = {mark.repeat_end for mark in marks} | {max(mark.ending) for mark in marks if mark.ending}
    for bar, mark in enumerate(marks):
        if mark.times > 1 and mark.times not in counts:
            yield bar, f"its words say that a passage is played {mark.times} times, its signs do not"


def _in_endings(marks: Sequence[BarMarks], groups: Mapping[int, Endings]) -> Iterator[tuple[int, str]]:
    """(bar, what is unclear) of marks inside endings."""
    for bar, group in groups.items():
        mark = marks[bar]
        ends = bar == group.last or marks[bar + 1].ending != mark.ending  # the bar is the last of its ending
        if bar == group.first and group.numbers != {*range(1, len(group.numbers) + 1)}:
            yield bar, f"the endings are {', '.join(map(str, sorted(group.numbers)))}"
        if bar == group.last and group.numbers == {1} and not mark.repeat_end:
            yield bar, "a first ending without a repeat"
        if mark.repeat_start or (mark.repeat_end and not ends):
            yield bar, "a repeat inside an ending"
        jumps = mark.da_capo or mark.dal_segno
        if jumps and bar < group.last and (mark.repeat_end or not ends):
            yield bar, "a jump inside an ending that is repeated"


def _in_repeats(marks: Sequence[BarMarks], groups: Mapping[int, Endings]) -> Iterator[tuple[int, str]]:
    """(bar, what is unclear) of marks inside repeated passages."""
    start, begun = 0, False  # of the passage, and whether a sign begins it
    for bar, mark in enumerate(marks):
        group = groups.get(bar)
        if mark.repeat_start and group is None:
            if begun:
                yield bar, f"a repeat begins inside the one from {bar - start} bars before"
            start, begun = bar, True
        if group is not None and bar == group.first and bar == start:
            yield bar, "endings without music before them"
        if (group.last == bar) if group is not None else mark.repeat_end:
            inside = range(start, bar if group is None else group.first)
            yield from ((jump, "a jump inside a repeat") for jump in inside if marks[jump].da_capo or marks[jump].dal_segno)
            start, begun = bar + 1, False
    if begun:
        yield start, "a repeat begins that has no end"


def _of_jumps(marks: Sequence[BarMarks]) -> Iterator[tuple[int, str]]:
    """(bar, what is unclear) of signs without the other one that gives them a meaning."""
    jumps = any(mark.da_capo or mark.dal_segno for mark in marks)
    for bar, mark in enumerate(marks):
        at_repeat = (
            mark.repeat_start or mark.repeat_end or (bar and marks[bar - 1].repeat_end)
        )  # it says the same as the repeat
        if mark.segno and not at_repeat and not any(other.dal_segno for other in marks):
            yield bar, "a segno without dal segno"
        if mark.fine and not jumps and bar < len(marks) - 1:
            yield bar, "a fine without da capo or dal segno"
        if mark.coda and not (jumps and any(other.to_coda for other in marks)):
            yield bar, "a coda without a jump to it"
        if mark.coda and jumps and not any(other.da_capo or other.dal_segno for other in marks[:bar]):
            yield bar, "a coda before the jump that leads to it"
        if mark.until and not any(other.fine if mark.until == "fine" else other.coda or other.to_coda for other in marks):
            yield bar, f"its jump names a {mark.until}, and there is none"
        if mark.to_coda and not (jumps and any(other.coda for other in marks)):
            yield bar, "the way to a coda without a coda, or without da capo or dal segno"
