"""Pitches of MusicXML, and the notes that have none."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.durations import WITHOUT_DURATION
from score_following_game.data_preparation.engraving.musicxml.values import decimal, modification_of, type_of
from score_following_game.data_preparation.engraving.silent import (
    CUE,
    MICROTONE,
    NO_DURATION,
    NO_PITCH,
    NOT_MIDI,
    UNPITCHED,
    Unplayable,
    is_without_pitch,
)

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_MOST_ALTERED = 2  # semitones; there are no signs for more
_OF_NOTES = ("pitch", "unpitched", "cue", "tie", "accidental", "stem", "notehead", "notehead-text", "lyric", "play", "listen")
_OF_RESTS = ("tuplet", "fermata")  # notations

Element = ElementTree.Element


def sound_of(note: Element, transposition: int, unpitched: bool = False) -> tuple[int, int] | None:
    """Sounding MIDI pitch and alteration of a note; None for a rest.

    transposition: semitones from written to sounding pitch.  unpitched: whether its clef is for percussion or tablature.

    Raises Unplayable for a cue note and for one without a pitch that can be played. An unpitched note then has a pitch that
    puts it where it is to be drawn.
    """
    without_duration = note.attrib.pop(WITHOUT_DURATION, "")
    if note.find("rest") is not None:
        return None
    if without_duration:
        raise Unplayable(NO_DURATION)
    if note.find("pitch") is None and note.find("unpitched") is not None:
        _place(note)
        raise Unplayable(UNPITCHED, drawn=True)
    written = note.find("pitch")
    if written is None:
        raise Unplayable(NO_PITCH)
    step = (written.findtext("step") or "").strip().upper()
    octave = decimal((written.findtext("octave") or "").strip())
    alter = decimal((written.findtext("alter") or "0").strip())
    if step not in _STEPS or octave is None or octave.denominator > 1 or alter is None or abs(alter) > _MOST_ALTERED:
        raise Unplayable(NO_PITCH)
    pitch = 12 * (octave + 1) + _STEPS[step] + alter + transposition
    if not 0 <= pitch <= 127:
        raise Unplayable(NOT_MIDI)
    if note.find("cue") is not None:
        raise Unplayable(CUE, drawn=True)
    if unpitched or is_without_pitch(head.text or "" for head in note.findall("notehead")):
        raise Unplayable(UNPITCHED, drawn=True)
    if pitch.denominator > 1:
        raise Unplayable(MICROTONE, drawn=True)
    return int(pitch), int(alter)


def _place(note: Element) -> None:
    """Turn <unpitched> into the <pitch> at which it is drawn. The engraver takes every clef for a treble clef there."""
    unpitched = note.find("unpitched")
    assert unpitched is not None
    step, octave = unpitched.find("display-step"), unpitched.find("display-octave")
    if step is None or octave is None:  # on the middle line
        unpitched.clear()
        ElementTree.SubElement(unpitched, "display-step").text = "B"
        ElementTree.SubElement(unpitched, "display-octave").text = "4"
        return
    unpitched.tag, step.tag, octave.tag = "pitch", "step", "octave"


def remove_pitches(measure: Element, durations: Mapping[str, Fraction]) -> None:
    """Turn notes into rests; in a chord that has other notes they are removed. durations: id of each of them -> quarters."""
    chords: list[list[Element]] = []
    for note in (note for note in measure.findall("note") if note.find("grace") is None):
        if note.find("chord") is not None and chords:
            chords[-1].append(note)
        else:
            chords.append([note])
    for chord in chords:
        kept = [note for note in chord if note.get("id") not in durations]
        gone = [note for note in chord if note.get("id") in durations]
        if gone and not kept:
            first = gone.pop(0)
            _make_rest(first, durations[first.get("id", "")])
        elif gone and (sign := kept[0].find("chord")) is not None:
            kept[0].remove(sign)
        for note in gone:
            measure.remove(note)


def _make_rest(note: Element, duration: Fraction) -> None:
    for child in [child for child in note if child.tag in (*_OF_NOTES, "chord")]:
        note.remove(child)
    for notations in note.findall("notations"):
        notations[:] = [child for child in notations if child.tag in _OF_RESTS]
    note.insert(0, Element("rest"))
    state_type(note, duration)


def state_type(rest: Element, duration: Fraction) -> None:
    """Give a rest without a value one that lasts at most `duration` quarters: the engraver would take it for the whole bar."""
    rest_sign = rest.find("rest")
    if rest_sign is not None:
        rest_sign.attrib.pop("measure", None)
    if rest.find("type") is not None or (value := type_of(duration / modification_of(rest))) is None:
        return
    place = max((at for at, child in enumerate(rest) if child.tag in ("duration", "voice")), default=0) + 1
    rest[place:place] = [Element("type"), *(Element("dot") for _ in range(value[1]))]
    rest[place].text = value[0]
