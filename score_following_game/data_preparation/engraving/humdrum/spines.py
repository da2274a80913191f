"""The lines of a Humdrum file, each with the spines of its fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from score_following_game.data_preparation.errors import EngravingError


@dataclass(eq=False)
class Spine:
    """A column of the file, or one of the columns into which it is split. kind: "**kern".  origin: number of the column."""

    kind: str
    origin: int

    @property
    def is_kern(self) -> bool:
        return self.kind == "**kern"


@dataclass(frozen=True)
class Row:
    """A line that is no comment. number: of the line in the file, from 1.  tokens, spines: of its fields."""

    number: int
    tokens: list[str]
    spines: list[Spine]

    @property
    def is_barline(self) -> bool:
        return self.tokens[0].startswith("=")

    @property
    def is_interpretation(self) -> bool:
        return self.tokens[0].startswith("*")

    def kern(self) -> Iterator[tuple[int, str, Spine]]:
        """(number of the field from 1, token, spine) of the fields in **kern."""
        for field, (token, spine) in enumerate(zip(self.tokens, self.spines), 1):
            if spine.is_kern:
                yield field, token, spine


def unreadable(line: int, what: str) -> EngravingError:
    return EngravingError("unreadable", f"line {line}: {what}")


def read_rows(lines: list[str]) -> Iterator[Row]:
    """Raises EngravingError for a line with too many or too few fields, and for a file that does not end with *-."""
    spines: list[Spine] = []
    number, begun = 0, False
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("!"):
            continue
        tokens = line.split("\t")
        if not spines:
            if not all(token.startswith("**") for token in tokens):
                raise unreadable(number, "Humdrum must begin with **")
            if begun:
                raise unreadable(number, "a second score begins here; write each score to a file of its own")
            spines, begun = [Spine(token, column) for column, token in enumerate(tokens)], True
            continue
        if len(tokens) != len(spines):
            raise unreadable(number, f"{len(tokens)} fields, expected {len(spines)}")
        yield Row(number, tokens, spines)
        if tokens[0].startswith("*"):
            spines = _after(tokens, spines, number)
    if spines or not begun:
        raise unreadable(number, "Humdrum must begin with ** and end with *-")


def _after(tokens: list[str], spines: list[Spine], line: int) -> list[Spine]:
    """The spines after a line of interpretations, which may split, join, exchange, add and end them."""
    after: list[Spine] = []
    exchanged: int | None = None  # place in `after` of the first of two spines that change places
    for place, (token, spine) in enumerate(zip(tokens, spines)):
        if token == "*^":
            after += [spine, replace(spine)]
        elif token == "*+":
            after += [spine, Spine("*", max(s.origin for s in spines) + 1)]
        elif token == "*x":
            after.append(spine)
            if exchanged is None:
                exchanged = len(after) - 1
            else:
                after[exchanged], after[-1] = after[-1], after[exchanged]
                exchanged = None
        elif token.startswith("**"):
            after.append(Spine(token, spine.origin))
        elif token != "*-" and not (token == "*v" and place and tokens[place - 1] == "*v" and _joined(spines, place)):
            after.append(spine)
    if exchanged is not None:
        raise unreadable(line, "a single *x, which exchanges two spines")
    return after


def _joined(spines: list[Spine], place: int) -> bool:
    """Whether the spines at `place` and before it come from one column."""
    return spines[place].origin == spines[place - 1].origin
