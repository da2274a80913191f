"""Completes the durations that notes of MusicXML lack, where the rest of the bar says what they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.chords import decimal_text
from score_following_game.data_preparation.engraving.musicxml.meter import meter_of
from score_following_game.data_preparation.engraving.musicxml.values import decimal, written_value

WITHOUT_DURATION = "without-duration"  # attribute of a note of which the bar says only where the next one begins
_BEFORE_DURATION = ("grace", "cue", "chord", "pitch", "unpitched", "rest")

Element = ElementTree.Element


@dataclass
class _Run:
    """Notes and forwards that follow each other, up to a <backup> or the end of the bar.

    start, known: quarters; where it begins, and how long its notes with a duration last.  missing: notes without one, and what
    a quarter is in divisions there.  back: quarters that the <backup> goes back, None at the end of the bar.
    """

    start: Fraction
    known: Fraction = Fraction(0)
    missing: list[tuple[Element, Fraction]] = field(default_factory=list)
    back: Fraction | None = None

    @property
    def written(self) -> Fraction:
        """How long its notes last by <duration> or, where it is missing, by <type>."""
        return self.known + sum((written_value(note) or Fraction(0) for note, _ in self.missing), Fraction(0))


def complete_durations(measures: list[Element]) -> None:
    """Give the notes of a part that lack a <duration> the one that the bar shows. measures: of one part.

    The run of notes must end where the bar does: by its time signature, by the <backup> after it, which goes to its beginning,
    or by the other runs. If the values of the notes (<type>) lead there, those are the durations. If one note has no value,
    it takes the time that is left, and gets the attribute WITHOUT_DURATION. Other notes stay as they are.
    """
    divisions, bar = Fraction(1), None
    for index, measure in enumerate(measures):
        for time in measure.iterfind("attributes/time"):
            if (meter := meter_of(time)) is not None:
                bar = Fraction(4 * meter[0], meter[1])
        runs, divisions = _runs(measure, divisions)
        whole = bar if index and measure.get("implicit") != "yes" else None
        for run in runs:
            if run.missing:
                ends = {other.start + other.known for other in runs if not other.missing and other.known}
                _complete(run, whole, {end for end in (whole, bar, *ends) if end is not None})
        _complete_chords(measure)


def _runs(measure: Element, divisions: Fraction) -> tuple[list[_Run], Fraction]:
    """The runs of a bar, and the divisions at its end. Runs after one with a missing duration count from the beginning."""
    runs = [_Run(Fraction(0))]
    for element in measure:
        if element.tag == "attributes":
            divisions = decimal((element.findtext("divisions") or "").strip()) or divisions
        if (
            element.tag not in ("note", "forward", "backup")
            or element.find("grace") is not None
            or element.find("chord") is not None
        ):
            continue
        duration = _duration(element)
        if element.tag == "backup":
            back = None if duration is None else duration / divisions
            run, runs[-1].back = runs[-1], back
            end = Fraction(0) if run.missing or back is None else run.start + run.known - back
            runs.append(_Run(max(end, Fraction(0))))
        elif duration is not None:
            runs[-1].known += duration / divisions
        elif element.tag == "note":
            runs[-1].missing.append((element, divisions))
    return runs, divisions


def _complete(run: _Run, whole: Fraction | None, ends: set[Fraction]) -> None:
    """whole: quarters of a full bar, None if this one need not be full.  ends: where the run may end."""
    end = run.start + run.written
    untyped = [place for place in run.missing if written_value(place[0]) is None]
    if run.back is not None:
        if run.start or (whole is not None and run.back > whole):
            return
        ends, whole = {run.back}, run.back
    if not untyped:
        if end in ends:
            for note, divisions in run.missing:
                _write(note, (written_value(note) or Fraction(0)) * divisions)
    elif len(untyped) == 1 and whole is not None and end < whole and ends == {whole}:
        for note, divisions in run.missing:
            _write(note, (written_value(note) or whole - end) * divisions)
        untyped[0][0].set(WITHOUT_DURATION, "yes")


def _complete_chords(measure: Element) -> None:
    """A note of a chord lasts as long as its first one; one without a value of its own, or with another one, is not played."""
    first: Element | None = None
    for note in (note for note in measure.findall("note") if note.find("grace") is None):
        if note.find("chord") is None:
            first = note
        elif first is not None and _duration(note) is None and (duration := _duration(first)) is not None:
            _write(note, duration)
            if written_value(note) is None or written_value(note) != written_value(first):
                note.set(WITHOUT_DURATION, "yes")


def _duration(element: Element) -> Fraction | None:
    """In divisions; None where it is missing or no number."""
    value = decimal((element.findtext("duration") or "").strip())
    return None if value is None or value < 0 else value


def _write(note: Element, duration: Fraction) -> None:
    for old in note.findall("duration"):
        note.remove(old)
    place = max((at for at, child in enumerate(note) if child.tag in _BEFORE_DURATION), default=-1) + 1
    new = Element("duration")
    new.text = decimal_text(duration)
    note.insert(place, new)
