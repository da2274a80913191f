"""The movements of an MEI file: every mdiv with a score is a piece of its own."""

from __future__ import annotations

from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.tree import is_foreign, name_of, parse
from score_following_game.data_preparation.engraving.xml_text import xml_text
from score_following_game.data_preparation.errors import EngravingError

Element = ElementTree.Element


def movement_labels(text: str) -> list[str]:
    """The label of each movement, "" for one without; empty if the text is not MEI."""
    try:
        root = parse(text)
    except EngravingError:
        return []
    return [mdiv.get("label", "") for mdiv in movements(root)]


def one_movement(text: str, number: int) -> str:
    """The text with one movement only. number: 1 is the first."""
    root = parse(text)
    found = movements(root)
    if not 1 <= number <= len(found):
        raise EngravingError("unreadable", f"no movement {number} in {len(found)}")
    kept = found[number - 1]
    for parent in list(root.iter()):
        parent[:] = [child for child in parent if child is kept or child not in found or _contains(child, kept)]
    for other in found:
        if other is not kept:  # it contains the one that is kept
            other[:] = [child for child in other if name_of(child) != "score"]
    return xml_text(root)


def movements(root: Element) -> list[Element]:
    """The mdiv elements that have a score with measures, or any score if none has a measure. The header has no movements."""
    if name_of(root) != "mei":
        return []
    music = [child for child in root if name_of(child) == "music"]
    scored = [mdiv for part in music for mdiv in part.iter() if name_of(mdiv) == "mdiv" and score_of(mdiv, root) is not None]
    return [mdiv for mdiv in scored if _has_measures(mdiv, root)] or scored[:1]


def score_of(mdiv: Element, root: Element) -> Element | None:
    return next((child for child in mdiv if name_of(child) == "score" and not is_foreign(child, root)), None)


def _has_measures(mdiv: Element, root: Element) -> bool:
    score = score_of(mdiv, root)
    return score is not None and any(name_of(element) == "measure" for element in score.iter())


def _contains(parent: Element, sought: Element) -> bool:
    return any(element is sought for element in parent.iter())
