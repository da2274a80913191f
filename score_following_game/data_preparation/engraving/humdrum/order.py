"""What a Humdrum file says of the order of its bars: its expansion lists and its repeat signs."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace

from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.humdrum.arithmetic import OpenBar, read_bars
from score_following_game.data_preparation.engraving.humdrum.spines import Row, read_rows, unreadable

_LIST = re.compile(r"\*>([^\[\]]*)\[(.*)\]")
_LABEL = re.compile(r"\*>([^\[\]]+)")
_ENDS, _BEGINS = re.compile(r":[|!]"), re.compile(r"[|!]:")


def expansion(text: str) -> dict[str, list[int]] | None:
    """Name of each order -> the bars (indices into Reading.bars) in this order. "": with the repeats.  "norep": without them.

    Other names are those of the file. None if it has no expansion list. Raises EngravingError for a list with an unknown
    section, for two sections of one name, and for a section that begins in the middle of a bar.
    """
    lines, bars = read_bars(text)
    rows = list(read_rows(lines))
    lists = {found[1]: (found[2].split(","), row.number) for row, found in _marks(rows, _LIST)}
    if not lists:
        return None
    sections = _sections(rows, bars)
    orders = {}
    for name, (labels, line) in lists.items():
        order = list(range(min(section.start for section in sections.values()) if sections else 0))
        for label in filter(None, (label.strip() for label in labels)):
            if label not in sections:
                raise unreadable(line, f"the order names a section {label!r} that is not there")
            order += sections[label]
        orders[name] = order
    return orders


def repeat_marks(text: str) -> tuple[BarMarks, ...]:
    """The repeat signs of each bar line."""
    lines, bars = read_bars(text)
    marks = [BarMarks() for _ in bars]
    for row in read_rows(lines):
        if not row.is_barline:
            continue
        token = next((token for _, token, _ in row.kern()), "")
        bar = bisect_left([bar.line for bar in bars], row.number)
        if _ENDS.search(token) and bar:
            marks[bar - 1] = replace(marks[bar - 1], repeat_end=2)
        if _BEGINS.search(token) and bar < len(bars):
            marks[bar] = replace(marks[bar], repeat_start=True)
    return tuple(marks)


def _marks(rows: list[Row], pattern: re.Pattern[str]) -> Iterator[tuple[Row, re.Match[str]]]:
    """The interpretations that match, one a row."""
    for row in rows:
        if row.is_interpretation and (found := next(filter(None, map(pattern.fullmatch, row.tokens)), None)):
            yield row, found


def _sections(rows: list[Row], bars: list[OpenBar]) -> dict[str, range]:
    """Label -> the bars from there to the next label."""
    starts: list[tuple[str, int]] = []
    for row, found in _marks(rows, _LABEL):
        label = found[1].strip()
        if label in dict(starts):
            raise unreadable(row.number, f"a second section {label!r}")
        starts.append((label, _bar_at(row.number, bars)))
    ends = [start for _, start in starts[1:]] + [len(bars)]
    return {label: range(start, end) for (label, start), end in zip(starts, ends)}


def _bar_at(line: int, bars: list[OpenBar]) -> int:
    """The bar that begins at a line between two bars, or before the first one."""
    bar = max(bisect_right([bar.line for bar in bars], line) - 1, 0)
    before = bisect_left(bars[bar].data, line)
    if 0 < before < len(bars[bar].data):
        raise unreadable(line, "a section begins in the middle of a bar")
    return bar + bool(before)
