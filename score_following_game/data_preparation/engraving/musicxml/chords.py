"""Takes notes out of chords in which they cannot be drawn: those of another voice, and those of another duration."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree

Element = ElementTree.Element

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?")
_ROUNDING = Fraction(1, 16)  # share of a duration; durations of one value, as in a tuplet, may differ by this much


def separate_chords(part: Element) -> None:
    """Rewrite the measures of a part. Every note keeps its onset and duration.

    Some programs mark a note of another voice as <chord/>, which makes the engraver drop it. And a chord has one stem: notes
    of it that last longer or shorter than its first one, as the format allows, would be drawn and played as long as that.
    """
    for measure in part.iter("measure"):
        _separate_voices(measure)
        _separate_durations(measure)


def _separate_voices(measure: Element) -> None:
    """A note of another voice, after a <backup> by the whole length of the note before it, is in no chord with that."""
    before: Element | None = None
    back: str | None = None
    for element in measure:
        if element.tag in ("backup", "forward"):
            back = element.findtext("duration") if element.tag == "backup" else None
        elif element.tag == "note":
            chord = element.find("chord")
            returns = before is not None and back is not None and back == before.findtext("duration")
            if chord is not None and returns and _text(element, "voice") != _text(before, "voice"):
                element.remove(chord)
            before, back = element, None


def _separate_durations(measure: Element) -> None:
    """Notes of a chord with another duration than its first note become chords of their own, in voices of their own."""
    voices = [int(text) for note in measure.iter("note") if (text := _text(note, "voice")).isdecimal()]
    first: Element | None = None
    others: dict[Fraction, list[Element]] = {}
    rewritten: list[Element] = []

    def finish() -> None:
        for number, (duration, notes) in enumerate(others.items(), max(voices, default=1) + 1):
            rewritten.extend(_own_chord(notes, _duration(first), duration, str(number)))
        others.clear()

    for element in measure:
        if element.tag == "note" and element.find("chord") is not None and _differs(element, first):
            others.setdefault(_duration(element) or Fraction(0), []).append(element)
            continue
        if element.tag in ("note", "backup", "forward") and element.find("chord") is None:
            finish()
            first = element if element.tag == "note" else None
        rewritten.append(element)
    finish()
    measure[:] = rewritten


def _differs(note: Element, first: Element | None) -> bool:
    """Whether a note of a chord lasts longer or shorter than its first one."""
    own, other = _duration(note), _duration(first)
    if own is None or other is None or own == other:
        return False
    rounded = _value(note) == _value(first) and abs(own - other) <= _ROUNDING * max(own, other)
    return not rounded


def _own_chord(notes: list[Element], before: Fraction | None, duration: Fraction, voice: str) -> list[Element]:
    """The notes, after a step back by `before`, as a chord of a voice; the time after it is as if it were not there."""
    assert before is not None
    for note in notes:
        for element in [*note.findall("beam"), *(note.findall("chord") if note is notes[0] else ())]:
            note.remove(element)
        own = note.find("voice")
        if own is not None:
            own.text = voice
        else:
            _insert_voice(note, voice)
    rest = before - duration
    after = [passing("forward" if rest > 0 else "backup", decimal_text(abs(rest)))] if rest else []
    return [passing("backup", decimal_text(before)), *notes, *after]


def _insert_voice(note: Element, voice: str) -> None:
    """Add a <voice>, which follows duration, ties and instrument."""
    place = max(at for at, child in enumerate(note) if child.tag in ("duration", "tie", "instrument")) + 1
    note.insert(place, Element("voice"))
    note[place].text = voice


def passing(tag: str, duration: str) -> Element:
    """A <backup> or <forward>. duration: in divisions."""
    element = Element(tag)
    ElementTree.SubElement(element, "duration").text = duration
    return element


def decimal_text(duration: Fraction) -> str:
    """A duration in divisions, as the file may write it."""
    return str(duration) if duration.denominator == 1 else f"{float(duration):.9f}"


def _duration(note: Element | None) -> Fraction | None:
    """In divisions; None for a grace note, and for what is no positive number, which the reading reports."""
    text = _text(note, "duration")
    return (Fraction(text) or None) if _NUMBER.fullmatch(text) else None


def _value(note: Element | None) -> tuple[str, int]:
    return _text(note, "type"), 0 if note is None else len(note.findall("dot"))


def _text(note: Element | None, path: str) -> str:
    return (note.findtext(path) or "").strip() if note is not None else ""
