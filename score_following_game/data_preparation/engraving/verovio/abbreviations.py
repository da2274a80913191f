"""Writes out the abbreviations of MEI: repeated bars and beats, and tremolos. The sheet then shows every note played."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.repetition import UNMEASURED, copy_id, stroke_count, stroke_duration
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.errors import EngravingError

Element = ElementTree.Element

_BARS_BACK = {f"{MEI}mRpt": 1, f"{MEI}mRpt2": 2, f"{MEI}multiRpt": 0}  # multiRpt says itself how many
_BEATS = (f"{MEI}halfmRpt", f"{MEI}beatRpt")
_LONG = {"breve": Fraction(8), "long": Fraction(16)}  # quarters
_PLAIN = {Fraction(4, 2**power): str(2**power) for power in range(9)}  # quarters -> dur


def write_out(root: Element) -> None:
    """Replace the signs by the notes that they stand for. The ids of these are those of repetition.copy_id.

    Raises EngravingError, naming bar and staff, for a sign without music before it.
    """
    measures = list(root.iter(f"{MEI}measure"))
    meter = Fraction(4), Fraction(1)  # quarters of a bar and of a beat
    at = {measure: index for index, measure in enumerate(measures)}
    for element in list(root.iter()):
        if element.tag in (f"{MEI}meterSig", f"{MEI}scoreDef", f"{MEI}staffDef"):
            meter = _meter(element) or meter
        elif element in at:
            _write_out_bar(measures, at[element], meter)


def _meter(element: Element) -> tuple[Fraction, Fraction] | None:
    prefix = "" if element.tag == f"{MEI}meterSig" else "meter."
    count, unit = element.get(f"{prefix}count", ""), element.get(f"{prefix}unit", "")
    if not (count.isdigit() and unit.isdigit() and int(count) and int(unit)):
        return None
    return Fraction(4 * int(count), int(unit)), Fraction(4, int(unit))


def _write_out_bar(measures: list[Element], index: int, meter: tuple[Fraction, Fraction]) -> None:
    measure = measures[index]
    for staff in measure.findall(f"{MEI}staff"):
        for layer in staff.findall(f"{MEI}layer"):
            where = f"bar {measure.get('n') or index + 1}, staff {staff.get('n', '?')}"
            for sign in [sign for sign in layer if sign.tag in _BARS_BACK]:
                _repeat_bars(measures, index, staff, layer, sign, where)
            _repeat_beats(measure, layer, index, meter, where)
            _write_out_strokes(layer, measure)


def _repeat_bars(measures: list[Element], index: int, staff: Element, layer: Element, sign: Element, where: str) -> None:
    """Fill this bar, and after mRpt2 and multiRpt the next ones, with the notes of the bars before."""
    back = _BARS_BACK[sign.tag] or _positive(sign.get("num", ""), 2)
    if index < back:
        raise EngravingError("abbreviated notation", f"{where}: a sign to repeat {back} bars, with too few before it")
    for target in range(index, min(index + back, len(measures))):
        into = layer if target == index else _layer(measures[target], staff, layer)
        source = _layer(measures[target - back], staff, layer)
        if into is None or source is None:
            raise EngravingError("abbreviated notation", f"{where}: there is no music to repeat")
        into[:] = _copies(source, "bar", target, measures[target - back], measures[target])


def _positive(text: str, default: int) -> int:
    """A positive whole number, `default` for other text."""
    return int(text) if text.isdigit() and int(text) else default


def _layer(measure: Element, staff: Element, layer: Element) -> Element | None:
    """The same layer of the same staff in another measure; the first if there is only one."""
    found = next((other for other in measure.findall(f"{MEI}staff") if other.get("n") == staff.get("n")), None)
    layers = [] if found is None else found.findall(f"{MEI}layer")
    same = [other for other in layers if other.get("n") == layer.get("n")]
    return next(iter(same or layers), None)


def _repeat_beats(measure: Element, layer: Element, index: int, meter: tuple[Fraction, Fraction], where: str) -> None:
    """Replace signs for half a bar or a beat by what came just before them in this bar."""
    while (sign := next((child for child in layer if child.tag in _BEATS), None)) is not None:
        place = list(layer).index(sign)
        span = meter[0] / 2 if sign.tag == _BEATS[0] else meter[1]
        now = sum((_duration(child) for child in layer[:place]), Fraction(0))
        source: list[Element] = []
        for child in reversed(layer[:place]):
            if sum(map(_duration, source), Fraction(0)) >= span:
                break
            source.insert(0, child)
        if sum(map(_duration, source), Fraction(0)) != span:
            raise EngravingError(
                "abbreviated notation", f"{where}: the music before a repeat sign is not {float(span):g} quarters"
            )
        layer[place : place + 1] = _copies(source, "beat", int(now * 1000), measure, measure)


def _copies(source: Iterable[Element], kind: str, number: int, of: Element, into: Element) -> list[Element]:
    """Copies of elements with new ids, and the ties among them copied from measure `of` to measure `into`."""
    copies = [copy.deepcopy(element) for element in source]
    ids: dict[str, str] = {}
    for element in (inner for outer in copies for inner in outer.iter()):
        if old := element.get(ID):
            ids[old] = copy_id(old, kind, number)
            element.set(ID, ids[old])
    for tie in of.findall(f"{MEI}tie"):
        start, end = tie.get("startid", "").lstrip("#"), tie.get("endid", "").lstrip("#")
        if start in ids and end in ids:
            into.append(ElementTree.Element(f"{MEI}tie", {"startid": f"#{ids[start]}", "endid": f"#{ids[end]}"}))
    return copies


def _write_out_strokes(parent: Element, measure: Element) -> None:
    """Replace notes with strokes, and the elements around them, by the notes that are played."""
    for child in list(parent):
        place = list(parent).index(child)
        if child.tag == f"{MEI}fTrem":
            parent[place : place + 1] = _alternating(child)
        elif child.tag == f"{MEI}bTrem":
            parent[place : place + 1] = [new for note in child for new in _repeated(note, _strokes(child, note), measure)]
        elif child.tag in (f"{MEI}note", f"{MEI}chord") and (strokes := _strokes(None, child)):
            parent[place : place + 1] = _repeated(child, strokes, measure)
        elif child.tag in (f"{MEI}beam", f"{MEI}tuplet"):
            _write_out_strokes(child, measure)


def _strokes(tremolo: Element | None, note: Element) -> Fraction | None:
    """Quarters between the strokes of a note, None if it has none."""
    unit = "" if tremolo is None else tremolo.get("unitdur", "")
    if unit.isdigit():
        return max(Fraction(4, int(unit)), stroke_duration(Fraction(1), UNMEASURED))
    mods = [holder.get("stem.mod", "") for holder in (note, *note.findall(f"{MEI}note"))]
    slashes = [int(mod[0]) if mod[:1].isdigit() else UNMEASURED for mod in mods if mod and mod != "none"]
    if (tremolo is None and not slashes) or not _duration(note):  # a grace note has no duration
        return None
    return stroke_duration(_duration(note), slashes[0] if slashes else UNMEASURED)


def _repeated(note: Element, each: Fraction | None, measure: Element) -> list[Element]:
    if note.tag not in (f"{MEI}note", f"{MEI}chord") or note.get("grace") or each is None:
        return [note]
    count = stroke_count(_duration(note), each)
    notes = [note] if each not in _PLAIN or count == 1 else [_stroke(note, k, each) for k in range(count)]
    if len(notes) == 1:
        note.attrib.pop("stem.mod", None)
    last = {copy_id(new.get(ID, ""), "again", count - 1): new.get(ID, "") for new in _heads(note)} if len(notes) > 1 else {}
    for tie in measure.findall(f"{MEI}tie"):
        for new, old in last.items():
            if tie.get("startid") == f"#{old}":
                tie.set("startid", f"#{new}")
    return notes


def _heads(note: Element) -> list[Element]:
    return note.findall(f"{MEI}note") or [note]


def _stroke(note: Element, number: int, each: Fraction) -> Element:
    """A copy of a note or chord with another duration; number 0 keeps the ids."""
    new = copy.deepcopy(note)
    for element in new.iter():
        if number and (old := element.get(ID)):
            element.set(ID, copy_id(old, "again", number))
        for name in ("dur", "dots", "dur.ppq", "dur.ges", "dots.ges", "stem.mod", "tie"):
            element.attrib.pop(name, None)
    new.set("dur", _PLAIN[each])
    return new


def _alternating(tremolo: Element) -> list[Element]:
    """The notes of a tremolo between two notes, in a beam. Both have the value of the whole tremolo."""
    notes = [note for note in tremolo if note.tag in (f"{MEI}note", f"{MEI}chord")]
    if len(notes) != 2:
        raise EngravingError("abbreviated notation", f"a tremolo of {len(notes)} notes")
    together = _duration(notes[0])
    unit, beams = tremolo.get("unitdur", ""), tremolo.get("beams", "")
    each = Fraction(4, int(unit)) if unit.isdigit() else Fraction(1, 2 ** int(beams or UNMEASURED))
    each = max(each, stroke_duration(Fraction(1), UNMEASURED))
    count = stroke_count(together, 2 * each)
    if count == 1:
        each = together / 2
    if each not in _PLAIN:
        raise EngravingError("abbreviated notation", f"a tremolo of {float(together):g} quarters in {float(each):g}")
    beam = ElementTree.Element(f"{MEI}beam")
    beam.extend(_stroke(note, k, each) for k in range(count) for note in notes)
    return [beam]


def _duration(element: Element) -> Fraction:
    """Quarters of an element with its content; 0 for one without a duration, as a clef or a grace note."""
    if element.get("grace") or element.tag == f"{MEI}graceGrp":
        return Fraction(0)
    holders = [element, *(element if element.tag == f"{MEI}chord" else ())]
    holder = next((holder for holder in holders if holder.get("dur")), element)
    value = holder.get("dur", "")
    if value in _LONG or value.isdigit():
        return (_LONG.get(value) or Fraction(4, int(value))) * (2 - Fraction(1, 2 ** int(holder.get("dots", "0"))))
    ratio = Fraction(1)
    if element.tag == f"{MEI}tuplet":
        ratio = Fraction(int(element.get("numbase", "2")), int(element.get("num", "3")))
    inner = sum(map(_duration, element), Fraction(0)) * ratio
    return inner / 2 if element.tag == f"{MEI}fTrem" else inner
