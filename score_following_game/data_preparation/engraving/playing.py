"""What of a score is played, and in which order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.order import once_order, written_order
from score_following_game.data_preparation.engraving.read_bar import ReadBar
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.errors import EngravingError

ONCE, WRITTEN = "once", "written"
PIANO = "piano"  # the part with two staves that a pianist plays
HANDS = ("right", "left")  # one staff of that part, the upper or the lower one
REPEATS = (ONCE, WRITTEN)
_LONGEST = 20_000  # bars
_UNNUMBERED = re.compile(r"X\d*")


@dataclass(frozen=True)
class Playing:
    """A choice from a score.

    part: number or name of a part, PIANO or one of HANDS; "" for the whole score.
    repeats: ONCE plays each bar once, of endings the first; WRITTEN plays repeats, endings and jumps.
    bars: the bars in the order in which they are played, like "1-8,1-8,9-16"; "" to follow `repeats`.
    """

    part: str = ""
    repeats: str = ONCE
    bars: str = ""

    def described(self) -> dict[str, str]:
        """The fields that are not as usual."""
        return {name: value for name, value in asdict(self).items() if value != getattr(WHOLE, name)}

    def order(self, reading: Reading, marks: Sequence[BarMarks]) -> list[int]:
        """Indices of the bars as they are played. marks: of each bar, as the engraver has them.

        Raises EngravingError for a bar that is not there and for marks that give no clear order.
        """
        if self.bars:
            endings = [mark.ending for mark in marks]
            return _listed(self.bars, _numbered(self.bars, reading.bars, endings), endings)
        if self.repeats == ONCE:
            return once_order(marks)
        if reading.written is not None:
            return list(reading.written)
        together = [mark.together(own) for mark, own in zip(marks, reading.marks)] if reading.marks else marks
        return written_order(together, [bar.name for bar in reading.bars])


WHOLE = Playing()


def _numbered(text: str, bars: Sequence[ReadBar], endings: Sequence[tuple[int, ...]]) -> list[str]:
    """The names of the bars, in which one without a number of its own ("X1") has that of the bar before, if it is its rest.

    Not where --order names it, or where an ending begins with it.
    """
    asked = {name.strip() for passage in text.split(",") for name in passage.split("-")}
    numbered: list[str] = []
    for index, bar in enumerate(bars):
        is_rest = index > 0 and _UNNUMBERED.fullmatch(bar.name) and bar.name not in asked and _fit(bars[index - 1], bar)
        numbered.append(numbered[-1] if is_rest and endings[index] == endings[index - 1] else bar.name)
    return numbered


def _fit(first: ReadBar, second: ReadBar) -> bool:
    """Whether two bars together are no longer than their time signature says; True if it is not known."""
    return not second.full or first.length + second.length <= second.full


def _listed(text: str, names: Sequence[str], endings: Sequence[tuple[int, ...]]) -> list[int]:
    """Parse "1-8,1-8,9-16": bar numbers as the score has them. endings: the numbers of the ending that each bar is in."""
    order: list[int] = []
    for passage in text.split(","):
        first, dash, last = (part.strip() for part in passage.partition("-"))
        named = {name: _bars_named(name, names, endings, text) for name in (first, last) if name}
        if not first or bool(dash) > bool(last) or (last and named[last].start < named[first].start):
            raise _no_such_bar(text, f"{passage.strip()!r} is no bar and no range of bars like 1-8")
        order += range(named[first].start, named[last or first].stop)
        if len(order) > _LONGEST:
            raise EngravingError("no such bar", f"--order is longer than {_LONGEST} bars")
    return order


def _bars_named(name: str, names: Sequence[str], endings: Sequence[tuple[int, ...]], text: str) -> range:
    """The bar of this name; several if it is divided, as by a repeat sign within it. 8a and 8b are its parts."""
    bars = [bar for bar, own in enumerate(names) if own == name]
    if not bars:
        whole = [bar for bar, own in enumerate(names) if own == name[:-1]]
        part = ord(name[-1]) - ord("a")
        if len(whole) > 1 and 0 <= part < len(whole):
            return range(whole[part], whole[part] + 1)
        raise _no_such_bar(text, f"the bars are {names[0]} to {names[-1]}, there is no {name!r}")
    found = range(bars[0], bars[-1] + 1)
    if len(found) > len(bars) or len({endings[bar] for bar in bars} - {()}) > 1:
        raise _no_such_bar(
            text, f"there are {len(bars)} bars {name!r}; number the bars of the file so that each has its own number"
        )
    return found


def _no_such_bar(text: str, why: str) -> EngravingError:
    return EngravingError("no such bar", f"--order {text}: {why}")
