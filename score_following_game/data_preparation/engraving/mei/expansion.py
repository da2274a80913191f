"""The order in which the sections of an MEI score are played, by its expansion elements."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.bar_marks import WITHOUT_REPEATS, BarMarks
from score_following_game.data_preparation.engraving.clear_order import unclear
from score_following_game.data_preparation.engraving.mei.marks import marks_of
from score_following_game.data_preparation.engraving.mei.tree import name_of, parse
from score_following_game.data_preparation.engraving.read_bar import ReadBar
from score_following_game.data_preparation.errors import EngravingError

_LONGEST = 20_000  # bars
_NOT_BARS = ("meiHead", "parts", "oStaff")

Element = ElementTree.Element


def expansion_order(mei: str, bars: Sequence[ReadBar]) -> list[int] | None:
    """The bars in the order that the score's expansions list; None if it has none. bars: the reading of the score.

    An expansion stands for the content of the element that it is in. Raises EngravingError for one that names what is not there
    or itself, and for repeats and jumps of bars to which no expansion applies.
    """
    root = parse(mei)
    expander = _Expander(root)
    if not any(expansion_of(element) is not None for element in root.iter()):
        return None
    expander.play(root)
    marks = marks_of(root, bars) if expander.not_listed else []
    for bar in sorted(expander.not_listed):
        if marks[bar] != BarMarks():
            raise unclear(bars[bar].name, "a repeat or jump in a score whose expansion lists other bars only")
    return expander.order


def expansion_of(element: Element) -> Element | None:
    """The expansion that lists the content of an element."""
    listed = (child for child in element if name_of(child) == "expansion" and child.get("type") != WITHOUT_REPEATS)
    return next(listed, None)


class _Expander:
    """Collects the indices of the bars as they are played. not_listed: those that no expansion names."""

    def __init__(self, root: Element) -> None:
        self.parts = {element.get(ID): element for element in root.iter() if element.get(ID)}
        self.order: list[int] = []
        self.not_listed: set[int] = set()
        self._open: list[Element] = []  # the lists that are being played
        measures = (element for element in _music(root) if name_of(element) == "measure")
        self._bars = {id(measure): index for index, measure in enumerate(measures)}

    def play(self, element: Element) -> None:
        name = name_of(element)
        if name == "measure":
            self._add(self._bars[id(element)])
        elif name == "expansion":
            self._play_list(element)
        elif (listed := expansion_of(element)) is not None:
            self._play_list(listed)
        elif name not in _NOT_BARS:
            for child in element:
                if name_of(child) != "expansion":
                    self.play(child)

    def _play_list(self, expansion: Element) -> None:
        if expansion in self._open:
            raise EngravingError("no clear order of the bars", "an expansion that lists itself")
        self._open.append(expansion)
        for name in (name.rpartition("#")[2] for name in (expansion.get("plist") or "").split()):
            if name not in self.parts:
                raise EngravingError("no clear order of the bars", f"an expansion lists {name[:40]!r}, which is not there")
            self.play(self.parts[name])
        self._open.pop()

    def _add(self, bar: int) -> None:
        self.order.append(bar)
        if not self._open:
            self.not_listed.add(bar)
        if len(self.order) > _LONGEST:
            raise EngravingError("no clear order of the bars", f"the expansions list more than {_LONGEST} bars")


def _music(element: Element) -> list[Element]:
    """The elements in document order, without those that hold no bars of the score."""
    if name_of(element) in _NOT_BARS:
        return []
    return [element, *(part for child in element for part in _music(child))]
