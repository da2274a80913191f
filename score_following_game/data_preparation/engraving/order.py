"""The order in which the bars of a score sound: repeats, endings, da capo, dal segno, coda and fine."""

from __future__ import annotations

from collections.abc import Sequence

from score_following_game.data_preparation.engraving.bar_marks import BarMarks, Endings, endings_of
from score_following_game.data_preparation.engraving.clear_order import require_clear_marks, require_clear_order, unclear

_LONGEST = 50  # times the bars of the score


def once_order(marks: Sequence[BarMarks]) -> list[int]:
    """Every bar once, of alternative endings the first only. Jumps are ignored."""
    groups = endings_of(marks)
    return [bar for bar, mark in enumerate(marks) if not mark.ending or min(groups[bar].numbers) in mark.ending]


def written_order(marks: Sequence[BarMarks], names: Sequence[str] = ()) -> list[int]:
    """The bars as they sound. names: numbers of the bars in the score, for messages; "1", "2" ... if there are none.

    Each da capo and dal segno is made once, when it is first reached. In the bars that sound again after it no repeats are
    played, of endings the last, and "to coda" and "fine" count. Raises EngravingError, naming a bar, where the order is not
    clear: for repeats inside others or inside endings, for a jump without its sign, for bars that no order reaches.
    """
    names = names or [str(bar) for bar in range(1, len(marks) + 1)]
    require_clear_marks(marks, names)
    order = _Player(marks, names).play()
    require_clear_order(marks, order, names)
    return order


class _Player:
    """Plays the bars in order.

    start, time: the passage that may be repeated, and how often it is being played (1, 2 ...).  made: bars whose jump back has
    been made.  again: the last bar that sounds again because of a jump; -1 before the first.
    """

    def __init__(self, marks: Sequence[BarMarks], names: Sequence[str]) -> None:
        self.marks, self.names, self.groups = marks, names, endings_of(marks)
        self.jumps = {bar for bar, mark in enumerate(marks) if mark.da_capo or mark.dal_segno}
        self.bar, self.start, self.time = 0, 0, 1
        self.made: set[int] = set()
        self.again = -1
        self.in_coda = False
        self.order: list[int] = []

    def play(self) -> list[int]:
        while self.bar < len(self.marks):
            if len(self.order) > _LONGEST * len(self.marks):
                raise unclear(self.names[self.bar], f"the bars would sound more than {_LONGEST} times")
            self._enter()
            if not self._is_turn():
                self.bar += 1
                continue
            self.order.append(self.bar)
            if self._ends_here():
                break
            self._leave()
        return self.order

    def _sounds_again(self) -> bool:
        """Whether the bar sounds again because of a jump."""
        return self.bar <= self.again

    def _enter(self) -> None:
        """Begin a new passage at a repeat sign, after a group of endings, and where the bars that sound again end."""
        before = self.groups.get(self.bar - 1)
        left_endings = before is not None and before.last == self.bar - 1
        if self.bar != self.start and (self.marks[self.bar].repeat_start or left_endings or self.bar == self.again + 1):
            self.start, self.time = self.bar, 1

    def _is_turn(self) -> bool:
        """Whether the bar is in no ending, or in the one for this time."""
        group = self.groups.get(self.bar)
        if group is None:
            return True
        time = max(group.numbers) if self._sounds_again() or self.time not in group.numbers else self.time
        return time in self.marks[self.bar].ending and not self._skips_single(group)

    def _skips_single(self, group: Endings) -> bool:
        """Whether a lone first ending is skipped, the second time or after a jump."""
        return group.numbers == {1} and (self._sounds_again() or self.time > 1)

    def _ends_here(self) -> bool:
        """At "fine", after a jump; not in bars that are new while a jump is still to come."""
        return self.marks[self.bar].fine and (self._sounds_again() or (bool(self.made) and self.made == self.jumps))

    def _leave(self) -> None:
        """Go to the next bar."""
        mark = self.marks[self.bar]
        if not self._sounds_again() and self.time < self._times():
            self.bar, self.time = self.start, self.time + 1
        elif self._sounds_again() and mark.to_coda and not self.in_coda:
            self.in_coda = True
            self._go_to(self._target("coda"))
        elif self.bar in self.jumps - self.made:
            self.made.add(self.bar)
            group = self.groups.get(self.bar)  # its last ending is played after a jump
            self.again, self.in_coda = max(self.again, self.bar if group is None else group.last), False
            self._go_to(self._target("segno") if mark.dal_segno else 0)
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

    def _target(self, sign: str) -> int:
        """The bar with the sign: before this one for a segno, after it for a coda. It must be the only one."""
        signs = [bar for bar, mark in enumerate(self.marks) if getattr(mark, sign)]
        beyond = [bar for bar in signs if (bar > self.bar if sign == "coda" else bar <= self.bar)]
        if len(beyond) != 1:
            found = f"{len(beyond)} signs of a {sign}" if beyond else f"no {sign}"
            raise unclear(
                self.names[self.bar], f"a jump to a {sign}, with {found} {'after' if sign == 'coda' else 'before'} it"
            )
        return beyond[0]

    def _go_to(self, bar: int) -> None:
        left, self.bar = self.bar, bar
        self.start, self.time = bar, 1
        if not self._is_turn():
            raise unclear(self.names[left], "a jump into an ending that is not played after it")
