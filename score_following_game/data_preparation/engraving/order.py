"""The order in which the bars of a score sound: repeats, endings, da capo, dal segno, coda and fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from score_following_game.data_preparation.errors import EngravingError

_LONGEST = 50  # times the bars of the score


@dataclass(frozen=True)
class BarMarks:
    """The marks of a bar.

    repeat_start: at its beginning.  repeat_end: times that the passage ending with it is played, 0 for no repeat.
    ending: numbers of the ending it is in, () outside.  segno, coda: it begins with this sign.  The others stand at its end:
    fine, to_coda, da_capo, dal_segno.
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
        )


def once_order(marks: Sequence[BarMarks]) -> list[int]:
    """Every bar once, of alternative endings the first only. Jumps are ignored."""
    groups = _groups(marks)
    return [bar for bar, mark in enumerate(marks) if not mark.ending or min(groups[bar].numbers) in mark.ending]


def written_order(marks: Sequence[BarMarks]) -> list[int]:
    """The bars as they sound.

    After da capo or dal segno no repeats are played, of endings the last, and "to coda" and "fine" count. Only the first jump
    back is made. Raises EngravingError for a jump without its sign, and for marks that lead round without an end.
    """
    return _Player(marks).play()


@dataclass(frozen=True)
class _Group:
    """Alternative endings. first, last: bars.  numbers: of all of them."""

    first: int
    last: int
    numbers: frozenset[int]


def _groups(marks: Sequence[BarMarks]) -> dict[int, _Group]:
    """Bar -> its group of endings. Adjacent endings belong together until a number comes again."""
    groups: dict[int, _Group] = {}
    for bar, mark in enumerate(marks):
        if not mark.ending:
            continue
        before = groups.get(bar - 1)
        same = before is not None and (marks[bar - 1].ending == mark.ending or before.numbers.isdisjoint(mark.ending))
        first, numbers = (before.first, before.numbers) if before is not None and same else (bar, frozenset[int]())
        group = _Group(first, bar, numbers | set(mark.ending))
        groups.update(dict.fromkeys(range(first, bar + 1), group))
    return groups


class _Player:
    """Plays the bars in order. start, time: the passage that may be repeated, and how often it is being played (1, 2 ...)."""

    def __init__(self, marks: Sequence[BarMarks]) -> None:
        if not any(mark.coda for mark in marks):  # "to coda" without a coda leads nowhere
            marks = [replace(mark, to_coda=False) for mark in marks]
        self.marks, self.groups = marks, _groups(marks)
        self.bar, self.start, self.time = 0, 0, 1
        self.jumped, self.in_coda = False, False
        self.order: list[int] = []

    def play(self) -> list[int]:
        while self.bar < len(self.marks):
            if len(self.order) > _LONGEST * len(self.marks):
                raise EngravingError("repeats without an end", f"at bar {self.bar + 1} of {len(self.marks)}")
            self._enter()
            if not self._is_turn():
                self.bar += 1
                continue
            self.order.append(self.bar)
            if self._ends_here():
                break
            self._leave()
        return self.order

    def _enter(self) -> None:
        """Begin a new passage at a repeat sign and after a group of endings."""
        before = self.groups.get(self.bar - 1)
        left_endings = before is not None and before.last == self.bar - 1
        if self.bar != self.start and (self.marks[self.bar].repeat_start or left_endings):
            self.start, self.time = self.bar, 1

    def _is_turn(self) -> bool:
        """Whether the bar is in no ending, or in the one for this time."""
        group = self.groups.get(self.bar)
        if group is None:
            return True
        time = max(group.numbers) if self.jumped or self.time not in group.numbers else self.time
        return time in self.marks[self.bar].ending and not self._skips_single(group)

    def _skips_single(self, group: _Group) -> bool:
        """Whether a lone first ending is skipped, the second time or after a jump."""
        return group.numbers == {1} and (self.jumped or self.time > 1)

    def _ends_here(self) -> bool:
        return self.jumped and self.marks[self.bar].fine

    def _leave(self) -> None:
        """Go to the next bar."""
        mark = self.marks[self.bar]
        if not self.jumped and self.time < self._times():
            self.bar, self.time = self.start, self.time + 1
        elif self.jumped and mark.to_coda and not self.in_coda:
            self.in_coda = True
            self._jump("coda")
        elif (mark.da_capo or mark.dal_segno) and not self.jumped:
            self.jumped = True
            self._jump("segno" if mark.dal_segno else "")
        else:
            self.bar += 1
            if mark.repeat_end and not mark.ending:
                self.start, self.time = self.bar, 1

    def _times(self) -> int:
        """How often the passage that ends with this bar is played; 1 if it ends with no repeat.

        An ending that another one follows is repeated even without a sign.
        """
        mark, group = self.marks[self.bar], self.groups.get(self.bar)
        if group is None:
            return mark.repeat_end or 1
        follows = self.bar < group.last and self.marks[self.bar + 1].ending != mark.ending
        if not mark.repeat_end and (not follows or mark.da_capo or mark.dal_segno):
            return 1
        return max(group.numbers) if len(group.numbers) > 1 else max(mark.repeat_end, 2)

    def _jump(self, sign: str) -> None:
        """Go to the bar with the sign, or to the first bar."""
        signs = [bar for bar, mark in enumerate(self.marks) if not sign or getattr(mark, sign)]
        later = [bar for bar in signs if bar > self.bar] if sign == "coda" else []
        if not signs:
            raise EngravingError("a jump without its sign", f"bar {self.bar + 1}: no {sign}")
        self.bar = (later or signs)[0]
        self.start, self.time = self.bar, 1
