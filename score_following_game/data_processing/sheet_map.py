"""NAME.map.json beside NAME.npz: which page, system, bar and beat is where on the sheet.

A piece may lack it: then the sheet is one system of one page, and bars are counted by the time signatures of the MIDI file.
"""

from __future__ import annotations

import bisect
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from score_following_game import limits
from score_following_game.data_processing import page_map
from score_following_game.data_processing.bars import BarCounter
from score_following_game.data_processing.piece import Piece, find_score, place_of_score
from score_following_game.data_processing.score_npz import beside_score
from score_following_game.files import replacing
from score_following_game.reading import read_bytes, reading

SUFFIX = ".map.json"
_REMEDY = "remove it, or make the piece again"


@dataclass(frozen=True)
class Bar:
    """A bar, where it is played.

    start: quarters from the beginning of the piece. name: its number in the score. beat: quarters per beat, the note value
    below in its time signature. first_beat: the beat at its start, from 1; more for an upbeat, which ends with the last beat.
    """

    start: float
    name: str
    beat: float = 1.0
    first_beat: float = 1.0


@dataclass(frozen=True)
class System:
    """A system of the sheet, as a part of a page.

    x: its first column in the sheet. page, number: of the page and of the system on it, from 1. left: the column of the page
    that x is. scale: pixels of the page per pixel of the sheet.
    """

    x: float
    page: int = 1
    number: int = 1
    left: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Place:
    """A place in the music. x: pixels of the page. bar, beat: None where the map does not know them; the beat is from 1 and
    has a fraction."""

    page: int
    system: int
    x: float
    bar: str | None = None
    beat: float | None = None


@dataclass(frozen=True)
class SheetMap:
    """The map of a sheet.

    systems: by x, at least one. onset_x, onset_quarters: of each onset of the score, in the order in which they are played: the
    x of its notehead, pixels of the sheet, which never falls, and quarters from the beginning; equally many. bars: by start.
    pages: of a sheet that was cut from pages: where its systems are, in the place of `systems`; it has a file of its own.
    """

    systems: tuple[System, ...] = (System(0.0),)
    onset_x: tuple[float, ...] = ()
    onset_quarters: tuple[float, ...] = ()
    bars: tuple[Bar, ...] = ()
    pages: page_map.PageMap | None = None

    @property
    def columns(self) -> list[float]:
        """The first column of each system, pixels of the sheet."""
        return [float(system.begin) for system in self.pages.systems] if self.pages else [system.x for system in self.systems]

    def place(self, x: float) -> Place:
        """The place of a position, pixels of the sheet. Between two onsets the music is taken to move evenly."""
        if not self.onset_x:
            return self._on_page(x, None)
        distinct, first = np.unique(np.maximum.accumulate(self.onset_x), return_index=True)
        return self._on_page(x, float(np.interp(x, distinct, np.asarray(self.onset_quarters)[first])))

    def place_of_onset(self, index: int) -> Place:
        """The place of an onset of the score, exactly."""
        return self._on_page(self.onset_x[index], self.onset_quarters[index])

    def _on_page(self, x: float, quarter: float | None) -> Place:
        bar, beat = (None, None) if quarter is None else self._bar(quarter)
        if self.pages:
            on_page = self.pages.place(x)
            return Place(on_page.page + 1, self.pages.systems[on_page.system].number, on_page.x, bar, beat)
        system = self.systems[max(bisect.bisect_right(self.columns, x) - 1, 0)]
        return Place(system.page, system.number, system.left + (x - system.x) * system.scale, bar, beat)

    def _bar(self, quarter: float) -> tuple[str | None, float | None]:
        if not self.bars:
            return None, None
        bar = self.bars[max(bisect.bisect_right([bar.start for bar in self.bars], quarter) - 1, 0)]
        return bar.name, max(0.0, quarter - bar.start) / bar.beat + bar.first_beat


def map_path(score: Path) -> Path:
    """The path of the map that belongs to NAME.npz."""
    return beside_score(score, SUFFIX)


def write_map(path: str | os.PathLike[str], sheet_map: SheetMap) -> None:
    """Write a map without its `pages`. Raises WriteError."""
    content = {name: value for name, value in asdict(sheet_map).items() if name != "pages"}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def read_map(path: Path) -> SheetMap:
    """Read a map. Raises UserError naming the file when it is none."""
    with reading(path, "no map of a sheet", _REMEDY):
        content = json.loads(read_bytes(path, limits.TABLE_FILE))
        read = SheetMap(
            tuple(System(**row) for row in content["systems"]),
            tuple(map(float, content["onset_x"])),
            tuple(map(float, content["onset_quarters"])),
            tuple(Bar(**row) for row in content["bars"]),
        )
        _require_sound(read)
    return read


def _require_sound(read: SheetMap) -> None:
    """Raise ValueError or TypeError for values that no sheet has."""
    if not read.systems or len(read.onset_x) != len(read.onset_quarters):
        raise ValueError("no system, or not as many x as quarters")
    columns = [system.x for system in read.systems]
    starts = [bar.start for bar in read.bars]
    for values in (columns, read.onset_x, read.onset_quarters, starts):
        if not np.isfinite(values).all() or (np.diff(values) < 0).any():
            raise ValueError("its numbers do not rise")
    sizes = [size for bar in read.bars for size in (bar.beat, bar.first_beat)] + [system.scale for system in read.systems]
    if not all(np.isfinite(size) and size > 0 for size in sizes):
        raise ValueError("a size that is not above 0")
    if not np.isfinite([system.left for system in read.systems]).all():
        raise ValueError("a column that is no number")
    if not all(isinstance(bar.name, str) for bar in read.bars):
        raise TypeError("the name of a bar is no text")
    if not all(isinstance(number, int) for system in read.systems for number in (system.page, system.number)):
        raise TypeError("the number of a page is no whole number")


def map_of(piece: Piece, fps: int) -> SheetMap:
    """The map of a piece; one counted by its MIDI file where it has no map of its own. fps: frames per second of the piece.

    Raises UserError for a broken map.
    """
    if piece.midi_path.suffix.lower() == ".mid":  # otherwise a piece without files, as of live following
        score = find_score(place_of_score(piece.midi_path))
        path, pages = map_path(score), page_map.map_path(score)
        if path.is_file():
            return _read_once(path, path.stat().st_mtime_ns)
        if pages.is_file():
            return SheetMap(pages=page_map.read_page_map(pages, piece.sheet.shape[1]))  # where its notes are is unknown
    return _counted_map(piece, fps)


@lru_cache(maxsize=16)
def _read_once(path: Path, mtime_ns: int) -> SheetMap:
    return read_map(path)


def _counted_map(piece: Piece, fps: int) -> SheetMap:
    x = np.maximum.accumulate(piece.onset_x.astype(np.float64))
    counter = BarCounter.of(piece.midi_path) if piece.midi_path.is_file() else None
    if counter is None:
        return SheetMap(onset_x=_numbers(x), onset_quarters=_numbers(np.arange(len(x))))
    quarters = counter.quarter(piece.onset_frames / fps * piece.tempo)
    bars = tuple(Bar(start, str(number), beat) for start, number, beat in counter.bars(float(quarters[-1])))
    return SheetMap(onset_x=_numbers(x), onset_quarters=_numbers(quarters), bars=bars)


def _numbers(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
