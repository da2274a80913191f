"""Reads MusicXML by its own arithmetic: <duration>, <backup>, <forward>, <alter>, <transpose> and ties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.abbreviations import (
    divide_rests,
    refuse_repeated_beats,
    write_out_bars,
    write_out_strokes,
)
from score_following_game.data_preparation.engraving.musicxml.clock import Clock
from score_following_game.data_preparation.engraving.musicxml.divisions import settle_divisions
from score_following_game.data_preparation.engraving.musicxml.document import Part, bars, number, read_document, set_ids
from score_following_game.data_preparation.engraving.musicxml.durations import complete_durations
from score_following_game.data_preparation.engraving.musicxml.local_meters import undo_stretching
from score_following_game.data_preparation.engraving.musicxml.marks import PlacedSign, read_marks, signs_at, signs_of
from score_following_game.data_preparation.engraving.musicxml.meter import meter_of
from score_following_game.data_preparation.engraving.musicxml.pitch import remove_pitches, sound_of, state_type
from score_following_game.data_preparation.engraving.musicxml.tempo import sounding_offset, tempo_of
from score_following_game.data_preparation.engraving.musicxml.ties import Ties
from score_following_game.data_preparation.engraving.musicxml.values import decimal, written_value
from score_following_game.data_preparation.engraving.musicxml.whole_rests import shorten_rests
from score_following_game.data_preparation.engraving.read_bar import DIFFER, PartBar, ReadBar, ReadClef, ReadNote
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.engraving.silent import Unplayable
from score_following_game.data_preparation.engraving.xml_text import xml_text
from score_following_game.data_preparation.errors import EngravingError

_USUAL_LINES = {"G": 2, "F": 4, "C": 3}  # of clefs that do not state theirs
_MOST_ROUNDED = Fraction(1, 4)  # quarters by which rounded durations may miss the length of a bar

Element = ElementTree.Element


def read_musicxml(text: str) -> tuple[str, Reading]:
    """Returns the text for the engraver, with ids, and the reading.

    Notes that cannot be played are silent, or lost if they cannot be drawn either; see pitch.py. Raises EngravingError for what
    cannot be read.
    """
    root, parts = read_document(text)
    for part in parts:
        settle_divisions(part.measures, part.name or part.element.get("id", ""))
    undo_stretching(parts)
    shorten_rests(parts)
    for part in parts:
        complete_durations(part.measures)
        refuse_repeated_beats(part.measures)
        write_out_bars(part.measures)
        divide_rests(part.measures)
    set_ids(parts)
    players = {part.element.get("id"): _Player(part) for part in parts}
    read: list[ReadBar] = []
    signs: list[list[PlacedSign]] = []
    meter: tuple[int, int] | None = None
    tempo: float | None = None
    for index, measures in bars(parts):
        name = measures[0][1].get("number", str(index + 1))
        try:
            passages = [players[part.element.get("id")].play(measure, tempo) for part, measure in measures]
        except EngravingError as error:
            raise EngravingError(error.reason, f"bar {name}: {error.detail}") from None
        meter = next((passage.meter for passage in passages if passage.meter), meter)
        length = max(passage.length for passage in passages)
        full = Fraction(4 * meter[0], meter[1]) if meter else None
        counted = max(passage.counted for passage in passages)
        if counted == full and abs(length - counted) > _MOST_ROUNDED:
            lengths = f"{float(counted):g} quarters by their durations, {float(length):g} by their values"
            raise EngravingError(DIFFER, f"bar {name}: its notes last {lengths}")
        if not length and full:
            length = full
        notes = tuple(note for passage in passages for note in passage.notes)
        tempi = _together([passage.tempi for passage in passages])
        tempo = tempi[-1][1] if tempi else tempo
        lost = tuple(note for passage in passages for note in passage.lost)
        own = tuple(
            PartBar(part.staff_numbers, passage.length, players[part.element.get("id")].meter)
            for (part, _), passage in zip(measures, passages)
        )
        clefs = tuple(clef for passage in passages for clef in passage.clefs if 0 < clef.onset < length)
        read.append(ReadBar(name, length, notes, tempi, meter, lost, own if len(own) > 1 else (), clefs))
        signs.append([sign for passage in passages for sign in passage.signs])
    if not read:
        raise EngravingError("no notes", "no measures")
    marks = read_marks([part.measures for part in parts], read, signs)
    names = {staff: part.names for part in parts for staff in part.staff_numbers}
    return xml_text(root), Reading(tuple(read), marks, names=names)


def _together(parts: Sequence[Sequence[tuple[Fraction, float]]]) -> tuple[tuple[Fraction, float], ...]:
    """The tempi that the parts state in a bar, in order of time; of several at one place that of the first part."""
    found: dict[Fraction, float] = {}
    for tempi in reversed(parts):
        found |= dict(tempi)
    return tuple(sorted(found.items()))


@dataclass
class _Passage:
    """What one part plays in one bar. lost: the notes that cannot be drawn.  length: quarters.  counted: by <duration>.

    transposed: quarters after which another transposition holds.
    """

    notes: list[ReadNote] = field(default_factory=list)
    lost: list[ReadNote] = field(default_factory=list)
    tempi: list[tuple[Fraction, float]] = field(default_factory=list)
    length: Fraction = Fraction(0)
    counted: Fraction = Fraction(0)
    meter: tuple[int, int] | None = None
    transposed: Fraction = Fraction(0)
    signs: list[PlacedSign] = field(default_factory=list)
    clefs: list[ReadClef] = field(default_factory=list)

    def tempo_before(self, place: Fraction, first: float | None) -> float | None:
        """The tempo just before a place in the bar. first: that before the bar."""
        return next((tempo for at, tempo in sorted(self.tempi, reverse=True) if at < place), first)


class _Player:
    """Reads the measures of one part in turn."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.divisions = Fraction(1)
        self.meter: tuple[int, int] | None = None
        self.transposition: dict[int, int] = {}  # staff in the part -> semitones; 0: all staves
        self.unpitched: set[int] = set()  # staves in the part with a clef for percussion or tablature
        self.ties = Ties()
        self.repeated: dict[str, str] = {}  # note -> its last repetition

    def play(self, measure: Element, tempo: float | None) -> _Passage:
        """tempo: quarters per minute at the beginning of the bar, None if none is stated so far."""
        passage, clock = _Passage(), Clock()
        self.ties.begin_bar()
        chord = Fraction(0), Fraction(0)
        barlines: list[tuple[Element, Fraction]] = []
        rests: list[tuple[Element, Fraction, Fraction]] = []
        for element in measure:
            if element.tag == "attributes":
                self._define(element, passage, clock.now)
            elif element.tag == "backup":
                clock.go_back(self._duration(element))
            elif element.tag == "forward":
                clock.advance(self._duration(element), self._duration(element))
            elif element.tag == "barline":
                barlines.append((element, clock.now))
            elif element.tag in ("direction", "sound"):
                passage.signs += signs_of(element, clock.now, self.divisions)
                place = max(Fraction(0), clock.now + sounding_offset(element) / self.divisions)
                if (stated := tempo_of(element, passage.tempo_before(place, tempo))) is not None:
                    passage.tempi.append((place, stated))
            elif element.tag == "note" and element.find("grace") is None:
                if element.find("chord") is None:
                    counted, exact, certain = self._note_duration(element)
                    chord = clock.now, exact
                    clock.advance(counted, exact, certain)
                if element.find("rest") is not None:
                    rests.append((element, *chord))
                self._take(element, *chord, passage)
            passage.length = max(passage.length, clock.now)
            passage.counted = max(passage.counted, clock.counted)
        for barline, now in barlines:
            passage.signs += signs_at(barline, now, passage.length)
        for rest, onset, duration in rests:
            if onset or duration != passage.length:
                state_type(rest, duration)
        remove_pitches(measure, {note.id: note.duration for note in passage.lost})
        present = {note.get("id") for note in measure.iter("note")}
        passage.notes = [note for note in passage.notes if note.id in present]
        passage.notes = write_out_strokes(self.ties.join(passage.notes, measure, passage.length), measure, self.repeated)
        return passage

    def _define(self, attributes: Element, passage: _Passage, now: Fraction) -> None:
        before = dict(self.transposition)
        if attributes.find("divisions") is not None:
            self.divisions = Fraction(self._positive(attributes, "divisions"))
        time = attributes.find("time")
        if time is not None and time.find("beats") is not None:
            passage.meter = meter_of(time)
            self.meter = passage.meter or self.meter
        for clef in attributes.findall("clef"):
            staff = int(text) if (text := clef.get("number", "1")).isdecimal() else 1
            sign = (clef.findtext("sign") or "").strip()
            self.unpitched = self.unpitched | {staff} if sign in ("percussion", "TAB") else self.unpitched - {staff}
            if sign in _USUAL_LINES:
                line, octaves = number(clef, "line", _USUAL_LINES[sign]), number(clef, "clef-octave-change", 0)
                passage.clefs.append(ReadClef(now, self.part.first_staff + staff - 1, sign, line, octaves))
        for transpose in attributes.findall("transpose"):
            semitones = number(transpose, "chromatic", 0) + 12 * number(transpose, "octave-change", 0)
            staff = int(text) if (text := transpose.get("number", "")).isdecimal() else 0  # 0: all staves
            if not staff:
                self.transposition.clear()
            self.transposition[staff] = semitones
        if self.transposition != before:
            passage.transposed = now

    def _positive(self, element: Element, path: str) -> Fraction:
        text = (element.findtext(path) or "").strip()
        value = decimal(text)
        if value is None:
            raise EngravingError("unreadable", f"{path} {text[:20]!r} is not a number")
        if value < 0 or (path == "divisions" and not value):
            raise EngravingError("unreadable", f"{path} {text[:20]!r} must be positive")
        return value

    def _duration(self, element: Element) -> Fraction:
        """Quarters by <duration>."""
        return self._positive(element, "duration") / self.divisions

    def _note_duration(self, note: Element) -> tuple[Fraction, Fraction, bool]:
        """Quarters as the file counts them, and as they are meant: a rounded duration is replaced by the note's value.

        The third tells whether they are the note's value.
        """
        if not (note.findtext("duration") or "").strip():
            staff = self.part.first_staff + number(note, "staff", 1) - 1
            raise EngravingError("unreadable", f"staff {staff}: a note without a duration, and the bar does not tell it")
        counted = self._duration(note)
        value = written_value(note)
        if value is None or value == counted:
            return counted, counted, value is not None
        rounded = abs(value - counted) < 1 / self.divisions and (value * self.divisions).denominator > 1
        return counted, value if rounded else counted, rounded

    def _take(self, note: Element, onset: Fraction, duration: Fraction, passage: _Passage) -> None:
        """Add a note or rest to what is played in the bar, or to what is lost."""
        staff = number(note, "staff", 1)
        if onset < passage.transposed:
            raise EngravingError("unreadable", "the transposition changes within a voice, before another one in the file")
        shift = self.transposition.get(staff, self.transposition.get(0, 0))
        place = self.part.first_staff + staff - 1
        read = ReadNote(note.get("id", ""), onset, duration, None, place)
        try:
            sound = sound_of(note, shift, staff in self.unpitched)
        except Unplayable as error:
            read = replace(read, silent=error.reason)
            if not error.drawn:
                passage.lost.append(read)
                read = replace(read, silent="")  # a rest
        else:
            if sound is not None:
                read = replace(read, pitch=sound[0], alter=sound[1], transposition=shift)
        passage.notes.append(read)
