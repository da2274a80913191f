"""How the notes sound: accidentals that hold for the bar, ties, octave lines and transposition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.abc.notation import Pitch
from score_following_game.data_preparation.engraving.abc.to_mei import ID
from score_following_game.data_preparation.engraving.mei.definitions import UNPITCHED_CLEFS, StaffState, key_signature
from score_following_game.data_preparation.engraving.mei.durations import WITHOUT_DURATION
from score_following_game.data_preparation.engraving.mei.octaves import OctaveLine, is_under
from score_following_game.data_preparation.engraving.mei.ties import TimedBar
from score_following_game.data_preparation.engraving.mei.timing import Event
from score_following_game.data_preparation.engraving.mei.values import ALTER, accidental, sign_of, whole
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
from score_following_game.data_preparation.errors import EngravingError

_OF_RESTS = (ID, "dur", "dots", "dur.ges", "dots.ges", "dur.ppq", "staff", "visible", "cue")

Element = ElementTree.Element


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
    tied: id -> id of the note that it continues.  lines: all octave lines.  small: notes of cue size are played.
    """

    natural: bool
    tied: Mapping[str, str]
    lines: Sequence[OctaveLine]
    small: bool = False

    def __post_init__(self) -> None:
        self._alters: dict[str, int] = {}  # of the notes so far, by id

    def read(self, bar: TimedBar, staves: Mapping[str, StaffState]) -> dict[str, Sound | Unplayable]:
        """Id -> sound of the notes of a bar, or why they are not played. staves: as they are at its start.

        A sounding octave that the note does not state itself is added to it (oct, oct.ges).
        """
        keys = {name: staff.key for name, staff in staves.items()}
        unpitched = {name for name, staff in staves.items() if staff.unpitched}
        signs: dict[tuple[str, ...], int | None] = {}  # (staff, step, octave) -> alter of the last sign in this bar
        cues = {note.get(ID, "") for part in bar.measure.iter() if part.get("cue") == "true" for note in part.iter("note")}
        sounds: dict[str, Sound | Unplayable] = {}
        for event in sorted(bar.events, key=lambda event: event.onset):
            element = event.element
            if event.printed not in staves:
                raise EngravingError("unreadable", f"staff {event.printed!r} is not defined")
            if element.tag == "keySig":
                keys[event.printed] = key_signature(element)
            if element.tag == "clef":
                unpitched = unpitched - {event.printed} | (
                    {event.printed} if element.get("shape") in UNPITCHED_CLEFS else set()
                )
            if element.tag != "note":
                continue
            try:
                sounds[event.id] = self._sound(bar, event, keys[event.printed], staves[event.printed], signs)
                if event.id in cues and not self.small:
                    raise Unplayable(CUE, drawn=True)
                if event.printed in unpitched or is_without_pitch([element.get("head.shape", "")]):
                    raise Unplayable(UNPITCHED, drawn=True)
            except Unplayable as error:
                sounds[event.id] = error
        return sounds

    def _sound(
        self,
        bar: TimedBar,
        event: Event,
        key: Mapping[str, int],
        state: StaffState,
        signs: dict[tuple[str, ...], int | None],
    ) -> Sound:
        """signs: those of the bar so far; that of the note is added."""
        element = event.element
        if element.attrib.pop(WITHOUT_DURATION, ""):
            raise Unplayable(NO_DURATION)
        octaves = self._octaves(bar, event)
        spot = event.printed, element.get("pname", ""), element.get("oct", "")
        if spot[1] not in tuple("cdefgab"):
            drawn = not spot[1] and bool(element.get("loc"))
            raise Unplayable(UNPITCHED if drawn else NO_PITCH, drawn=drawn)
        try:
            alter = self._alter(event, 0 if self.natural else signs.get(spot, key.get(spot[1], 0)))
        finally:
            if sign := sign_of(element, "accid"):
                signs[spot] = ALTER.get(sign)
        self._alters[event.id] = alter
        _state_octave(event, state, octaves)
        return Sound(_midi(event, alter, state.transposition), alter, state.transposition)

    def _alter(self, event: Event, implied: int | None) -> int:
        sounding = accidental(event.element, "accid.ges") or accidental(event.element, "accid")
        if sounding is not None:
            return ALTER[sounding]
        alter = self._alters.get(self.tied.get(event.id, ""), implied)
        if alter is None:
            raise Unplayable(MICROTONE, drawn=True)
        return alter

    def _octaves(self, bar: TimedBar, event: Event) -> int:
        """Octaves to add to those that the note states. Outside of all lines it is written where it sounds."""
        over = [line for line in self.lines if is_under(line, bar, event)]
        if not over and (sounding := event.element.attrib.pop("oct.ges", None)):
            event.element.set("oct", sounding)
        return sum(line.octaves for line in over if not line.stated)


def _state_octave(event: Event, staff: StaffState, octaves: int) -> None:
    """Write the default octave, and the octave in which a note under an octave line sounds, to the note."""
    note = event.element
    if not note.get("oct"):
        if not (note.get("oct.ges") or staff.octave):
            raise Unplayable(NO_PITCH)
        note.set("oct", note.get("oct.ges") or staff.octave)
    if octaves:
        note.set("oct.ges", str(_octave(note, "oct") + octaves))


def _octave(note: Element, name: str) -> int:
    try:
        return whole(note, name, 4, -2, 20)
    except EngravingError:
        raise Unplayable(NO_PITCH) from None


def _midi(event: Event, alter: int, transposition: int) -> int:
    note = event.element
    octave = _octave(note, "oct.ges" if note.get("oct.ges") else "oct")
    midi = Pitch(note.get("pname", "").upper(), octave, alter).midi + transposition
    if not 0 <= midi <= 127:
        raise Unplayable(NOT_MIDI)
    return midi


def remove_pitches(measure: Element, ids: Set[str]) -> None:
    """Turn the notes of these ids into rests; in a chord that has other notes they are removed."""
    for chord in list(measure.iter("chord")) if ids else ():
        gone = [note for note in chord if note.get(ID) in ids]
        if gone and len(gone) == len(chord.findall("note")):
            chord.attrib = {**gone[0].attrib, **chord.attrib, ID: gone[0].get(ID, "")}
            _make_rest(chord)
        for note in gone:
            chord.remove(note)
    for note in measure.iter("note"):
        if note.get(ID) in ids:
            _make_rest(note)


def _make_rest(note: Element) -> None:
    """Turn a note or chord into a rest."""
    note.tag = "rest"
    note.attrib = {name: value for name, value in note.attrib.items() if name in _OF_RESTS}
    note[:] = [child for child in note if child.tag == "note"]


def after(events: Sequence[Event], staves: dict[str, StaffState]) -> None:
    """Let key signatures and clefs inside a bar hold for the following bars."""
    for event in sorted(events, key=lambda event: event.onset):
        if event.printed not in staves:
            continue
        if event.element.tag == "keySig":
            staves[event.printed] = replace(staves[event.printed], key=key_signature(event.element))
        elif event.element.tag == "clef":
            staves[event.printed] = replace(staves[event.printed], unpitched=event.element.get("shape") in UNPITCHED_CLEFS)
