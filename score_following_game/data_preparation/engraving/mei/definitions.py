"""What scoreDef and staffDef say: key, meter, transposition and defaults of each staff."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.fields import key_alter
from score_following_game.data_preparation.engraving.mei.values import ALTER, unreadable, whole
from score_following_game.data_preparation.errors import EngravingError

_SYMBOLS = {"common": (4, 4), "cut": (2, 2)}
UNPITCHED_CLEFS = {"perc", "TAB"}
_COMMON_TIME = Fraction(4)

Element = ElementTree.Element
Meter = tuple[int, int]


@dataclass
class StaffState:
    """What is in force on a staff.

    number: 1 is the top staff.  key: step -> alter.  transposition: semitones from written to sounding.
    duration, octave: defaults of notes that name none, "" for none.  ppq: pulses per quarter, 0 if unknown.
    unpitched: whether its clef is for percussion or tablature.
    """

    number: int
    key: dict[str, int] = field(default_factory=dict)
    transposition: int = 0
    meter: Meter | None = None
    duration: str = ""
    octave: str = ""
    ppq: int = 0
    unpitched: bool = False

    @property
    def bar(self) -> Fraction:
        """The quarters of a bar."""
        return Fraction(4 * self.meter[0], self.meter[1]) if self.meter else _COMMON_TIME


def define(definition: Element, staves: dict[str, StaffState]) -> None:
    """Apply a scoreDef to all staves, or a staffDef to its own. New staves are added in their order."""
    if definition.tag == "staffDef":
        name = definition.get("n") or ""
        _apply(definition, [staves.setdefault(name, StaffState(len(staves) + 1))])
        return
    for staff in definition.iter("staffDef"):
        staves.setdefault(staff.get("n") or "", StaffState(len(staves) + 1))
    _apply(definition, list(staves.values()))
    for staff in definition.iter("staffDef"):
        define(staff, staves)


def _apply(definition: Element, staves: list[StaffState]) -> None:
    clef = definition.get("clef.shape") or next((clef.get("shape") for clef in definition.findall("clef")), "")
    key, meter = _key(definition), _meter(definition)
    transposition = _transposition(definition)
    for staff in staves:
        staff.unpitched = clef in UNPITCHED_CLEFS if clef else staff.unpitched
        staff.key = staff.key if key is None else key
        staff.meter = meter or staff.meter
        staff.transposition = staff.transposition if transposition is None else transposition
        staff.duration = definition.get("dur.default") or staff.duration
        staff.octave = definition.get("oct.default") or definition.get("octave.default") or staff.octave
        staff.ppq = whole(definition, "ppq", staff.ppq, 0, 10**6)


def _key(definition: Element) -> dict[str, int] | None:
    signature = definition.find("keySig")
    if signature is not None:
        return key_signature(signature)
    value = definition.get("keysig") or definition.get("key.sig")
    return sharps_or_flats(value) if value else None


def key_signature(signature: Element) -> dict[str, int]:
    """Step (lower case) -> alter of a keySig, which gives a number of sharps or flats or lists single accidentals."""
    listed = {accid.get("pname", ""): ALTER.get(accid.get("accid", ""), 0) for accid in signature.iter("keyAccid")}
    return listed or sharps_or_flats(signature.get("sig") or "0")


def sharps_or_flats(value: str) -> dict[str, int]:
    """Step (lower case) -> alter of a number of sharps or flats, as "2s". Raises EngravingError for more than seven."""
    if not re.fullmatch(r"0|[1-7][sf]", value):
        raise EngravingError("unreadable", f"key signature {value!r}; those of up to seven sharps or flats can be engraved")
    fifths = int(value[0]) * (-1 if value.endswith("f") else 1)
    return {step.lower(): key_alter(fifths, step) for step in "CDEFGAB"}


def _meter(definition: Element) -> Meter | None:
    group = definition.find("meterSigGrp")
    if group is not None:
        parts = [part for part in map(meter_of_sign, group.findall("meterSig")) if part]
        together = group.get("func") in ("mixed", None)
        unit = max((part[1] for part in parts), default=4)
        return (sum(count * unit // part for count, part in (parts if together else parts[:1])), unit) if parts else None
    sign = definition.find("meterSig")
    return _signature(definition, "meter.") if sign is None else meter_of_sign(sign)


def meter_of_sign(sign: Element) -> Meter | None:
    """The beats and the unit of a meterSig; None if it states none."""
    return _signature(sign, "")


def _signature(element: Element, prefix: str) -> Meter | None:
    """The beats and the unit of a meterSig, or of a definition's attributes."""
    count, symbol = element.get(f"{prefix}count"), element.get(f"{prefix}sym")
    if not count:
        return _SYMBOLS.get(symbol or "")
    beats = re.findall(r"[0-9]{1,4}", count)
    if not re.fullmatch(r"[0-9+ ]+", count) or not sum(map(int, beats)):
        raise unreadable(element, f"{prefix}count")
    unit = whole(element, f"{prefix}unit", 4, 1, 128)
    if unit & (unit - 1):
        raise unreadable(element, f"{prefix}unit")
    return sum(map(int, beats)), unit


def _transposition(definition: Element) -> int | None:
    """Semitones. A number of steps alone is enough for whole octaves."""
    if definition.get("trans.semi"):
        return whole(definition, "trans.semi", 0, -96, 96)
    if not definition.get("trans.diat"):
        return None
    octaves, steps = divmod(whole(definition, "trans.diat", 0, -56, 56), 7)
    if steps:
        raise EngravingError("unreadable", f"trans.diat={definition.get('trans.diat')!r} without trans.semi")
    return 12 * octaves
