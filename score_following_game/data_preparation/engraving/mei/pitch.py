"""How the notes sound: accidentals that hold for the bar, ties, octave lines and transposition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.notation import Pitch
from score_following_game.data_preparation.engraving.mei.definitions import StaffState, key_signature
from score_following_game.data_preparation.engraving.mei.places import place, target
from score_following_game.data_preparation.engraving.mei.ties import TimedBar
from score_following_game.data_preparation.engraving.mei.timing import Event
from score_following_game.data_preparation.engraving.mei.values import ALTER, accidental, unpitched, unreadable, whole
from score_following_game.data_preparation.errors import EngravingError

_OCTAVES = {"8": 1, "15": 2, "22": 3}

Element = ElementTree.Element


@dataclass(frozen=True)
class OctaveLine:
    """octaves: by which its notes sound higher.  start, end: quarters from the beginning; notes at `end` are under it."""

    staff: str
    layer: str
    octaves: int
    start: Fraction
    end: Fraction


@dataclass(frozen=True)
class Sound:
    """pitch: sounding MIDI pitch.  alter, transposition: as in ReadNote."""

    pitch: int
    alter: int
    transposition: int


@dataclass
class Accidentals:
    """Reads the pitches of all bars in order.

    natural: a note without a sign and without a sounding alteration is natural, whatever the key.
    tied: id -> id of the note that it continues.  lines: all octave lines.
    """

    natural: bool
    tied: Mapping[str, str]
    lines: Sequence[OctaveLine]

    def __post_init__(self) -> None:
        self._alters: dict[str, int] = {}  # of the notes so far, by id

    def read(self, bar: TimedBar, staves: Mapping[str, StaffState]) -> dict[str, Sound]:
        """Id -> sound of the notes of a bar. staves: as they are at its start.

        A sounding octave that the note does not state itself is added to it (oct, oct.ges).
        """
        keys = {name: staff.key for name, staff in staves.items()}
        signs: dict[tuple[str, ...], int] = {}  # (staff, step, octave) -> alter of the last sign in this bar
        sounds: dict[str, Sound] = {}
        for event in sorted(bar.events, key=lambda event: event.onset):
            element = event.element
            if event.printed not in staves:
                raise EngravingError("unreadable", f"staff {event.printed!r} is not defined")
            if element.tag == "keySig":
                keys[event.printed] = key_signature(element)
            if element.tag != "note":
                continue
            spot = event.printed, element.get("pname", ""), element.get("oct", "")
            implied = signs.get(spot, keys[event.printed].get(spot[1], 0))
            alter = self._alter(event, 0 if self.natural else implied)
            self._alters[event.id] = alter
            if sign := accidental(element, "accid"):
                signs[spot] = ALTER[sign]
            if spot[1] not in tuple("cdefgab"):
                raise unpitched(event.staff)
            state = staves[event.printed]
            _state_octave(event, state, self._octaves(bar, event))
            sounds[event.id] = Sound(_midi(event, alter, state.transposition), alter, state.transposition)
        return sounds

    def _alter(self, event: Event, implied: int) -> int:
        sounding = accidental(event.element, "accid.ges") or accidental(event.element, "accid")
        if sounding is not None:
            return ALTER[sounding]
        return self._alters.get(self.tied.get(event.id, ""), implied)

    def _octaves(self, bar: TimedBar, event: Event) -> int:
        now = bar.start + event.onset
        return sum(line.octaves for line in self.lines if line.start <= now <= line.end and _is_under(line, event))


def octave_lines(bars: Sequence[TimedBar]) -> list[OctaveLine]:
    """The octave lines that the notes under them do not state themselves (by oct.ges)."""
    lines: list[OctaveLine] = []
    for index, bar in enumerate(bars):
        for element in bar.measure.iter("octave"):
            line = _octave_line(element, bars, index)
            if line is not None and not any(
                event.element.get("oct.ges") and _is_under(line, event) and line.start <= other.start + event.onset <= line.end
                for other in bars[index:]
                for event in other.events
                if other.start <= line.end
            ):
                lines.append(line)
    return lines


def _octave_line(element: Element, bars: Sequence[TimedBar], index: int) -> OctaveLine | None:
    """None for a line that does not say where it ends."""
    octaves = _OCTAVES.get(element.get("dis") or "8")
    if octaves is None:
        raise unreadable(element, "dis")
    octaves *= -1 if element.get("dis.place") == "below" else 1
    first, last = target(element, "startid"), target(element, "endid")
    known = {name: (bar, event) for bar in bars for event in bar.events for name in (event.id, event.chord) if name}
    start, end = bars[index].start, None
    staff, layer = element.get("staff") or "", element.get("layer") or ""
    if first in known:
        bar, event = known[first]
        start, staff = bar.start + event.onset, staff or event.printed
    elif element.get("tstamp"):
        start += place(element, "tstamp", bars[index].unit)[1]
    if last in known:
        bar, event = known[last]
        end, staff = bar.start + event.onset, staff or event.printed
    elif element.get("tstamp2"):
        later, quarters = place(element, "tstamp2", bars[index].unit)
        end = bars[min(index + later, len(bars) - 1)].start + quarters
    return None if end is None else OctaveLine(staff, layer, octaves, start, end)


def _is_under(line: OctaveLine, event: Event) -> bool:
    return event.printed in line.staff.split() and (not line.layer or event.layer in line.layer.split())


def _state_octave(event: Event, staff: StaffState, octaves: int) -> None:
    """Write the default octave, and the octave in which a note under an octave line sounds, to the note."""
    note = event.element
    if not note.get("oct"):
        if not (note.get("oct.ges") or staff.octave):
            raise EngravingError("unreadable", f"staff {event.staff}: a note without an octave")
        note.set("oct", note.get("oct.ges") or staff.octave)
    if octaves:
        note.set("oct.ges", str(whole(note, "oct", 4, -2, 20) + octaves))


def _midi(event: Event, alter: int, transposition: int) -> int:
    note = event.element
    step, octave = note.get("pname", ""), whole(note, "oct.ges" if note.get("oct.ges") else "oct", 4, -2, 20)
    midi = Pitch(step.upper(), octave, alter).midi + transposition
    if not 0 <= midi <= 127:
        raise EngravingError("pitch out of MIDI's range", f"staff {event.staff}: {step}{octave} is pitch {midi}")
    return midi


def after(events: Sequence[Event], staves: dict[str, StaffState]) -> None:
    """Let key signatures inside a bar hold for the following bars."""
    for event in sorted(events, key=lambda event: event.onset):
        if event.element.tag == "keySig" and event.printed in staves:
            staves[event.printed] = replace(staves[event.printed], key=key_signature(event.element))
