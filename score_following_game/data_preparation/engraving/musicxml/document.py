"""The structure of a MusicXML file: its parts, staves and measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.chords import separate_chords
from score_following_game.data_preparation.errors import EngravingError

_TEXTS = ("words", "text", "rehearsal", "display-text")  # in which white space may count
_NAME_SIGNS = {"flat": "b", "sharp": "#", "natural": ""}  # <accidental-text>, as in "Clarinet in Bb"

Element = ElementTree.Element


@dataclass(frozen=True)
class Part:
    """A part. names: all that it is given.  first_staff: number of its top staff in the score, from 1.  staves: how many."""

    element: Element
    names: tuple[str, ...]
    first_staff: int
    staves: int

    @property
    def name(self) -> str:
        return self.names[0] if self.names else ""

    @property
    def staff_numbers(self) -> tuple[int, ...]:
        return tuple(range(self.first_staff, self.first_staff + self.staves))

    @property
    def measures(self) -> list[Element]:
        return self.element.findall("measure")


def read_document(text: str) -> tuple[Element, list[Part]]:
    """Parse MusicXML into its root element, score-partwise, and its parts in the order of the part list.

    Raises EngravingError if the text is not well-formed or has no part.
    """
    try:
        root = ElementTree.fromstring(text.lstrip())
    except ElementTree.ParseError as error:
        raise EngravingError("unreadable", f"not well-formed XML: {error}") from None
    _drop_namespaces(root)
    _tidy(root)
    if root.tag == "score-timewise":
        _make_partwise(root)
    elements = _in_listed_order(root)
    if not elements:
        raise EngravingError("no notes", "no part")
    names = {listed.get("id"): tuple(_names(listed)) for listed in root.iter("score-part")}
    parts: list[Part] = []
    for element in elements:
        staves = _number_of_staves(element)
        first = parts[-1].first_staff + parts[-1].staves if parts else 1
        separate_chords(element)
        parts.append(Part(element, names.get(element.get("id"), ()), first, staves))
    return root, parts


def _names(listed: Element) -> Iterator[str]:
    """The names of a <score-part>, in one line each: as programs sort it, as it is printed, and both of them shortened."""
    for tag in ("part-name", "part-name-display", "part-abbreviation", "part-abbreviation-display"):
        for element in listed.findall(tag):
            texts = [part.text or "" for part in element] or [element.text or ""]
            if name := " ".join("".join(_NAME_SIGNS.get(text.strip(), text) for text in texts).split()):
                yield name


def _drop_namespaces(root: Element) -> None:
    """Remove elements of foreign namespaces, and the namespace of MusicXML's own elements."""
    own = root.tag.rpartition("}")[0]
    for parent in root.iter():
        if isinstance(parent.tag, str):
            parent.tag = parent.tag.rpartition("}")[2]
        parent[:] = [child for child in parent if isinstance(child.tag, str) and child.tag.rpartition("}")[0] == own]


def _tidy(root: Element) -> None:
    """Write the file as the engraver takes it.

    It takes white space for a part of values, an octave line that goes on in a new system for another one, and no file that
    names bar lines of single parts (non-controlling). Keys and clefs are shown: without them the notes are others. All staves
    have the size of the style.
    """
    for element in root.iter():
        if element.text and not len(element) and element.tag not in _TEXTS:
            element.text = element.text.strip()
        if element.tag in ("key", "clef"):
            element.attrib.pop("print-object", None)
        elif element.tag == "direction-type":
            for line in [line for line in element.findall("octave-shift") if line.get("type") == "continue"]:
                element.remove(line)
        elif element.tag == "staff-details":
            for size in element.findall("staff-size"):
                element.remove(size)
        elif element.tag == "measure":
            element.attrib.pop("non-controlling", None)


def _make_partwise(root: Element) -> None:
    """Turn score-timewise, measures that hold parts, into score-partwise, parts that hold measures."""
    parts: dict[str | None, Element] = {}
    for measure in root.findall("measure"):
        root.remove(measure)
        for part in measure.findall("part"):
            whole = parts.setdefault(part.get("id"), Element("part", {"id": part.get("id", "")}))
            own = ElementTree.SubElement(whole, "measure", dict(measure.attrib))
            own.extend(part)
    root.extend(parts.values())
    root.tag = "score-partwise"


def _in_listed_order(root: Element) -> list[Element]:
    """The parts in the order of the part list, as the engraver numbers their staves. Parts not listed are not engraved."""
    by_id = {part.get("id"): part for part in root.findall("part")}
    return [by_id[listed.get("id")] for listed in root.iter("score-part") if listed.get("id") in by_id]


def _number_of_staves(part: Element) -> int:
    """The largest number of staves stated or used. It is stated in the first measure then, where the engraver looks."""
    stated = [number(element, "staves", 1) for element in part.iter("attributes")]
    used = [number(note, "staff", 1) for note in part.iter("note")]
    staves = max([1, *stated, *used])
    if staves > 1:
        _state_staves(part, staves)
    return staves


def _state_staves(part: Element, staves: int) -> None:
    """Write the number of staves into the part's first attributes."""
    for element in part.iter("attributes"):
        for child in element.findall("staves"):
            element.remove(child)
    measure = part.find("measure")
    if measure is None:
        return
    attributes = measure.find("attributes")
    if attributes is None:
        attributes = Element("attributes")
        measure.insert(0, attributes)
    before = sum(1 for child in attributes if child.tag in ("footnote", "level", "divisions", "key", "time"))
    stated = Element("staves")
    stated.text = str(staves)
    attributes.insert(before, stated)


def set_ids(parts: list[Part]) -> None:
    """Give notes the ids n0, n1, ... and measures bar-0, bar-1, ..., which the engraver keeps."""
    note_number = 0
    for part in parts:
        for index, measure in enumerate(part.measures):
            for element in measure.iter():
                element.attrib.pop("id", None)
            measure.set("id", f"bar-{index}")
            for note in measure.iter("note"):
                note.set("id", f"n{note_number}")
                note_number += 1


def sounds_of(element: Element) -> list[Element]:
    """The <sound>s of a <direction>, or the <sound> that the element is itself."""
    return [element] if element.tag == "sound" else element.findall("sound")


def number(element: Element, path: str, default: int) -> int:
    """The whole number in a descendant's text, `default` where it is missing. Raises EngravingError for other text."""
    text = (element.findtext(path) or "").strip()
    try:
        return int(float(text)) if text else default
    except (ValueError, OverflowError):
        raise EngravingError("unreadable", f"{path} {text[:20]!r} is not a number") from None


def bars(parts: list[Part]) -> Iterator[tuple[int, list[tuple[Part, Element]]]]:
    """Index of each bar, with the measure of each part that has it."""
    measures = [(part, part.measures) for part in parts]
    for index in range(max(len(own) for _, own in measures)):
        yield index, [(part, own[index]) for part, own in measures if index < len(own)]
