"""Ties of MusicXML: which note continues which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.read_bar import ReadNote

_KINDS = {  # (which end, whether of a partial tie) -> types of ties
    ("start", False): ("start", "continue"),
    ("stop", False): ("stop", "continue"),
    ("start", True): ("start", "continue", "let-ring"),
    ("stop", True): ("stop", "continue"),
}

Element = ElementTree.Element


@dataclass(frozen=True)
class _Open:
    """A note that asks to be tied on. end: quarters after the beginning of the present bar; 0 at the bar line."""

    note: ReadNote
    end: Fraction
    voice: str


class Ties:
    """The open ties of a part."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._length = Fraction(0)

    def begin_bar(self) -> None:
        """Keep the ties that reach the bar line."""
        self._open = [replace(tie, end=Fraction(0)) for tie in self._open if tie.end == self._length]

    def join(self, notes: Sequence[ReadNote], measure: Element, length: Fraction) -> list[ReadNote]:
        """Returns the notes of a bar with their ties. A note is tied to one of its pitch that ends when it begins."""
        elements = {note.get("id", ""): note for note in measure.iter("note")}
        joined: dict[str, ReadNote] = {}
        for note in sorted(notes, key=lambda note: note.onset):
            element = elements[note.id]
            voice = (element.findtext("voice") or "").strip()
            if note.pitch is None:
                continue
            begins, ends = (_has_tie(element, kind, partial=True) for kind in ("start", "stop"))
            tie = self._taken(note, voice) if _has_tie(element, "stop") else None
            joined[note.id] = replace(note, tied_to=tie.note.id if tie else "", begins_tie=begins, ends_tie=ends)
            if _has_tie(element, "start"):
                self._open.append(_Open(note, note.onset + note.duration, voice))
        self._length = length
        return [joined.get(note.id, note) for note in notes]

    def _taken(self, note: ReadNote, voice: str) -> _Open | None:
        """The open tie for a note, preferably of its voice and staff, which is then closed."""
        fitting = [tie for tie in self._open if tie.end == note.onset and tie.note.pitch == note.pitch]
        if not fitting:
            return None
        best = min(fitting, key=lambda tie: (tie.voice != voice, tie.note.staff != note.staff))
        self._open.remove(best)
        return best


def _has_tie(note: Element, kind: str, partial: bool = False) -> bool:
    """True if <tie> or, where a file has only the printed ones, <tied> begins or ends at the note.

    partial: also if that is only printed, as at the beginning of a second ending.
    """
    sounding, printed = note.findall("tie"), note.findall("notations/tied")
    ties = [*sounding, *printed] if partial else sounding or printed
    return any(tie.get("type") in _KINDS[kind, partial] for tie in ties)
