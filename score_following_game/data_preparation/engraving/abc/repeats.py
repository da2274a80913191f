"""Reads an ABC tune with all its bars and the marks of their order: repeats, endings, jumps, and the order of its parts."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import replace
from fractions import Fraction

from score_following_game.data_preparation.engraving.abc.fields import quarter_tempo
from score_following_game.data_preparation.engraving.abc.melody import MelodyReader, carry_accidental, tokens_of
from score_following_game.data_preparation.engraving.abc.notation import Event, Pitch
from score_following_game.data_preparation.engraving.abc.reading import reading_of
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei
from score_following_game.data_preparation.engraving.abc.tune_book import (
    AbcError,
    Token,
    Tune,
    ending_numbers,
    is_division,
)
from score_following_game.data_preparation.engraving.bar_marks import BarMarks
from score_following_game.data_preparation.engraving.jump_signs import GOALS, Onsets, put_sign, with_to_coda
from score_following_game.data_preparation.engraving.order import written_order
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.engraving.verovio.layout import parse_mei
from score_following_game.data_preparation.engraving.verovio.ordering import lay_in_order
from score_following_game.data_preparation.engraving.xml_text import xml_text

_MOST_PARTS = 1000
_DOUBLE_BAR = re.compile(r"(?!\[\|\])[|\]\[]{2,}")  # [|] is invisible
_PART_ORDER = re.compile(r"\(([A-Za-z]*)\)(\d*)|([A-Za-z])(\d*)")


def tune_in_order(tune: Tune, playing: Playing) -> tuple[str, Reading]:
    """MEI of a tune with its bars laid down in the order of `playing`, and the reading of all its bars.

    Raises AbcError for a tune that cannot be read, and EngravingError for an order that leads nowhere.
    """
    voice, tokens = tokens_of(tune, playing.part or None, marks=not playing.bars)
    reader = _BarReader(tune, voice)
    melody = reader.read(tokens)
    reading = reading_of(melody, quarter_tempo(tune))
    marks = reader.all_marks(reading)
    if not playing.bars:
        reading = replace(reading, written=_by_parts(tune, reader.parts, marks, [bar.name for bar in reading.bars]))
    root = parse_mei(melody_to_mei(melody))
    for measure in root.iter("{*}measure"):
        measure.set("right", "single")
    lay_in_order(root, playing.order(reading, marks), reading)
    return xml_text(root), reading


class _BarReader(MelodyReader):
    """Also collects the marks of each bar.

    marks: of the finished bars.  parts: the label of the part that each of them is in, "" before the first.
    """

    def __init__(self, tune: Tune, voice: str) -> None:
        super().__init__(tune, voice)
        self.stated_order = "P" in tune.headers
        self.marks: list[BarMarks] = []
        self.parts: list[str] = []
        self.mark = BarMarks()  # of the bar that is being read
        self.part = ""
        self.ending: tuple[int, ...] = ()
        self.after_ending = False
        # (bar, field of BarMarks, its `until`, quarters after the start of the bar)
        self.signs: list[tuple[int, str, str, Fraction]] = []
        self.times: list[tuple[int, int]] = []  # (bar, how often a passage is played by the words there)
        self.before_endings: Event | None = None  # the last note before the first ending
        self.begins_ending = False  # a later ending, whose first note is to come
        self.after_double_bars: set[int] = set()

    def take(self, token: Token) -> None:
        if token.kind == "bar":
            self._take_repeat(token)
            self.after_ending = False
            if is_division(token):
                self.after_ending, self.ending = bool(self.ending), ()
        numbers = ending_numbers(token, self.after_ending)
        if numbers:
            self.split_bar()
            self._begin_ending(numbers)
        elif token.kind != "bar":
            super().take(token)
        self.after_ending = self.after_ending and token.kind in ("bar", "space", "field")

    def end_measure(self) -> None:
        finished = bool(self.measure.events)
        super().end_measure()
        if not finished:
            self._move_signs_back()
        else:
            self.marks.append(replace(self.mark, ending=self.ending))
            self.parts.append(self.part)
            self.mark = BarMarks()

    def all_marks(self, reading: Reading) -> list[BarMarks]:
        """The marks of all bars. A sign stands before the note to which it belongs, or at the bar line."""
        marks = list(self.marks)
        for bar in _unmarked_starts(marks, self.after_double_bars, self.parts if self.stated_order else []):
            marks[bar] = replace(marks[bar], repeat_start=True)
        for bar, sign, until, position in self.signs:
            if bar < len(marks):
                put_sign(marks, bar, sign, Onsets.of(reading.bars[bar]), [position], attached=True, until=until)
        for bar, times in self.times:
            bar = min(bar, len(marks) - 1)  # words may stand after the last bar
            marks[bar] = replace(marks[bar], times=times)
        return with_to_coda(marks)

    def _begin_ending(self, numbers: tuple[int, ...]) -> None:
        """Remember the note that is tied into each ending."""
        if 1 in numbers:
            self.before_endings, self.begins_ending = self.last, False
        else:
            self.last, self.begins_ending = None, True
            self.measure.divided = False
        self.ending = numbers

    def _add(self, pitch: Pitch | None, accidental: int | None, length: Fraction) -> Event:
        event = super()._add(pitch, accidental, length)
        if self.begins_ending and self.before_endings and self.before_endings.dash:
            carry_accidental(self.before_endings, event)
        self.begins_ending = False
        return event

    def _move_signs_back(self) -> None:
        """What ends the music and stands between two bar lines belongs to the bar before."""
        bar = len(self.marks)
        for place, (of, sign, until, _) in enumerate(self.signs):
            if of == bar and bar and sign not in GOALS:
                self.signs[place] = bar - 1, sign, until, self.measures[bar - 1].quarters

    def _take_repeat(self, token: Token) -> None:
        text = token.parts["bar"]
        before, after = len(text) - len(text.lstrip(":")), len(text) - len(text.rstrip(":"))
        if before == len(text):  # nothing but colons: one repeat ends and one begins
            before = after = len(text) // 2
        super()._take_bar(token)
        if _DOUBLE_BAR.fullmatch(text):
            self.after_double_bars.add(len(self.marks))
        if before and self.marks:
            self.marks[-1] = replace(self.marks[-1], repeat_end=before + 1)
        if after:
            self.mark = replace(self.mark, repeat_start=True)

    def _take_sign(self, token: Token) -> None:
        bar, parts = len(self.marks), token.parts
        if "times" in parts:
            self.times.append((bar, int(parts["times"])))
        else:
            self.signs.append((bar, parts["sign"], parts["until"], self.measure.quarters))

    def _take_field(self, token: Token) -> None:
        if token.parts["name"] == "s":
            raise AbcError(f"the signs in s:{token.parts['value'][:30]} are not read; write them into the music")
        if token.parts["name"] == "P":
            self.split_bar()
            self.part = token.parts["value"].strip()[:1]
        super()._take_field(token)


def _unmarked_starts(marks: Sequence[BarMarks], after_double_bars: Container[int], parts: Sequence[str]) -> list[int]:
    """The bars at which repeats without a sign at their beginning begin: the standard goes back to the last double bar.

    parts: the label of each bar's part, if the parts are played in an order of their own; each has its own repeats then.
    """
    found: list[int] = []
    begun = False  # whether a sign has begun the passage
    double_bar: int | None = None  # the last one in it
    for bar, mark in enumerate(marks):
        if bar and parts and parts[bar] != parts[bar - 1]:
            begun, double_bar = False, None
        begun = begun or mark.repeat_start
        if bar in after_double_bars and not mark.ending:
            double_bar = bar
        if (mark.repeat_end or 1 in mark.ending) and double_bar is not None and not begun:
            found.append(double_bar)
        if mark.repeat_end or mark.ending:
            begun, double_bar = False, None
    return found


def _by_parts(tune: Tune, parts: list[str], marks: list[BarMarks], names: list[str]) -> tuple[int, ...] | None:
    """The bars in the order of the parts that the header states, each part with its own repeats; None if it states none.

    Bars before the first part come first. Raises AbcError for an order that cannot be read or a part that is not there.
    """
    stated = tune.headers.get("P", "").replace(".", "").replace(" ", "").rstrip(",;")
    if not stated or not any(parts):
        return None
    bars: dict[str, list[int]] = {}
    for bar, part in enumerate(parts):
        bars.setdefault(part, []).append(bar)
    order: list[int] = []
    for part in ([""] if "" in bars else []) + list(_part_order(stated)):
        if part not in bars:
            raise AbcError(f"P:{stated} names the part {part}, which is not in the tune")
        own = bars[part]
        order += [own[place] for place in written_order([marks[bar] for bar in own], [names[bar] for bar in own])]
    return tuple(order)


def _part_order(text: str) -> str:
    """ABBAB of A(BBA)B, A3 is AAA. Raises AbcError for anything else."""
    order, before = text, ""
    while order != before and len(order) <= _MOST_PARTS:  # from the innermost brackets outwards
        before = order
        order = _PART_ORDER.sub(lambda found: (found[1] or found[3] or "") * min(int(found[2] or found[4] or 1), 99), before)
    if len(order) > _MOST_PARTS:
        raise AbcError(f"P:{text[:20]} is too long")
    if not order.isalpha():
        raise AbcError(f"cannot read the order of parts P:{text[:20]}")
    return order
