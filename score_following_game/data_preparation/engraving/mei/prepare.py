"""The music of one movement, written so that the engraver and our own arithmetic read the same."""

from __future__ import annotations

from copy import deepcopy
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID, NAMESPACE
from score_following_game.data_preparation.engraving.long_rests import write_out_rests
from score_following_game.data_preparation.engraving.mei.alternating import write_out_meters
from score_following_game.data_preparation.engraving.mei.movements import movements, score_of
from score_following_game.data_preparation.engraving.mei.origin import is_from_abc
from score_following_game.data_preparation.engraving.mei.tree import name_of, played
from score_following_game.data_preparation.engraving.xml_text import xml_text
from score_following_game.data_preparation.errors import EngravingError

# Elements that get ids of ours. The engraver's ids have no hyphen, so none can be the same.
_NAMED = {"measure": "bar", "note": "note", "chord": "chord", "rest": "rest", "space": "space", "mRest": "rest"}
_NAMED |= {"mSpace": "space"}
_REFERENCES = ("startid", "endid", "plist", "corresp", "sameas", "next", "prev", "synch", "copyof")
_OLD_NAMES = {"key.sig": "keysig"}
_METERS = ("meterSig", "meterSigGrp")
_SIGNS = (*_METERS, "clef", "keySig")  # in a layer, what takes no time
_DEFINITION = ("scoreDef", "staffGrp", "staffDef")
_PRINTED = ("note", "chord", "rest", "space", "clef", "keySig", "mRest", "mSpace")
_RATIO_DEFAULTS = ("num.default", "numbase.default")
_LAYER_DEFAULTS = (*_RATIO_DEFAULTS, "dur.default", "oct.default", "octave.default", "trans.semi", "trans.diat")

Element = ElementTree.Element


def prepare(root: Element) -> Element:
    """The score of the only movement, see `played`: lines and definitions complete, every note, rest and bar with an id.

    Bar i has the id "bar-i" (from 0). Raises EngravingError if there are several movements, no score or no staff.
    """
    found = movements(root)
    if len(found) > 1:
        raise EngravingError("several movements", f"{len(found)} mdiv elements, to be read one at a time")
    original = score_of(found[0], root) if found else None
    if original is None:
        raise EngravingError("unreadable", "it has no score (parts alone are not read; export the whole score)")
    _refuse_defaults(original)
    score = played(original, root)[0]
    for note in score.iter("note") if is_from_abc(root) else ():
        note.attrib.pop("accid.ges", None)
    _fill_copies(score)
    for parent in score.iter():
        if parent is not score and parent.tag != "ending" and parent.find("measure") is not None:
            parent.tag = "section"  # whatever else bars are in, the engraver would pass over them
    _take_meters_from_layers(score)
    _complete_definitions(score)
    _name_staff_of_octave_lines(score)
    _write_dots(score)
    _write_durations_of_chords(score)
    _sort_staves(score)
    for layer in score.iter("layer"):
        _pass_on_staff(layer, "")
    write_out_rests(score)
    write_out_meters(score)
    _name(score)
    return score


def document(score: Element, version: str, transcoded: bool) -> str:
    """MEI text with this score and an empty header. transcoded: every note says how it sounds, as in the engraver's MEI."""
    root = Element("mei", xmlns=NAMESPACE, meiversion=version or "5.0")
    head = ElementTree.SubElement(root, "meiHead")
    file = ElementTree.SubElement(head, "fileDesc")
    ElementTree.SubElement(ElementTree.SubElement(file, "titleStmt"), "title")
    ElementTree.SubElement(file, "pubStmt")
    if transcoded:
        info = ElementTree.SubElement(ElementTree.SubElement(head, "encodingDesc"), "appInfo")
        ElementTree.SubElement(ElementTree.SubElement(info, "application"), "p").text = "Transcoded from MEI"
    body = ElementTree.SubElement(ElementTree.SubElement(root, "music"), "body")
    ElementTree.SubElement(body, "mdiv").append(score)
    return xml_text(root)


def _fill_copies(score: Element) -> None:
    """Give elements that are copies of another (copyof) its content and attributes."""
    named = {element.get(ID): element for element in score.iter() if element.get(ID)}
    for element in list(score.iter()):
        source = named.get((element.get("copyof") or "").rpartition("#")[2])
        if source is not None and source is not element and source.tag == element.tag and not len(element):
            element.attrib.update({key: value for key, value in source.attrib.items() if key not in element.attrib})
            element.extend(deepcopy(list(source)))


def _refuse_defaults(score: Element) -> None:
    """Raise EngravingError for defaults of a layer, and for those that make the notes of every bar tuplets."""
    for element in score.iter():
        defaults = _LAYER_DEFAULTS if name_of(element) == "layerDef" else _RATIO_DEFAULTS
        if name := next((name for name in defaults if element.get(name)), ""):
            raise EngravingError("unreadable", f"{name_of(element)} with {name}; write it to the notes themselves")


def _take_meters_from_layers(score: Element) -> None:
    """Turn a time signature at the beginning or end of a layer into a definition of its staff, before or after the bar."""
    for parent in list(score.iter()):
        for measure in parent.findall("measure"):
            for staff in measure.findall("staff"):
                before, after = _meters_at_ends(staff.findall("layer"))
                place = list(parent).index(measure)
                for sign, at in ((before, place), (after, place + 1)):
                    if sign is not None:
                        definition = Element("staffDef", n=staff.get("n") or "")
                        definition.append(sign)
                        parent.insert(at + (at > place and before is not None), definition)


def _meters_at_ends(layers: list[Element]) -> tuple[Element | None, Element | None]:
    """The last time signature before all notes of the layers, and the last after them; both are removed."""
    found: list[Element | None] = [None, None]
    for layer in layers:
        timed = [place for place, child in enumerate(layer) if child.tag not in _SIGNS]
        for place, child in enumerate(list(layer)):
            if child.tag in _METERS and (not timed or not timed[0] < place < timed[-1]):
                found[bool(timed) and place > timed[-1]] = child
                layer.remove(child)
    return found[0], found[1]


def _complete_definitions(score: Element) -> None:
    """Put every staffDef into a scoreDef; a staff without a number of lines has five."""
    for parent in list(score.iter()):
        if parent.tag not in (*_DEFINITION, "staff", "layer"):
            parent[:] = [_in_score_definition(child) for child in parent]
        for old, new in _OLD_NAMES.items():
            if old in parent.attrib:
                parent.set(new, parent.attrib.pop(old))
        name = "sig" if parent.tag == "keySig" else "keysig"
        listed = parent.find("keyAccid") is not None or parent.get("key.sig.mixed") or parent.get("keysig.mixed")
        if parent.get(name) == "mixed" and not listed:
            parent.set(name, "0")  # it lists no sign: they stand at the notes
    staves = list(score.iter("staffDef"))
    if not staves:
        raise EngravingError("unreadable", "it has no staff")
    defined: set[str] = set()
    for staff in staves:
        name = staff.get("n") or ""
        if name not in defined:
            staff.set("lines", staff.get("lines") or "5")
        defined.add(name)


def _in_score_definition(element: Element) -> Element:
    if element.tag not in ("staffDef", "staffGrp"):
        return element
    outer = Element("scoreDef")
    group = element if element.tag == "staffGrp" else ElementTree.SubElement(outer, "staffGrp")
    (outer if group is element else group).append(element)
    return outer


def _name_staff_of_octave_lines(score: Element) -> None:
    """Octave lines that begin at a beat are on the only staff. Raises EngravingError for one that could be on several."""
    staves = {staff.get("n") or "" for staff in score.iter("staffDef")}
    for number, measure in enumerate(score.iter("measure"), 1):
        for line in measure.iter("octave"):
            if line.get("staff") or line.get("startid"):
                continue
            if len(staves) > 1:
                raise EngravingError("unreadable", f"bar {measure.get('n') or number}, an octave line without its staff")
            line.set("staff", next(iter(staves)))


def _write_dots(score: Element) -> None:
    """Write dots that are elements as an attribute, since the engraver plays no others."""
    for element in score.iter():
        dots = element.findall("dot") if element.tag in ("note", "rest", "chord", "space") else []
        if dots and not element.get("dots"):
            element.set("dots", str(len(dots)))
        for dot in dots:
            element.remove(dot)


def _write_durations_of_chords(score: Element) -> None:
    """Write the duration that all notes of a chord have to the chord, where the engraver looks."""
    for chord in score.iter("chord"):
        values = {tuple(note.get(name) for name in ("dur", "dots")) for note in chord.findall("note")}
        if not chord.get("dur") and len(values) == 1:
            chord.attrib |= {name: value for name, value in zip(("dur", "dots"), values.pop()) if value}


def _sort_staves(score: Element) -> None:
    """Put the staves of every measure in the order in which they are defined, as the engraver takes them."""
    order: dict[str | None, int] = {}
    for definition in score.iter("staffDef"):
        order.setdefault(definition.get("n"), len(order))
    for measure in score.iter("measure"):
        staves = sorted(measure.findall("staff"), key=lambda staff: order.get(staff.get("n"), len(order)))
        measure[:] = [*staves, *(child for child in measure if child.tag != "staff")]


def _pass_on_staff(parent: Element, staff: str) -> None:
    """Write the staff on which a beam, tuplet or the like is printed to the notes in it, at which the engraver looks."""
    for child in parent:
        own = child.get("staff") or staff
        if child.tag in _PRINTED:
            if own:
                child.set("staff", own)
        else:
            child.attrib.pop("staff", None)
            _pass_on_staff(child, own)


def _name(score: Element) -> None:
    """Give new ids to all notes, rests and bars, also where references name them, and remove ids that occur twice."""
    counts: dict[str, int] = {}
    renamed: dict[str, str] = {}
    seen: set[str] = set()
    for element in score.iter():
        kind, old = _NAMED.get(element.tag), element.get(ID)
        if kind is not None:
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            element.set(ID, f"{kind}-{number}")
            if old:
                renamed.setdefault(old, f"{kind}-{number}")
        elif old in seen:
            del element.attrib[ID]
        seen.add(old or "")
    for element in score.iter():
        for name in _REFERENCES:
            if value := element.get(name):
                targets = [target.rpartition("#")[2] for target in value.split()]
                element.set(name, " ".join(f"#{renamed.get(target, target)}" for target in targets))
