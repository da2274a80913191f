"""Rests of several bars, which MEI writes as one measure."""

from __future__ import annotations

from xml.etree import ElementTree

from score_following_game.data_preparation.errors import EngravingError

_MOST_BARS = 999  # of one rest

Element = ElementTree.Element


def write_out_rests(root: Element, namespace: str = "") -> None:
    """Replace every measure of a rest of several bars by as many measures of one bar each.

    namespace: "{...}" before the names of the elements. The bar line at the end (right) is that of the last of the measures.
    Raises EngravingError, naming the bar, for a number of bars that is none.
    """
    for parent in list(root.iter()):
        for measure in parent.findall(f"{namespace}measure"):
            rests = list(measure.iter(f"{namespace}multiRest"))
            if not rests:
                continue
            number = max(_number_of_bars(rest, measure) for rest in rests)
            for rest in rests:
                rest.tag = f"{namespace}mRest"
                rest.attrib.pop("num", None)
            place = list(parent).index(measure)
            new = [_empty(measure, after, namespace) for after in range(1, number)]
            parent[place + 1 : place + 1] = new
            if new and "right" in measure.attrib:
                new[-1].set("right", measure.attrib.pop("right"))


def _number_of_bars(rest: Element, measure: Element) -> int:
    text = rest.get("num", "1").strip()
    if not (text.isdecimal() and 1 <= int(text) <= _MOST_BARS):
        raise EngravingError("unreadable", f"bar {measure.get('n', '?')}: a rest of {text[:20]!r} bars")
    return int(text)


def _empty(measure: Element, after: int, namespace: str) -> Element:
    """A measure of rests for the staves of another. after: how many bars after it."""
    first = measure.get("n", "")
    new = Element(f"{namespace}measure", n=str(int(first) + after) if first.isdecimal() else f"{first}+{after}")
    for staff in measure.findall(f"{namespace}staff"):
        own = ElementTree.SubElement(new, f"{namespace}staff", n=staff.get("n", ""))
        ElementTree.SubElement(ElementTree.SubElement(own, f"{namespace}layer", n="1"), f"{namespace}mRest")
    return new
