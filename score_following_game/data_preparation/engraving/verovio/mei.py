"""An imported score as MEI -> the same music as a follower hears it: each section once, no ornaments, no words."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.style import Style
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI, derive_sound, print_what_sounds
from score_following_game.data_preparation.errors import STAVES, EngravingError

_DROPPED = {  # words, and signs that ask for more or other notes than are written
    "harm",
    "fb",
    "tempo",
    "dir",
    "reh",
    "fing",
    "fingGrp",
    "verse",
    "refrain",
    "syl",
    "lv",
    "annot",
    "pgHead",
    "pgHead2",
    "pgFoot",
    "pgFoot2",
    "mNum",
    "label",
    "labelAbbr",
    "pb",
    "sb",
    "cb",
    "expansion",
    "repeatMark",
    "cpMark",
    "pedal",
    "arpeg",
    "trill",
    "mordent",
    "turn",
    "ornam",
    "gliss",
    "bend",
    "attacca",
    "graceGrp",
}
_ABBREVIATED = {"mRpt", "mRpt2", "multiRpt", "halfmRpt", "beatRpt", "fTrem"}  # notes that sound and are not written out
_UNPITCHED = {"perc", "TAB"}  # clefs
_REPEATS = {"rptstart", "rptend", "rptboth"}
_REFERENCES = ("startid", "endid")

Element = ElementTree.Element

ElementTree.register_namespace("", MEI[1:-1])


def clean_mei(text: str, style: Style) -> tuple[str, float | None]:
    """-> (MEI to engrave, its first tempo in quarters per minute or None).

    Dropped: repeats, second endings, grace notes, ornaments, chord symbols, fingering, lyrics, tempo and other words, page
    breaks. Kept: ties, slurs, articulation, dynamics, octave lines. Accidentals are added where the sheet would say another
    note than sounds; a transposing instrument sounds at its own pitch. Raises EngravingError for a score with another number
    of staves than the style's, for percussion, and for signs that stand for notes which are not written.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise EngravingError("unreadable", f"not well-formed MEI: {error}") from None
    staves = {staff.get("n") for staff in root.iter(f"{MEI}staffDef")}
    if not staves:
        raise EngravingError("unreadable", "no staff in it")
    if len(staves) != style.staves:
        raise EngravingError(STAVES, f"the score has {len(staves)}, style {style.name}: {style.staves}")
    for tag in sorted(_ABBREVIATED):
        if root.find(f".//{MEI}{tag}") is not None:
            raise EngravingError("abbreviated notation", tag)
    tempo = _first_tempo(root)
    try:
        _mend(root)
    except (ValueError, TypeError, KeyError, ZeroDivisionError) as error:  # of attributes that are no numbers, or none
        raise EngravingError("unreadable", f"{type(error).__name__}: {error}") from None
    measures = list(root.iter(f"{MEI}measure"))
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
            if element.tag == f"{MEI}tempo" and element.get("mm"):
                value = 4.0 / float(element.get("mm.unit", "4"))
                return float(element.get("mm")) * value * (2 - 0.5 ** int(element.get("mm.dots", "0")))
        except ValueError:
            return None
    return None


def _mend(root: Element) -> None:
    """Take out what is not played, then make the sheet say what sounds."""
    if not _says_what_sounds(root):
        derive_sound(root)
    _clean(root)
    _drop_dangling(root)
    _check_notes(root)
    print_what_sounds(root)


def _says_what_sounds(root: Element) -> bool:
    """True of MEI that verovio made of MusicXML or Humdrum: a note without accid.ges sounds natural. In other MEI it may be
    left to the signs."""
    return any((text.text or "").startswith("Transcoded from") for text in root.iter(f"{MEI}p"))


def _check_notes(root: Element) -> None:
    notes = list(root.iter(f"{MEI}note"))
    if not notes:
        raise EngravingError("no notes")
    clefs = {element.get(name) for element in root.iter() for name in ("shape", "clef.shape")}
    if clefs & _UNPITCHED or any(note.get("pname") is None for note in notes):
        raise EngravingError("notes without a pitch", "percussion and tablature are not read")


def _clean(parent: Element) -> None:
    """Clean the children of `parent`, depth first, and put what wrappers held in their place."""
    after_ending = False  # an ending without a number that follows another is a second one
    kept: list[Element] = []
    for child in parent:
        tag = child.tag.removeprefix(MEI) if isinstance(child.tag, str) else ""
        if not tag or tag in _DROPPED or child.get("grace"):
            continue
        if tag == "ending":
            first = _is_first(child, after_ending)
            _clean(child)
            # What changes key or meter under a later ending holds for what follows it.
            kept.extend(child if first else child.findall(f"{MEI}scoreDef"))
            after_ending = True
            continue
        if tag in ("measure", "section"):
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


def _is_first(ending: Element, after_ending: bool) -> bool:
    """By its number (1, "1, 2", "1-3"); by its place where it has none."""
    number = re.match(r"\d+", ending.get("n", "").strip())
    return int(number[0]) == 1 if number else not after_ending


def _play_once(element: Element) -> None:
    """Take the repeat bar lines from a measure and the tremolo strokes from a stem."""
    for side in ("left", "right"):
        if element.get(side) in _REPEATS:
            del element.attrib[side]
    if element.tag == f"{MEI}measure" and element.get("right") is None:
        element.set("right", "single")
    element.attrib.pop("stem.mod", None)


def _drop_dangling(root: Element) -> None:
    """Remove ties, slurs and the like whose note is gone."""
    ids = {element.get(ID) for element in root.iter()}
    for parent in root.iter():
        parent[:] = [
            child for child in parent if all(child.get(name, "").lstrip("#") in ids for name in _REFERENCES if child.get(name))
        ]
