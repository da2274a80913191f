"""Whole rests that stand for a bar which is shorter than four quarters, with the duration of a whole note."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.musicxml.chords import decimal_text
from score_following_game.data_preparation.engraving.musicxml.document import Part
from score_following_game.data_preparation.engraving.musicxml.metered_bars import metered_bars, quarters_of

Element = ElementTree.Element


@dataclass
class _Voice:
    """What stands between two <backup>s. start, end: quarters.  back: the <backup> after it."""

    start: Fraction
    end: Fraction
    content: list[Element] = field(default_factory=list)
    back: Element | None = None

    @property
    def is_rest(self) -> bool:
        return not self.start and len(self.content) == 1 and self.content[0].find("rest") is not None

    @property
    def is_measure_rest(self) -> bool:
        rest = self.content[0].find("rest") if self.is_rest else None
        return rest is not None and rest.get("measure") == "yes"

    def shorten(self, duration: Fraction) -> None:
        """Let the rest, and a way back as long as the rest, last so many divisions."""
        long = self.content[0].findtext("duration")
        for element in (self.content[0], self.back):
            stated = element.find("duration") if element is not None else None
            if stated is not None and stated.text == long:
                stated.text = decimal_text(duration)


def shorten_rests(parts: Sequence[Part]) -> None:
    """Let a rest that is alone in its voice, and longer than the bar that the other voices fill, last as long as the bar.

    In a bar without music the file counts, since that bar may be longer than others, but not for a rest that says that it is
    the bar's (measure="yes").
    """
    for measures in metered_bars(parts):
        if len({full for _, full, _ in measures}) > 1:
            continue
        voices = [(voice, full, divisions) for measure, full, divisions in measures for voice in _voices(measure, divisions)]
        long = [(voice, full, divisions) for voice, full, divisions in voices if full and voice.is_rest and voice.end > full]
        music = max((voice.end for voice, _, _ in voices if not voice.is_rest), default=Fraction(0))
        for voice, full, divisions in long:
            if music == full or (not music and voice.is_measure_rest):
                voice.shorten(full * divisions)


def _voices(measure: Element, divisions: Fraction) -> Iterator[_Voice]:
    voice = _Voice(Fraction(0), Fraction(0))
    for element in measure:
        if element.tag == "backup":
            voice.back = element
            yield voice
            start = max(voice.end - quarters_of(element, divisions), Fraction(0))
            voice = _Voice(start, start)
        elif element.tag == "forward" or (
            element.tag == "note" and element.find("grace") is None and element.find("chord") is None
        ):
            voice.content.append(element)
            voice.end += quarters_of(element, divisions)
    yield voice
