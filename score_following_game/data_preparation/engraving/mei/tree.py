"""The elements of an MEI file, without namespaces, as they are played: one version of the text, no layout."""

from __future__ import annotations

from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.bar_marks import WITHOUT_REPEATS
from score_following_game.data_preparation.errors import EngravingError

# Editorial markup that is replaced by (the played part of) its content.
_WRAPPERS = {"choice", "app", "lem", "rdg", "subst", "add", "corr", "reg", "orig", "sic", "expan", "abbr"}
_WRAPPERS |= {"supplied", "unclear", "damage", "restore", "ossia"}
_NOT_PLAYED = {"del", "gap", "annot", "oStaff", "oLayer", "layout", "parts", "facsimile", "front", "back"}
_BETTER = ("reg", "corr", "expan")  # of a choice
_WORSE = ("orig", "sic", "abbr", "del")
# What a definition may say. All else in it is page layout.
_DEFINED = {"n", "lines", "ppq", "dur.default", "symbol", "bar.thru", "label", "label.abbr", "keysig", ID}
_DEFINED |= {"oct.default", "octave.default", "trans.semi", "trans.diat", "midi.bpm", "midi.mspb", "midi.tempo", "mm"}
_DEFINED_GROUPS = ("clef.shape", "clef.line", "clef.dis", "clef.oct", "mm.", "meter.", "key.", "keysig.")
_DEFINITIONS = {
    "scoreDef": {"staffGrp", "staffDef", "clef", "keySig", "meterSig", "meterSigGrp"},
    "staffGrp": {"staffGrp", "staffDef", "grpSym", "label", "labelAbbr", "instrDef"},
    "staffDef": {"clef", "keySig", "meterSig", "meterSigGrp", "label", "labelAbbr", "instrDef"},
}
# Places and looks of single signs. pnum is a second statement of the pitch, which the engraver would believe.
_LOOKS = {"ho", "vo", "to", "x", "y", "x2", "y2", "width", "scale", "color", "fontsize", "pnum", "pname.ges"}
_LOOKS |= {side + offset for side in ("start", "end") for offset in ("ho", "vo", "to")}
_HIDING = ("keysig.visible", "keysig.show", "key.sig.show", "clef.visible")

Element = ElementTree.Element


def parse(text: str) -> Element:
    """The root of an XML text. Raises EngravingError if the text is not well-formed."""
    try:
        return ElementTree.fromstring(text.lstrip())
    except (ElementTree.ParseError, ValueError) as error:
        raise EngravingError("unreadable", f"not well-formed MEI: {error}") from None


def name_of(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def is_foreign(element: Element, root: Element) -> bool:
    """Whether the element is in another namespace than the root."""
    return element.tag.rpartition("}")[0] != root.tag.rpartition("}")[0]


def played(element: Element, root: Element) -> list[Element]:
    """The element as it is played: a copy without namespaces, or the content of the version that is played, or nothing."""
    name = name_of(element)
    if is_foreign(element, root) or name in _NOT_PLAYED:
        return []
    content = [part for child in _version(element, root) for part in played(child, root)]
    if name in _WRAPPERS:
        return content
    copy = Element(name, {key: value for key, value in element.attrib.items() if _matters(name, key)})
    copy.text, copy.tail = element.text, element.tail
    allowed = _DEFINITIONS.get(name)
    copy.extend(part for part in content if allowed is None or part.tag in allowed)
    return [copy]


def _version(element: Element, root: Element) -> list[Element]:
    """The children of an element; of alternatives, the one that is played."""
    children = [child for child in element if not is_foreign(child, root)]
    name = name_of(element)
    if name == "choice":
        return sorted(children, key=_preference)[:1]
    if name == "app":
        lemma = [child for child in children if name_of(child) == "lem"]
        return (lemma or [child for child in children if name_of(child) == "rdg"])[:1]
    if name == "restore":  # what is deleted in it stands again
        return [part for child in children for part in (list(child) if name_of(child) == "del" else [child])]
    return children


def _preference(child: Element) -> int:
    name = name_of(child)
    if child.get("type") == WITHOUT_REPEATS:  # the engraver writes the order without repeats as the regular version
        return 3
    return 0 if name in _BETTER else 2 if name in _WORSE else 1


def _matters(name: str, attribute: str) -> bool:
    if attribute.startswith("{") and attribute != ID:
        return False
    if (name in ("clef", "keySig") and attribute == "visible") or attribute in _HIDING:
        return False  # without them the notes would be read as others than they are
    if attribute == "sameas" and name in ("note", "chord", "rest"):
        return False  # the engraver would not play it
    if name in _DEFINITIONS:
        return attribute in _DEFINED or attribute.startswith(_DEFINED_GROUPS)
    return attribute not in _LOOKS
