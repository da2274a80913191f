"""Reduces the MEI of an imported score to the music that is heard: no ornaments, no words."""

from __future__ import annotations

from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.mei.definitions import UNPITCHED_CLEFS
from score_following_game.data_preparation.engraving.mei.timing import ABBREVIATED
from score_following_game.data_preparation.engraving.silent import MARK
from score_following_game.data_preparation.engraving.style import Style, style_advice
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI, print_what_sounds
from score_following_game.data_preparation.engraving.verovio.key_signatures import draw_naturals
from score_following_game.data_preparation.engraving.verovio.octaves import mend_octave_lines
from score_following_game.data_preparation.engraving.xml_text import xml_text
from score_following_game.data_preparation.errors import STAVES, EngravingError

_DROPPED = {  # words, and signs for more or different notes than are written
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
_REFERENCE_ATTRIBUTES = ("startid", "endid")

Element = ElementTree.Element


def clean_mei(text: str, style: Style) -> str:
    """Returns MEI that can be engraved.

    Dropped: grace notes, ornaments, chord symbols, fingering, lyrics, tempo marks and other words,
    page breaks. Kept: ties, slurs, articulation, dynamics, octave lines. Accidentals are added where the sheet would show a
    different pitch than sounds. Raises EngravingError for unreadable MEI, for a number of staves other than the style's, for
    percussion, and for signs for notes that are not written out.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise EngravingError("unreadable", f"not well-formed MEI: {error}") from None
    staves = {staff.get("n") for staff in root.iter(f"{MEI}staffDef")}
    if not staves:
        raise EngravingError("unreadable", "it has no staff")
    if len(staves) != style.staves:
        one_part = "; --part takes one part of it" if len(staves) > style.staves else ""
        count = "1 staff" if len(staves) == 1 else f"{len(staves)} staves"
        raise EngravingError(STAVES, f"the score has {count}{style_advice(len(staves))}{one_part}")
    for tag in sorted(ABBREVIATED):
        if root.find(f".//{MEI}{tag}") is not None:
            raise EngravingError("abbreviated notation", tag)
    try:
        _mend(root)
    except (ValueError, TypeError, KeyError, ZeroDivisionError) as error:  # attributes that are missing or not numbers
        raise EngravingError("unreadable", f"{type(error).__name__}: {error}") from None
    measures = list(root.iter(f"{MEI}measure"))
    if not measures:
        raise EngravingError("no notes", "no measures")
    measures[-1].set("right", "end")
    return xml_text(root)


def _mend(root: Element) -> None:
    """Remove everything that is not played, then make the printed octaves and accidentals agree with the sound."""
    _clean(root)
    _drop_dangling(root)
    mend_octave_lines(list(root.iter(f"{MEI}measure")))
    _check_notes(root)
    _stay_on_the_staves(root)
    draw_naturals(root)
    print_what_sounds(root)


def _stay_on_the_staves(root: Element) -> None:
    """Notes that are to be printed above the top staff or below the bottom one are printed on their own."""
    staves = {staff.get("n") for staff in root.iter(f"{MEI}staffDef")}
    for layer in root.iter(f"{MEI}layer"):
        for element in layer.iter():
            if element.get("staff") not in staves:
                element.attrib.pop("staff", None)


def _check_notes(root: Element) -> None:
    played = [note for note in root.iter(f"{MEI}note") if note.get("type") != MARK]
    clefs = {element.get(name) for element in root.iter() for name in ("shape", "clef.shape")}
    if any(note.get("pname") is None for note in played) or (not played and clefs & UNPITCHED_CLEFS):
        raise EngravingError("notes without a pitch", "percussion and tablature are not supported")
    if not played:
        raise EngravingError("no notes")


def _clean(parent: Element) -> None:
    """Clean the children of `parent`, depth first, and replace wrappers by their content."""
    kept: list[Element] = []
    for child in parent:
        tag = child.tag.removeprefix(MEI) if isinstance(child.tag, str) else ""
        if not tag or tag in _DROPPED or child.get("grace"):
            continue
        was_empty = len(child) == 0
        _clean(child)
        for name in ("stem.mod", "color"):  # everything is printed in black
            child.attrib.pop(name, None)
        if tag == "measure" and child.get("right") is None:
            child.set("right", "single")
        if tag in ("beam", "tuplet", "chord", "bTrem") and not was_empty and len(child) == 0:
            continue  # it held only grace notes
        if tag == "bTrem" or (tag == "beam" and _number_of_notes(child) == 1):
            kept.extend(child)
        else:
            kept.append(child)
    parent[:] = kept


def _number_of_notes(beam: Element) -> int:
    """Of notes outside of chords, chords and rests, also those in tuplets."""
    inside = sum(len(chord.findall(f"{MEI}note")) for chord in beam.iter(f"{MEI}chord"))
    return sum(len(list(beam.iter(MEI + tag))) for tag in ("note", "chord", "rest", "space")) - inside


def _drop_dangling(root: Element) -> None:
    """Remove ties, slurs and the like that refer to a removed note."""
    ids = {element.get(ID) for element in root.iter()}
    for parent in root.iter():
        parent[:] = [child for child in parent if _references(child) <= ids]


def _references(element: Element) -> set[str]:
    """Ids of the elements at which a tie, slur or the like begins and ends."""
    return {element.get(name, "").lstrip("#") for name in _REFERENCE_ATTRIBUTES if element.get(name)}
