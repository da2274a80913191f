"""Reads MusicXML, MEI and Humdrum twice: by the engraver, into MEI, and by the file's own arithmetic, into a Reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from score_following_game.data_preparation.engraving.bar_marks import WITHOUT_REPEATS, BarMarks
from score_following_game.data_preparation.engraving.humdrum.arithmetic import read_humdrum
from score_following_game.data_preparation.engraving.humdrum.order import expansion, repeat_marks
from score_following_game.data_preparation.engraving.long_rests import write_out_rests
from score_following_game.data_preparation.engraving.mei.arithmetic import read_mei
from score_following_game.data_preparation.engraving.mei.expansion import expansion_order
from score_following_game.data_preparation.engraving.mei.marks import marks_of
from score_following_game.data_preparation.engraving.musicxml.arithmetic import read_musicxml
from score_following_game.data_preparation.engraving.playing import WHOLE, WRITTEN, Playing
from score_following_game.data_preparation.engraving.reading import Reading
from score_following_game.data_preparation.engraving.verovio.abbreviations import write_out
from score_following_game.data_preparation.engraving.verovio.accidentals import MEI
from score_following_game.data_preparation.engraving.verovio.clefs import draw_first_clefs, drop_replaced_in_definitions
from score_following_game.data_preparation.engraving.verovio.crossing import bring_home
from score_following_game.data_preparation.engraving.verovio.layout import convert_to_mei, parse_mei
from score_following_game.data_preparation.engraving.verovio.mending import (
    draw_time_signatures,
    end_with_part,
    mend,
    silence_heads,
)
from score_following_game.data_preparation.engraving.verovio.ordering import lay_in_order
from score_following_game.data_preparation.engraving.verovio.parts import choose_part, drop_rare_staves
from score_following_game.data_preparation.engraving.xml_text import xml_text
from score_following_game.data_preparation.errors import EngravingError

_READERS: dict[str, Callable[[str], tuple[str, Reading]]] = {
    "humdrum": read_humdrum,
    "mei": read_mei,
    "musicxml": read_musicxml,
}


def import_score(path: Path, text: str, playing: Playing = WHOLE) -> tuple[str, Reading]:
    """Read MusicXML, MEI or Humdrum text. The suffix of `path` and the root element give the format.

    Returns the engraver's MEI, mended to agree with the file, and the reading. The MEI has the measures to be played, in their
    order, with ids from bar-0 on that say which bar of the reading each is.

    Raises EngravingError if the text is truncated or in none of these formats, and if the engraver's MEI cannot be made to
    agree with the file.
    """
    try:
        return _import(_form(path, text), text, playing)
    except RecursionError:
        raise EngravingError("unreadable", "its elements are nested too deeply") from None


def _import(form: str, text: str, playing: Playing) -> tuple[str, Reading]:
    prepared, reading = _READERS[form](text)
    if playing.repeats == WRITTEN and not playing.bars:
        reading = _with_order(reading, prepared if form == "mei" else text, form)
    root = parse_mei(convert_to_mei(prepared, form))
    if form == "humdrum":
        write_out_rests(root, MEI)
        draw_time_signatures(root)
    write_out(root)
    drop_replaced_in_definitions(root)
    draw_first_clefs(root)
    if form == "musicxml":
        bring_home(root)
    else:
        reading = silence_heads(root, reading)  # MusicXML names more shapes than the engraver
    reading = drop_rare_staves(root, mend(root, reading))
    order = playing.order(reading, _marks(root, reading, form))
    if playing.part:
        reading = end_with_part(root, choose_part(root, reading, playing.part))
    for bar in reading.bars:
        bar.require_in_step()
    _require_notes(reading)
    lay_in_order(root, order, reading)
    return xml_text(root), reading


def _marks(root: ElementTree.Element, reading: Reading, form: str) -> list[BarMarks]:
    """The marks in the engraver's MEI. Of MusicXML, whose other marks the reading has, only the endings, which may stand in any
    part; the engraver takes those of the first one.
    """
    if form == "musicxml":
        return [BarMarks(ending=mark.ending) for mark in reading.marks]
    return marks_of(root, reading.bars, attached=form == "humdrum")


def _require_notes(reading: Reading) -> None:
    if not any(note.pitch is not None for bar in reading.bars for note in bar.notes):
        unplayed = reading.unplayed(range(len(reading.bars)))
        raise EngravingError("no notes", f"none can be played; {unplayed[0][1]}: {unplayed[0][0]}" if unplayed else "")


def _with_order(reading: Reading, text: str, form: str) -> Reading:
    """Add the order that an expansion of MEI or Humdrum lists, and the repeat signs of Humdrum."""
    if form == "mei":
        written = expansion_order(text, reading.bars)
        return replace(reading, written=None if written is None else tuple(written))
    if form == "humdrum":
        orders = expansion(text)
        written = _with_repeats(orders or {})
        return replace(reading, written=None if written is None else tuple(written), marks=repeat_marks(text))
    return reading


def _with_repeats(orders: Mapping[str, list[int]]) -> list[int] | None:
    """Of the orders of a Humdrum file the one without a name, else the first; None if it has only one without repeats."""
    names = [name for name in sorted(orders, key=bool) if name != WITHOUT_REPEATS]
    return orders[names[0]] if names else None


def _form(path: Path, text: str) -> str:
    if path.suffix.lower() == ".krn":
        return "humdrum"
    try:
        name = ElementTree.fromstring(text.lstrip()).tag.rpartition("}")[2]
    except ElementTree.ParseError as error:
        raise EngravingError("unreadable", f"not well-formed XML: {error}") from None
    if name not in ("score-partwise", "score-timewise", "mei"):
        raise EngravingError("unreadable", f"neither MusicXML nor MEI: its root element is {name}")
    return "mei" if name == "mei" else "musicxml"
