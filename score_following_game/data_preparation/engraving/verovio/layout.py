"""Lays out MEI with verovio: systems with their staff lines and noteheads, and the time of each note."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.style import OPTION_PER_SPACE, Style
from score_following_game.data_preparation.engraving.svg import SVG
from score_following_game.data_preparation.engraving.verovio.timing import LaidOutNote, laid_out_notes
from score_following_game.data_preparation.engraving.xml_text import XLINK
from score_following_game.data_preparation.errors import EngravingError

if TYPE_CHECKING:  # optional: the extra [prepare]
    import verovio

_FONT = "Leipzig"
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_MOVE = re.compile(rf"translate\(\s*{_NUMBER}[ ,]+{_NUMBER}\s*\)(?:\s*scale\(\s*{_NUMBER})?")
_LINE = re.compile(rf"M\s*{_NUMBER}[ ,]+{_NUMBER}\s*L\s*{_NUMBER}[ ,]+{_NUMBER}")
_OPTIONS = {
    "header": "none",
    "footer": "none",
    "mnumInterval": 0,
    "smuflTextFont": "none",
    "expandNever": True,
    "adjustPageHeight": True,
    "pageHeight": 60000,
    "breaks": "auto",
    "systemMaxPerPage": 1,
    "minLastJustification": 0.6,
    "pageMarginTop": 400,
    "pageMarginBottom": 400,
    "pageMarginLeft": 100,
    "pageMarginRight": 0,
    "spacingSystem": 4,
    "staffLineWidth": 0.3,
    "stemWidth": 0.35,
    "ledgerLineThickness": 0.35,
    "barLineWidth": 0.45,
    "svgViewBox": False,
    "svgFormatRaw": True,
}

_TAG = re.compile(r"<([\w:.-]+)((?:\s+[\w:.-]+=\"[^\"]*\")+)(\s*/?)>")
_ATTRIBUTE = re.compile(r"\s+([\w:.-]+)=\"[^\"]*\"")
STAFF_DISTANCES = (12, 6, 2)  # in verovio's units of half a staff space, the first as usual


@dataclass(frozen=True)
class System:
    """One staff system, in SVG units.

    staff_lines: per staff the y of its lines, top staff first.  left, right: x of the ends of the staff lines.  noteheads:
    note id -> (y, x) of the centre, in drawing order.
    """

    svg: ElementTree.Element
    staff_lines: list[tuple[float, ...]]
    left: float
    right: float
    noteheads: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Layout:
    """The systems in reading order and the notes."""

    systems: list[System]
    notes: list[LaidOutNote]


def lay_out(mei: str, style: Style, staff_distance: int = 12, notes: list[LaidOutNote] | None = None) -> Layout:
    """Break the MEI into systems of the style's page width. Raises EngravingError if verovio cannot read it.

    staff_distance: least space between the staves of a system, one of STAFF_DISTANCES.  notes: those of another layout of the
    same MEI, if there is one; they do not depend on the distance.
    """
    toolkit = _toolkit(
        inputFrom="mei",
        font=_FONT,
        xmlIdSeed=7919,
        **_OPTIONS,
        spacingStaff=staff_distance,
        pageWidth=round(style.page_width / style.staff_space * OPTION_PER_SPACE) + 100,
    )
    if not toolkit.loadData(mei):
        raise EngravingError("unreadable", "the engraver could not load it")
    pages = toolkit.getPageCount()
    systems = [_read_system(ElementTree.fromstring(toolkit.renderToSVG(page))) for page in range(1, pages + 1)]
    return Layout(systems, laid_out_notes(toolkit, mei) if notes is None else notes)


def convert_to_mei(text: str, form: str) -> str:
    """Convert a score to MEI. form: "musicxml", "mei" or "humdrum". Raises EngravingError if verovio cannot read it."""
    # The seed differs from that of lay_out, which could otherwise give new elements ids that are already taken.
    toolkit = _toolkit(inputFrom=form, breaks="none", header="none", footer="none", xmlIdSeed=1)
    if not toolkit.loadData(text):
        raise EngravingError("unreadable", "the engraver could not load it")
    mei: str = toolkit.getMEI()
    return mei


def parse_mei(mei: str) -> ElementTree.Element:
    """Parse verovio's MEI, in which an attribute may stand twice. Raises EngravingError for other faults."""
    try:
        return ElementTree.fromstring(mei)
    except ElementTree.ParseError:
        pass
    try:
        return ElementTree.fromstring(_TAG.sub(_once_each, mei))
    except ElementTree.ParseError as error:
        raise EngravingError("unreadable", f"the engraver's MEI is not well-formed: {error}") from None


def _once_each(tag: re.Match[str]) -> str:
    """The tag with the first of its attributes of each name."""
    attributes = {found[1]: found[0] for found in reversed(list(_ATTRIBUTE.finditer(tag[2])))}
    return f"<{tag[1]}{''.join(reversed(attributes.values()))}{tag[3]}>"


def bar_order(mei: str) -> list[int]:
    """The bars that the measures of the MEI are, as their ids say: bar-7, or bar-7-2 where it comes a second time."""
    return [int(number) for number in re.findall(r'<measure\b[^>]*?\bxml:id="bar-(\d+)', mei)]


def _toolkit(**options: object) -> verovio.toolkit:
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    if not toolkit.setOptions(options):
        raise RuntimeError(f"verovio {toolkit.getVersion()} rejected the options")
    return toolkit


def _read_system(root: ElementTree.Element) -> System:
    staves: set[tuple[float, ...]] = set()
    ends: list[float] = []
    heads: dict[str, tuple[float, float]] = {}
    for element, x, y, note in _walk(root, 0.0, 0.0, None):
        classes = (element.get("class") or "").split()
        if "staff" in classes:
            lines = [line for line in map(horizontal_line, element.findall(f"{SVG}path")) if line]
            if lines:
                staves.add(tuple(y + line[1] for line in lines))
                ends += [x + end for line in lines for end in (line[0], line[2])]
        elif "notehead" in classes and note is not None and (centre := _glyph_centre(element)):
            heads.setdefault(note, (y + centre[0], x + centre[1]))
    if not staves:
        raise EngravingError("no staff lines", "a page without a system")
    return System(root, sorted(staves), min(ends), max(ends), heads)


def horizontal_line(path: ElementTree.Element) -> tuple[float, float, float] | None:
    """(x from, y, x to) of a path that is one horizontal line, as a staff line is; None for any other path."""
    found = _LINE.fullmatch((path.get("d") or "").strip())
    return (float(found[1]), float(found[2]), float(found[3])) if found and found[2] == found[4] else None


def _walk(
    element: ElementTree.Element,
    x: float,
    y: float,
    note: str | None,
) -> Iterator[tuple[ElementTree.Element, float, float, str | None]]:
    """(element, x and y of its coordinate system, id of its note or None), depth first, without what is hidden."""
    if element.get("visibility") == "hidden":
        return
    dx, dy = moved(element)
    x, y = x + dx, y + dy
    if "note" in (element.get("class") or "").split():
        note = element.get("id")
    yield element, x, y, note
    for child in element:
        yield from _walk(child, x, y, note)


def moved(element: ElementTree.Element) -> tuple[float, float]:
    """How far a group moves the coordinates of its content."""
    move = _MOVE.search(element.get("transform") or "") if element.tag == f"{SVG}g" else None
    return (float(move[1]), float(move[2])) if move else (0.0, 0.0)


def glyph_of(use: ElementTree.Element) -> tuple[str, float, float, float] | None:
    """SMuFL code, x, y and scale of a glyph that is drawn; None for any other element."""
    code = (use.get(f"{XLINK}href") or use.get("href") or "").lstrip("#").split("-")[0]
    move = _MOVE.search(use.get("transform") or "")
    return (code, float(move[1]), float(move[2]), float(move[3] or 1)) if code and move else None


def _glyph_centre(notehead: ElementTree.Element) -> tuple[float, float] | None:
    """(y, x) of the centre of the glyph's box. None if the head is not drawn with a glyph."""
    for use in notehead.iter(f"{SVG}use"):
        if (glyph := glyph_of(use)) is not None and (box := _glyph_boxes().get(glyph[0])) and box[2] > 0:
            (_, x, y, scale), (left, bottom, width, height) = glyph, box
            return y - (bottom + height / 2) * scale, x + (left + width / 2) * scale
    return None


@functools.cache
def _glyph_boxes() -> dict[str, tuple[float, float, float, float]]:
    """Glyph code -> (x, y, width, height) of its box in font units, with y pointing up."""
    import verovio

    table = ElementTree.parse(Path(verovio.__file__).parent / "data" / f"{_FONT}.xml").getroot()
    boxes = {}
    for glyph in table.iter("g"):
        x, y, width, height = (float(glyph.attrib[key]) for key in "xywh")
        boxes[glyph.attrib["c"]] = x, y, width, height
    return boxes
