"""Small MEI scores for the tests, and random edits of them."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from xml.etree import ElementTree

import verovio

from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei

TREBLE = '<staffDef n="1" lines="5" clef.shape="G" clef.line="2" {}/>'
BASS = '<staffDef n="2" lines="5" clef.shape="F" clef.line="4"/>'


def note(pitch: str, dur: str | int = 4, more: str = "", content: str = "") -> str:
    """pitch: step, octave and perhaps a printed sign, such as "f4s". A duration "" is left out."""
    sign = f' accid="{pitch[2:]}"' if pitch[2:] else ""
    length = f' dur="{dur}"' if dur else ""
    return f'<note pname="{pitch[0]}" oct="{pitch[1]}"{length}{sign} {more}>{content}</note>'


def notes(pitches: str, dur: str | int = 4) -> str:
    return "".join(note(pitch, dur) for pitch in pitches.split())


def bar(*staves: str, more: str = "", after: str = "") -> str:
    """staves: the content of each staff, with its layers separated by "|".  after: control elements."""
    content = "".join(
        f'<staff n="{number}">'
        + "".join(f'<layer n="{place}">{layer}</layer>' for place, layer in enumerate(staff.split("|"), 1))
        + "</staff>"
        for number, staff in enumerate(staves, 1)
    )
    return f"<measure {more}>{content}{after}</measure>"


def score(
    *content: str, definition: str = 'meter.count="4" meter.unit="4"', staff: str = "", staves: int = 1, head: str = ""
) -> str:
    """A score with the given measures and definitions. definition, staff: attributes of the scoreDef and the first staffDef."""
    defined = TREBLE.format(staff) + (BASS if staves == 2 else "")
    return (
        f'<mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0"><meiHead>{head}</meiHead><music><body><mdiv>'
        f"<score><scoreDef {definition}><staffGrp>{defined}</staffGrp></scoreDef><section>{''.join(content)}</section>"
        "</score></mdiv></body></music></mei>"
    )


def read(text: str) -> list[tuple[Fraction, Fraction, int]]:
    """(onset from the beginning, duration, pitch) of the written notes in document order."""
    reading = read_mei(text)[1]
    starts = reading.starts(range(len(reading.bars)))
    return [
        (start + note.onset, note.duration, note.pitch)
        for start, bar in zip(starts, reading.bars)
        for note in bar.notes
        if note.pitch is not None
    ]


def heard(text: str) -> list[tuple[Fraction, Fraction, int]]:
    """(onset, end, pitch) of the sounding notes, ties merged, each bar once."""
    reading = read_mei(text)[1]
    return [(note.onset, note.end, note.pitch) for note in reading.sounding(range(len(reading.bars)))]


def engraver(text: str) -> verovio.toolkit:
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions({"inputFrom": "mei", "breaks": "none", "expandNever": True, "xmlIdSeed": 1})
    assert toolkit.loadData(text)
    return toolkit


def timemap(text: str) -> dict[str, tuple[Fraction, Fraction, int]]:
    """Id -> (onset from the beginning, duration, pitch) of the notes, by the engraver."""
    toolkit = engraver(text)
    entries = toolkit.renderToTimemap()
    entries = json.loads(entries) if isinstance(entries, str) else entries
    notes = {}
    for name in (name for entry in entries for name in entry.get("on", [])):
        times = toolkit.getTimesForElement(name)
        onset, duration = (Fraction(*times[key][0]) for key in ("qfracOn", "qfracDuration"))
        notes[name] = onset, duration, toolkit.getMIDIValuesForElement(name)["pitch"]
    return notes


VALUES = ("", "0", "-1", "1", "2", "3", "16", "999999999", "x", "1.5", "breve", "s", "f", "#nowhere", "true", "i1", "²", "1m+2")


def edited(text: str, seed: int) -> str:
    """The text with one to three elements or attributes dropped, doubled, moved or changed."""
    chance = random.Random(seed)
    root = ElementTree.fromstring(text)
    for _ in range(chance.randint(1, 3)):
        parents = [element for element in root.iter() if len(element)]
        parent = chance.choice(parents)
        place = chance.randrange(len(parent))
        element = parent[place]
        kind = chance.randrange(5)
        if kind == 0:
            parent.remove(element)
        elif kind == 1:
            parent.insert(place, element)
        elif kind == 2 and element.attrib:
            element.set(chance.choice(sorted(element.attrib)), chance.choice(VALUES))
        elif kind == 3 and element.attrib:
            del element.attrib[chance.choice(sorted(element.attrib))]
        else:
            element.tag = chance.choice([other.tag for other in root.iter()])
    return ElementTree.tostring(root, encoding="unicode")


def tuplet(content: str, ratio: str = 'num="3" numbase="2"') -> str:
    return f"<tuplet {ratio}>{content}</tuplet>"


SCALE = notes("c4 d4 e4 f4")
