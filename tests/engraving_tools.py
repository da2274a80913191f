"""Short ways from a text to an engraved piece."""

from __future__ import annotations

from pathlib import Path

import pytest
from musicxml_tools import TWO_STAVES, part, score

from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.notation import Melody
from score_following_game.data_preparation.engraving.abc.reading import reading_of
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei
from score_following_game.data_preparation.engraving.abc.tune_book import read_tune_book
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.importing import import_score
from score_following_game.data_preparation.engraving.playing import WHOLE, Playing
from score_following_game.data_preparation.engraving.style import STYLES, Style
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_preparation.engraving.verovio.mei import clean_mei

ONE, TWO = STYLES["nottingham"], STYLES["msmd"]


def engraved(name: str, text: str, style: Style = ONE, playing: Playing = WHOLE, tempo: float = 100.0) -> EngravedPiece:
    """The piece of a score in the format of the name's suffix. tempo: where the score states none."""
    mei, reading = import_score(Path(name), text, playing)
    return engrave(clean_mei(mei, style), style, reading, tempo)


def cleaned(name: str, text: str, style: Style = ONE, playing: Playing = WHOLE) -> str:
    """The MEI that is engraved."""
    return clean_mei(import_score(Path(name), text, playing)[0], style)


def melody_of(abc: str) -> Melody:
    return read_melody(read_tune_book(abc)[0])


def engraved_melody(melody: Melody, tempo: float = 100.0) -> EngravedPiece:
    return engrave(melody_to_mei(melody), ONE, reading_of(melody, None), tempo)


def notes_of(piece: EngravedPiece) -> list[tuple[float, int]]:
    """(onset in quarters, pitch) of each note."""
    return [(float(note.onset), note.pitch) for note in piece.notes]


def musicxml(*bars: str, **options: object) -> EngravedPiece:
    return engraved("x.musicxml", score(part(*bars, **options)))  # type: ignore[arg-type]


def piano(*bars: str, **options: object) -> EngravedPiece:
    return engraved("x.musicxml", score(part(*bars, staves=TWO_STAVES, **options)), TWO)  # type: ignore[arg-type]


def assert_notes(piece: EngravedPiece, expected: list[tuple[float, int]]) -> None:
    assert [pitch for _, pitch in notes_of(piece)] == [pitch for _, pitch in expected]
    assert [onset for onset, _ in notes_of(piece)] == pytest.approx([onset for onset, _ in expected])
