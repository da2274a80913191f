"""An imported score as MEI -> the same music as a follower hears it: each section once, no ornaments, no words."""
from __future__ import annotations

from xml.etree import ElementTree

from score_following_game.data_processing.engraving.layout import EngravingError
from score_following_game.data_processing.engraving.style import Style

_MEI = "{http://www.music-encoding.org/ns/mei}"
_ID = "{http://www.w3.org/XML/1998/namespace}id"
_DROPPED = {  # words, and signs that ask for more or other notes than are written
    "harm", "fb", "tempo", "dir", "reh", "fing", "fingGrp", "verse", "refrain", "syl", "lv", "annot", "pgHead", "pgHead2",
    "pgFoot", "pgFoot2", "mNum", "label", "labelAbbr", "pb", "sb", "cb", "expansion", "repeatMark", "cpMark", "pedal",
    "arpeg", "trill", "mordent", "turn", "ornam", "gliss", "bend", "attacca", "graceGrp",
}
_REFUSED = {"mRpt", "mRpt2", "multiRpt", "halfmRpt", "beatRpt", "fTrem"}  # notes that sound and are not written out
_REPEATS = {"rptstart", "rptend", "rptboth"}
_REFERENCES = ("startid", "endid")

Element = ElementTree.Element

ElementTree.register_namespace("", _MEI[1:-1])


def clean_mei(text: str, style: Style) -> tuple[str, float | None]:
    """-> (MEI to engrave, its first tempo in quarters per minute or None).

    Dropped: repeats, second endings, grace notes, ornaments, chord symbols, fingering, lyrics, tempo and other words, page
    breaks. Kept: ties, slurs, articulation, dynamics, octave lines. Raises EngravingError for a score with another number of
    staves than the style's, and for signs that stand for notes which are not written.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise EngravingError("unreadable", f"not well-formed MEI: {error}") from None
    staves = {staff.get("n") for staff in root.iter(f"{_MEI}staffDef")}
    if not staves:
        raise EngravingError("unreadable", "no staff in it")
    if len(staves) != style.staves:
        raise EngravingError("wrong number of staves", f"the score has {len(staves)}, style {style.name}: {style.staves}")
    for tag in sorted(_REFUSED):
        if root.find(f".//{_MEI}{tag}") is not None:
            raise EngravingError("abbreviated notation", tag)
    tempo = _first_tempo(root)
    _clean(root)
    _drop_dangling(root)
    measures = list(root.iter(f"{_MEI}measure"))
    if not measures:
        raise EngravingError("no notes", "no measures")
    measures[-1].set("right", "end")
    return ElementTree.tostring(root, encoding="unicode"), tempo


def _first_tempo(root: Element) -> float | None:
    """The first tempo mark or sounding tempo, in document order."""
    for element in root.iter():
        try:
            if element.get("midi.bpm"):
                return float(element.get("midi.bpm"))
            if element.tag == f"{_MEI}tempo" and element.get("mm"):
                value = 4.0 / float(element.get("mm.unit", "4"))
                return float(element.get("mm")) * value * (2 - 0.5 ** int(element.get("mm.dots", "0")))
        except ValueError:
            return None
    return None


def _clean(parent: Element) -> None:
    """Clean the children of `parent`, depth first, and put what wrappers held in their place."""
    after_ending = False  # an ending that follows another is a second one
    kept: list[Element] = []
    for child in parent:
        tag = child.tag.removeprefix(_MEI) if isinstance(child.tag, str) else ""
        if not tag or tag in _DROPPED or child.get("grace"):
            continue
        if tag == "ending":
            if not after_ending:
                _clean(child)
                kept.extend(child)
            after_ending = True
            continue
        if tag in ("measure", "section", "scoreDef"):
            after_ending = False
        was_empty = len(child) == 0
        _clean(child)
        _play_once(child)
        if tag in ("beam", "tuplet", "chord", "bTrem") and not was_empty and len(child) == 0:
            continue  # held grace notes only
        if tag == "bTrem" or (tag == "beam" and len(child) == 1):
            kept.extend(child)
        else:
            kept.append(child)
    parent[:] = kept


def _play_once(element: Element) -> None:
    """Take the repeat bar lines from a measure and the tremolo strokes from a stem."""
    for side in ("left", "right"):
        if element.get(side) in _REPEATS:
            del element.attrib[side]
    if element.tag == f"{_MEI}measure" and element.get("right") is None:
        element.set("right", "single")
    element.attrib.pop("stem.mod", None)


def _drop_dangling(root: Element) -> None:
    """Remove ties, slurs and the like whose note is gone."""
    ids = {element.get(_ID) for element in root.iter()}
    for parent in root.iter():
        parent[:] = [child for child in parent if all(
            child.get(name, "").lstrip("#") in ids for name in _REFERENCES if child.get(name))]
