"""Ties of MusicXML: which note continues which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.reading import ReadNote

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
        """Returns the notes of a bar with `tied_to`. A note is tied to one of its pitch that ends when it begins."""
        elements = {note.get("id", ""): note for note in measure.iter("note")}
        joined: dict[str, ReadNote] = {}
        for note in sorted(notes, key=lambda note: note.onset):
            element = elements[note.id]
            voice = (element.findtext("voice") or "").strip()
            if note.pitch is not None and _has_tie(element, "stop") and (tie := self._taken(note, voice)) is not None:
                joined[note.id] = replace(note, tied_to=tie.note.id)
            if note.pitch is not None and _has_tie(element, "start"):
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


def _has_tie(note: Element, kind: str) -> bool:
    """True if <tie> or, where a file has only the printed ones, <tied> begins or ends at the note."""
    ties = note.findall("tie") or note.findall("notations/tied")
    return any(tie.get("type") == kind for tie in ties)
