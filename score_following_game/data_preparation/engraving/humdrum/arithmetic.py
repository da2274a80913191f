"""Reads Humdrum by its own arithmetic: the notes of its **kern spines, timed by their durations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction

from score_following_game.data_preparation.engraving.humdrum.preparing import Lost, prepare
from score_following_game.data_preparation.engraving.humdrum.spines import Row, Spine, read_rows, unreadable
from score_following_game.data_preparation.engraving.humdrum.tempo import metronome_marks, quarters_per_minute
from score_following_game.data_preparation.engraving.humdrum.tokens import METER, Sign, read_token
from score_following_game.data_preparation.engraving.read_bar import ReadBar, ReadNote
from score_following_game.data_preparation.engraving.reading import LENGTH, Reading
from score_following_game.data_preparation.errors import EngravingError

_INSTRUMENT = re.compile(r"\*ITrd([-+]?\d{1,3})c([-+]?\d{1,3})")  # written so many steps and semitones above the sound
_INVISIBLE = re.compile(r"=+\d*\w*-")
_NUMBER = re.compile(r"=+(\d+\w*)")


def read_humdrum(text: str) -> tuple[str, Reading]:
    """Returns the text for the engraver and the reading.

    Raises EngravingError naming the line where the spines disagree about the time or a token cannot be read.
    """
    lines, bars = read_bars(text)
    mended = {id_: LENGTH for bar in bars for id_ in bar.shortened}
    return "\n".join(lines), Reading(tuple(bar.finished() for bar in bars), mended=mended)


@dataclass
class OpenBar:
    """A bar that is being read. line: of the bar line before it.  start, end: quarters from the beginning of the piece.

    data: the lines with its notes and rests.  lost: the notes that cannot be read.  shortened: ids of the notes of chords
    that state another duration than the first note of theirs, and are drawn and played as long as that.
    """

    line: int
    name: str
    start: Fraction
    end: Fraction = Fraction(0)
    notes: list[ReadNote] = field(default_factory=list)
    tempi: dict[Fraction, float] = field(default_factory=dict)
    meter: tuple[int, int] | None = None
    data: list[int] = field(default_factory=list)
    lost: list[ReadNote] = field(default_factory=list)
    shortened: list[str] = field(default_factory=list)

    def finished(self) -> ReadBar:
        length = self.end - self.start
        notes = tuple(_whole_bar(note, length) for note in self.notes)
        return ReadBar(self.name, length, notes, tuple(self.tempi.items()), self.meter, tuple(self.lost))


def _whole_bar(note: ReadNote, length: Fraction) -> ReadNote:
    """A rest as long as the bar has an id of its own kind."""
    if note.pitch is None and note.duration == length:
        return replace(note, id=f"mrest{note.id[note.id.index('-') :]}")
    return note


def read_bars(text: str) -> tuple[list[str], list[OpenBar]]:
    """The lines for the engraver, and the bars. The engraver makes one measure of each."""
    lines, lost = prepare(text)
    reader = _Reader(lost)
    marks = metronome_marks(lines)
    for row in read_rows(lines):
        while marks and marks[0][0] < row.number:
            reader.mark(marks.pop(0)[1])
        if row.is_barline:
            reader.barline(row)
        elif row.is_interpretation:
            reader.interpretations(row)
        else:
            reader.data(row)
    for line in reader.not_bars:
        lines[line - 1] = "\t".join("!" for _ in lines[line - 1].split("\t"))
    bars = reader.finished()
    if marks:  # after the music stands what is true of its beginning
        bars[0].tempi = {Fraction(0): marks[0][1], **bars[0].tempi}
    return lines, bars


class _Reader:
    """The state between two lines: the bars so far, when the notes of each spine end, and the ties that wait for their end."""

    def __init__(self, lost: Lost) -> None:
        self.lost = lost
        self.bars = [OpenBar(1, "0", Fraction(0))]
        self.free: dict[Spine, Fraction] = {}
        self.now = Fraction(0)
        self.ties: list[tuple[int, int, Fraction, str]] = []  # staff, pitch, end, id of the first note; unisons have one each
        self.meter: tuple[int, int] | None = None
        self.staves: dict[int, int] = {}  # number of the column -> staff
        self.instruments: dict[int, tuple[int, int]] = {}  # number of the column -> steps, semitones
        self.stated: set[Fraction] = set()  # times of the tempi that interpretations state
        self.alternatives: set[Spine] = set()  # the other versions (*strophe) beside the first, which alone is drawn
        self.not_bars: list[int] = []  # lines with an invisible bar line in the middle of a note

    def interpretations(self, row: Row) -> None:
        self._strophes(row)
        for _, token, spine in row.kern():
            if instrument := _INSTRUMENT.fullmatch(token):
                self.instruments[spine.origin] = int(instrument[1]), int(instrument[2])
            if tempo := quarters_per_minute(token):
                self.bars[-1].tempi[self.now - self.bars[-1].start] = tempo
                self.stated.add(self.now)
            if meter := METER.match(token):
                self.meter = int(meter[1]), int(meter[2])
                if self.now == self.bars[-1].start:
                    self.bars[-1].meter = self.meter

    def _strophes(self, row: Row) -> None:
        drawn: set[int] = set()
        for _, token, spine in row.kern():
            if token == "*Xstrophe":
                self.alternatives.discard(spine)
            elif token == "*strophe" and spine.origin in drawn:
                self.alternatives.add(spine)
            elif token == "*strophe":
                drawn.add(spine.origin)

    def mark(self, tempo: float) -> None:
        """A metronome mark holds from its place in the file on; an interpretation at the same time counts more."""
        if self.now not in self.stated:
            self.bars[-1].tempi.setdefault(self.now - self.bars[-1].start, tempo)

    def barline(self, row: Row) -> None:
        tokens = [token for _, token, _ in row.kern()]
        if not tokens:
            return
        for _, _, spine in row.kern():
            if self.free.get(spine, self.now) != self.now:
                if all(_INVISIBLE.match(token) for token in tokens):
                    self.not_bars.append(row.number)
                    return
                raise unreadable(row.number, f"a bar line in the middle of a note ({_difference(self.free[spine], self.now)})")
        number = _NUMBER.match(tokens[0])
        bar = self.bars[-1]
        bar.end = self.now
        name = number[1] if number else bar.name
        if not bar.notes and bar.end == bar.start:
            bar.line, bar.name = row.number, name
        else:
            self.bars.append(OpenBar(row.number, name, self.now, meter=self.meter))

    def data(self, row: Row) -> None:
        if not self.staves:
            self._number_staves(row)
        written = False
        for field_, token, spine in row.kern():
            begins = self.free.setdefault(spine, self.now)
            signs = self._signs(row.number, token)
            if not signs:
                continue
            if begins != self.now:
                raise unreadable(
                    row.number, f"spine {field_} is at another time than the others ({_difference(begins, self.now)})"
                )
            if spine not in self.alternatives:
                self._add(row.number, field_, spine, signs)
            written = True
            self.free[spine] = self.now + signs[0].duration
        if written:
            self.bars[-1].data.append(row.number)
        present = [self.free[spine] for _, _, spine in row.kern()]
        if present and min(present) < self.now:
            raise unreadable(row.number, "a spine has neither a note nor a rest here")
        self.now = min(present, default=self.now)

    def _signs(self, line: int, token: str) -> list[Sign]:
        try:
            return read_token(token)
        except ValueError as error:
            raise unreadable(line, str(error)) from None

    def _number_staves(self, row: Row) -> None:
        """Staff 1 is the top one, the rightmost spine."""
        columns = sorted({spine.origin for _, _, spine in row.kern()}, reverse=True)
        self.staves = {column: staff for staff, column in enumerate(columns, 1)}

    def _add(self, line: int, field_: int, spine: Spine, signs: list[Sign]) -> None:
        staff = self.staves.get(spine.origin)
        if staff is None:
            raise unreadable(line, "a staff that begins in the middle of the piece")
        bar = self.bars[-1]
        here = ReadNote("", self.now - bar.start, Fraction(0), None, staff)
        bar.lost += [replace(here, silent=reason) for reason in self.lost.get((line, field_), ())]
        for place, sign in enumerate(signs, 1):
            if sign.grace:
                continue
            kind = "note" if sign.pitch is not None else "space" if sign.hidden else "rest"
            id_ = f"{kind}-L{line}F{field_}" + (f"S{place}" if len(signs) > 1 else "")
            steps, semitones = self.instruments.get(spine.origin, (0, 0))
            alter = sign.written_alter(steps, semitones)
            tied_to = self._tie(id_, staff, sign) if sign.pitch is not None else ""
            if sign.pitch is not None and sign.stated != sign.duration:
                bar.shortened.append(id_)
            note = ReadNote(id_, self.now - bar.start, sign.duration, sign.pitch, staff, alter, tied_to, -semitones)
            bar.notes.append(replace(note, begins_tie=sign.begins, ends_tie=sign.ends))

    def _tie(self, id_: str, staff: int, sign: Sign) -> str:
        """The id of the note that this one continues, "" if none. Remembers the note if a tie begins at it."""
        assert sign.pitch is not None
        tied_to = ""
        if sign.ends:
            open_ties = [tie for tie in self.ties if tie[1:3] == (sign.pitch, self.now)]
            if open_ties:
                tie = min(open_ties, key=lambda tie: tie[0] != staff)
                tied_to = tie[3]
                self.ties.remove(tie)
        if sign.begins:
            self.ties.append((staff, sign.pitch, self.now + sign.duration, id_))
        return tied_to

    def finished(self) -> list[OpenBar]:
        self.bars[-1].end = max([self.now, *self.free.values()])
        if not self.bars[-1].notes:
            self.bars.pop()
        if not self.bars:
            raise EngravingError("no notes")
        return self.bars


def _difference(time: Fraction, now: Fraction) -> str:
    return f"{float(abs(time - now)):g} quarters {'later' if time > now else 'earlier'}"
