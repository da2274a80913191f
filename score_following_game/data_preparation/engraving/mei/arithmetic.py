"""Reads MEI (versions 2 to 5) by its own note values, ties, accidentals and key signatures, without the engraver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.mei.abbreviations import write_out
from score_following_game.data_preparation.engraving.mei.bar_lengths import BarLengths
from score_following_game.data_preparation.engraving.mei.beats import keep_in_bars
from score_following_game.data_preparation.engraving.mei.definitions import StaffState, define
from score_following_game.data_preparation.engraving.mei.durations import complete_durations
from score_following_game.data_preparation.engraving.mei.octaves import octave_lines
from score_following_game.data_preparation.engraving.mei.origin import plays_small_notes, says_what_sounds
from score_following_game.data_preparation.engraving.mei.pitch import Accidentals, Sound, after, remove_pitches
from score_following_game.data_preparation.engraving.mei.prepare import document, prepare
from score_following_game.data_preparation.engraving.mei.spans import span_ratios
from score_following_game.data_preparation.engraving.mei.tempo import bar_tempi, stated_tempo
from score_following_game.data_preparation.engraving.mei.ties import Ties, TimedBar, find_ties
from score_following_game.data_preparation.engraving.mei.timing import complete_tuplets, read_layers
from score_following_game.data_preparation.engraving.mei.tree import parse
from score_following_game.data_preparation.engraving.read_bar import PartBar, ReadBar, ReadNote
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.engraving.silent import Unplayable
from score_following_game.data_preparation.errors import EngravingError

_DEFINITIONS = ("scoreDef", "staffDef")
_NOT_TIMED = ("keySig", "clef", "mSpace")

Element = ElementTree.Element


@dataclass
class _Timed:
    """Every bar with its times. staves, tempi: what is in force at the start of each bar, and defined just before it."""

    bars: list[TimedBar] = field(default_factory=list)
    staves: list[dict[str, StaffState]] = field(default_factory=list)
    tempi: list[float | None] = field(default_factory=list)


def read_mei(text: str) -> tuple[str, Reading]:
    """Returns MEI for the engraver, and the reading.

    In the MEI are only the played versions of the music, without header and page layout, and with abbreviations written out.
    Every note, rest and space has an id, as in the reading; bar i has the id "bar-i". Rests and spaces are read as notes
    without a pitch. A note's staff is the one whose layer it is in. Hidden notes are in both, grace notes in the MEI only.
    Raises EngravingError naming the bar for what cannot be read.
    """
    root = parse(text)
    try:
        score = prepare(root)
        reading = _read(score, says_what_sounds(root), plays_small_notes(root))
        return document(score, root.get("meiversion") or root.get("version") or "", says_what_sounds(root)), reading
    except RecursionError:
        raise EngravingError("unreadable", "its elements are nested too deeply") from None


def _read(score: Element, natural: bool, small: bool) -> Reading:
    timed = _time(score)
    if not timed.bars:
        raise EngravingError("no notes", "no measures")
    ties = find_ties(timed.bars)
    accidentals = Accidentals(natural, ties.tied, octave_lines(timed.bars), small)
    bars: list[ReadBar] = []
    pitches: dict[str, int] = {}
    for index, (bar, staves, tempo) in enumerate(zip(timed.bars, timed.staves, timed.tempi)):
        name = _name(bar.measure, index)
        with _naming(name):
            sounds = accidentals.read(bar, staves)
            pitches.update({note: sound.pitch for note, sound in sounds.items() if isinstance(sound, Sound)})
            undrawn = {id_ for id_, sound in sounds.items() if isinstance(sound, Unplayable) and not sound.drawn}
            notes = tuple(_notes(bar, staves, sounds, ties, pitches))
            lost = tuple(note for note in notes if note.id in undrawn)
            notes = tuple(replace(note, silent="") if note.id in undrawn else note for note in notes)  # as rests
            remove_pitches(bar.measure, undrawn)
            parts = tuple(_parts(bar, staves))
            bars.append(ReadBar(name, bar.length, notes, bar_tempi(bar, tempo), _meter(staves), lost, parts))
    if not any(note.pitch is not None or note.silent for bar in bars for note in bar.notes):
        raise EngravingError("no notes")
    return Reading(tuple(bars))


class _naming:
    """Adds the bar to an EngravingError."""

    def __init__(self, bar: str) -> None:
        self.bar = bar

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EngravingError):
            raise EngravingError(error.reason, f"bar {self.bar}, {error.detail}") from None


def _time(score: Element) -> _Timed:
    timed = _Timed()
    staves: dict[str, StaffState] = {}
    now, tempo = Fraction(0), None
    elements = _in_order(score)
    measures = [element for element in elements if element.tag == "measure"]
    lengths = BarLengths(measures)
    for element in elements:
        if element.tag in _DEFINITIONS:
            define(element, staves)
            stated = [stated_tempo(part) for part in element.iter() if part.tag in _DEFINITIONS]
            tempo = next((value for value in stated if value is not None), tempo)
            continue
        index = len(timed.bars)
        with _naming(_name(element, index)):
            meter = _meter(staves)
            unit = meter[1] if meter else 4
            write_out(measures, index, staves)
            complete_tuplets(element, staves)
            complete_durations(element, staves, first=index == 0)
            ratios = span_ratios(element, staves, unit)
            lengths.mark_short(index, staves, ratios)
            events, length = read_layers(element, staves, ratios)
            length = lengths.length(index, staves, length)
        timed.bars.append(TimedBar(element, events, now, length, unit))
        timed.staves.append({name: copy(staff) for name, staff in staves.items()})
        timed.tempi.append(tempo)
        after(events, staves)
        now, tempo = now + length, None
    keep_in_bars([bar.measure for bar in timed.bars], [(bar.length, bar.unit) for bar in timed.bars])
    return timed


def _in_order(parent: Element) -> list[Element]:
    """Definitions and measures, without those inside them."""
    found: list[Element] = []
    for child in parent:
        found += [child] if child.tag in (*_DEFINITIONS, "measure") else _in_order(child)
    return found


def _notes(
    bar: TimedBar,
    staves: Mapping[str, StaffState],
    sounds: Mapping[str, Sound | Unplayable],
    ties: Ties,
    pitches: Mapping[str, int],
) -> list[ReadNote]:
    """The notes and rests of a bar in document order. pitches: of the notes so far. Only notes of one pitch are tied."""
    notes = []
    for event in bar.events:
        if event.grace or event.element.tag in _NOT_TIMED:
            continue
        number, sound = staves[event.staff].number, sounds.get(event.id)
        if isinstance(sound, Unplayable):
            notes.append(ReadNote(event.id, event.onset, event.duration, None, number, silent=sound.reason))
        elif sound is None:
            notes.append(ReadNote(event.id, event.onset, event.duration, None, number))
        else:
            first = ties.tied.get(event.id, "")
            first = first if pitches.get(first) == sound.pitch else ""
            note = ReadNote(event.id, event.onset, event.duration, sound.pitch, number, sound.alter, first, sound.transposition)
            notes.append(replace(note, begins_tie=event.id in ties.begin, ends_tie=event.id in ties.end))
    return notes


def _parts(bar: TimedBar, staves: Mapping[str, StaffState]) -> Iterator[PartBar]:
    """Each staff of a bar as a part of its own."""
    for name, staff in staves.items():
        length = max((event.end for event in bar.events if event.staff == name), default=Fraction(0))
        yield PartBar((staff.number,), length, staff.meter)


def _meter(staves: Mapping[str, StaffState]) -> tuple[int, int] | None:
    return next((staff.meter for staff in staves.values()), None)


def _name(measure: Element, index: int) -> str:
    return measure.get("n") or str(index + 1)
