"""The parts of a score, and the choice of one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.playing import HANDS, PIANO
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.engraving.silent import too_many
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.crossing import take_crossing
from score_following_game.data_preparation.errors import EngravingError

NO_PART = "no such part"
_KEYBOARD = re.compile(r"piano|pno\b|pfte?\b|klavier|clavier|cembalo|clavecin|harpsi|keyboard|flygel|fortep", re.IGNORECASE)

_STAVES = (f"{MEI}staffDef", f"{MEI}staffGrp")

Element = ElementTree.Element


@dataclass(frozen=True)
class Part:
    """A part of a score. number: from 1, from the top.  staves: their numbers in the score, from 1.

    others: names that are not printed before its first system, as a shorter one.
    """

    number: int
    name: str
    staves: tuple[int, ...]
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        name = f"{self.number} {self.name or ''.join(self.others[:1])}".strip()
        return name if len(self.staves) == 1 else f"{name} ({len(self.staves)} staves)"


def choose_part(root: Element, reading: Reading, which: str) -> Reading:
    """Keep the staves of one part only, renumbered from 1, in the MEI and in the reading.

    A note between one of them and another staff, of a voice of the one and written on the other, is lost.
    which: number or name of a part, PIANO, or one of HANDS (as in `Playing`).
    Raises EngravingError with the parts there are if none or several are meant.
    """
    parts = (replace(part, others=(*reading.names.get(part.staves[0], ()), *part.others)) for part in _parts(root))
    staves = _chosen(list(parts), which)
    return _keep_staves(root, reading, staves).of_staves(staves)


def drop_rare_staves(root: Element, reading: Reading) -> Reading:
    """Remove the staves that a part of more than two has for a few notes only, in the MEI and in the reading.

    Returns the reading with their notes as lost. They are at most the share of a part's notes that need not be shown.
    """
    written = Counter(note.staff for bar in reading.bars for note in bar.notes if note.counts)
    dropped: dict[int, int] = {}  # number of a staff -> number of one of its part that stays
    for part in _parts(root):
        total, given_up = sum(written[staff] for staff in part.staves), 0
        rarest = sorted(part.staves, key=lambda staff: written[staff])
        for staff in rarest[: max(len(part.staves) - 2, 0)]:
            given_up += written[staff]
            if not too_many(given_up, total):
                dropped[staff] = rarest[-1]
    if not dropped:
        return reading
    staves = sorted({staff for part in _parts(root) for staff in part.staves} - dropped.keys())
    return _keep_staves(root, reading, staves).giving_up(dropped).of_staves(staves)


def _parts(root: Element) -> list[Part]:
    """Braced staves with a common name are one part, any other staff is one of its own."""
    parts: list[Part] = []
    staff = 0

    def take(group: Element, braced: bool) -> None:
        nonlocal staff
        direct = group.findall(f"{MEI}staffDef")
        if len(direct) > 1 and braced and not any(_name(definition) for definition in direct[1:]):
            parts.append(_labelled(len(parts) + 1, tuple(range(staff + 1, staff + 1 + len(direct))), group, direct[0]))
            staff += len(direct)
            return
        for child in group:
            if child.tag == f"{MEI}staffDef":
                staff += 1
                parts.append(_labelled(len(parts) + 1, (staff,), child, *([group] if len(direct) == 1 else [])))
            elif child.tag == f"{MEI}staffGrp":
                take(child, _is_braced(child, group))

    first = root.find(f".//{MEI}scoreDef/{MEI}staffGrp")
    if first is not None:
        take(first, _is_braced(first))
    return parts


def _labelled(number: int, staves: tuple[int, ...], *elements: Element) -> Part:
    """A part whose printed and short names are those of the first of some elements that has one."""
    name, short = (next(filter(None, (_name(element, of) for element in elements)), "") for of in ("label", "labelAbbr"))
    return Part(number, name, staves, (short,) if short else ())


def _is_braced(group: Element, around: Element | None = None) -> bool:
    """Whether the staves of a group belong together: by its brace, or as all that a group around it holds, under a name.

    The engraver draws no brace for a part that is in a group of its own.
    """
    sign = group.find(f"{MEI}grpSym")
    symbol = sign.get("symbol") if sign is not None else group.get("symbol")
    alone = around is not None and len([child for child in around if child.tag in _STAVES]) == 1
    return symbol == "brace" or (not symbol and alone and bool(_name(group)))


def _name(element: Element, of: str = "label") -> str:
    """The label of a staff or group of staves, in one line. of: "labelAbbr" for the short one."""
    label = element.find(MEI + of)
    attribute = "label.abbr" if of == "labelAbbr" else of
    return " ".join(("".join(label.itertext()) if label is not None else element.get(attribute, "")).split())


def _chosen(parts: Sequence[Part], which: str) -> tuple[int, ...]:
    if which.lower() == PIANO:
        return _piano(parts)
    if which.lower() in HANDS:
        return (_piano(parts)[HANDS.index(which.lower())],)
    if which.isdecimal():
        found = [part for part in parts if part.number == int(which)]
    else:
        names = [(part, [_plain(name) for name in (part.name, *part.others)]) for part in parts]
        found = [part for part, own in names if _plain(which) in own]
        found = found or [part for part, own in names if any(_plain(which) in name for name in own)]
    if len(found) != 1:
        raise EngravingError(NO_PART, f"{len(found) or 'none'} is {which!r}; the parts are {_listed(parts)}")
    return found[0].staves


def _plain(name: str) -> str:
    return name.lower().replace("♭", "b").replace("♯", "#")


def _piano(parts: Sequence[Part]) -> tuple[int, ...]:
    """The part of two staves, by its name if there are several; else two neighbouring staves with a keyboard's name.

    A score of two staves without names is a pianist's.
    """
    double = [part for part in parts if len(part.staves) == 2]
    named = [part for part in double if _KEYBOARD.search(part.name)]
    if len(named) == 1 or (not named and len(double) == 1):
        return (named or double)[0].staves
    pairs = [
        first.staves + second.staves
        for first, second in pairwise(parts)
        if len(first.staves) == len(second.staves) == 1 and _KEYBOARD.search(first.name) and _belongs(second, first)
    ]
    if not double and len(pairs) == 1:
        return pairs[0]
    if len(parts) == 2 and not any(part.name for part in parts):
        return parts[0].staves + parts[1].staves
    raise EngravingError(NO_PART, f"{'several are' if named or double or pairs else 'none is'} a piano: {_listed(parts)}")


def _belongs(second: Part, first: Part) -> bool:
    """True if the staff can be the left hand of the one above."""
    return not second.name or bool(_KEYBOARD.search(second.name)) or second.name == first.name


def _listed(parts: Sequence[Part]) -> str:
    return ", ".join(map(str, parts[:12])) + (" ..." if len(parts) > 12 else "")


def _keep_staves(root: Element, reading: Reading, staves: Sequence[int]) -> Reading:
    """Remove all other staves from the MEI, and what stands at them; number the rest from 1.

    Returns the reading, still with all staves, with the notes as lost that stand between a kept staff and another one.
    """
    names = [definition.get("n", "") for definition in root.iterfind(f".//{MEI}scoreDef/{MEI}staffGrp//{MEI}staffDef")]
    every = list(dict.fromkeys(names))
    number = {every[staff - 1]: str(place) for place, staff in enumerate(staves, 1)}
    crossing = {id_: every.index(staff) + 1 for id_, staff in take_crossing(root, every, list(number)).items()}
    for parent in list(root.iter()):
        parent[:] = [child for child in parent if _is_kept(child, number)]
    for parent in list(root.iter()):
        parent[:] = [child for child in parent if child.tag != f"{MEI}staffGrp" or child.find(f".//{MEI}staffDef") is not None]
        if parent.tag in (f"{MEI}staffDef", f"{MEI}staff"):
            parent.set("n", number[parent.get("n", "")])
        elif parent.get("staff"):
            kept = [number[staff] for staff in parent.get("staff", "").split() if staff in number]
            if kept:
                parent.set("staff", " ".join(kept))
            else:
                parent.attrib.pop("staff")
    return reading.without(crossing.keys(), crossing)


def _is_kept(element: Element, number: dict[str, str]) -> bool:
    if element.tag in (f"{MEI}staffDef", f"{MEI}staff"):
        return element.get("n", "") in number
    at = element.get("staff", "").split()
    return not at or element.tag in (f"{MEI}note", f"{MEI}chord", f"{MEI}rest") or any(staff in number for staff in at)
