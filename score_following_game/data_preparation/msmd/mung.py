"""Reads MuNG files: the annotated objects of one page.

Certain, from the papers on MUSCIMA++ and MSMD: CropObject elements with Top, Left, Width and Height in pixels of the page, a
class name (ClassName, or MLClassName in the older dialect), and Data items.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from score_following_game.data_preparation.errors import leaving_out
from score_following_game.data_preparation.msmd.files import read_bytes

_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
_NUMBER = re.compile(r"\[?\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*\]?")


@dataclass(frozen=True)
class MungObject:
    """ids: all of its names.  kind: class name, reduced to lower-case letters.  box: top, left, bottom, right, in pixels."""

    ids: tuple[str, ...]
    kind: str
    box: tuple[float, float, float, float]
    data: dict[str, str]


class _NoDoctype(ElementTree.TreeBuilder):
    """Rejects document types. They can define entities, which may refer to files or expand without limit."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ElementTree.ParseError("it has a document type, which MuNG files do not need")


def read_mung(path: Path) -> list[MungObject]:
    """All objects of a MuNG file. Raises EngravingError if it is missing, too large or not MuNG."""
    with leaving_out("broken XML", str(path)):
        root = ElementTree.fromstring(read_bytes(path), ElementTree.XMLParser(target=_NoDoctype()))
        objects = [_object(element) for element in root.iter() if element.tag in ("CropObject", "Node")]
    return objects


def _object(element: ElementTree.Element) -> MungObject:
    texts = {child.tag: (child.text or "").strip() for child in element}
    ids = tuple(dict.fromkeys(filter(None, (element.get(_XML_ID), texts.get("UniqueId"), texts.get("Id")))))
    top, left, height, width = (number(texts.get(key)) for key in ("Top", "Left", "Height", "Width"))
    if top is None or left is None or not height or not width or height < 0 or width < 0:
        raise ValueError(f"object {ids[0] if ids else '?'} has no valid box")
    kind = re.sub("[^a-z]", "", (texts.get("ClassName") or texts.get("MLClassName") or "").lower())
    data = {item.get("key", ""): (item.text or "").strip() for item in element.iterfind("Data/DataItem")}
    return MungObject(ids, kind, (top, left, top + height, left + width), data)


def number(text: str | None) -> float | None:
    """The finite number that a text consists of, perhaps in brackets. None for any other text."""
    found = _NUMBER.fullmatch((text or "").strip())
    return float(found[1]) if found and math.isfinite(float(found[1])) else None
