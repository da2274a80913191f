"""A piece: a long sheet image, the positions of its notes, and a performance of it."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from score_following_game.config import BANDS, GameConfig, suitable_configs
from score_following_game.data_processing.midi_files import read_midi
from score_following_game.data_processing.note_table import NoteTable
from score_following_game.data_processing.page_map import map_path, read_page_map
from score_following_game.data_processing.performance import (
    load_performance,
    load_sound,
    silent_performance,
)
from score_following_game.data_processing.score_npz import Score, read_score
from score_following_game.data_processing.sound_files import performance_source
from score_following_game.errors import UserError

SCORES, PERFORMANCES = "score", "performance"  # the two folders of a set in the layout of 2019
_TEMPO_VARIANT = re.compile(r"(.+)_tempo_\d{4}")  # thousandths of the score's speed


@dataclass(frozen=True)
class Piece:
    """One piece as it is on disk, without padding.

    Attributes:
        name: Unique within its data set.
        sheet: uint8 (H, W), 0 = ink, 255 = paper: the score as one long staff system.
        onset_frames: int64 (K,), ascending and distinct: the frames in which notes begin.
        onset_x: float32 (K,): x of the notehead that sounds in each of these frames, pixels.
        spectrogram: float32 (78, frames).
        midi_path: The MIDI file with the onsets.
        source: The file with the sound: a recording, a precomputed spectrogram or the MIDI file.
        tempo: How many times as fast as written the MIDI file is played.
        remarks: What is odd about its files or left out of them, a phrase each.
        heard_for: The game config it was loaded for, whose audio settings count; None: unknown.
        timed: Whether it is known when its notes are played. A piece that is not timed can be followed, not judged: it has one
            entry in onset_frames, the frame at which its sound ends, and one in onset_x, the x of its first note.
        begins: Seconds of the recording, as it was given, before the sound of the piece.
        notes: What training to read and to hear needs; None: not asked for when it was loaded, or unknown.
    """

    name: str
    sheet: np.ndarray
    onset_frames: np.ndarray
    onset_x: np.ndarray
    spectrogram: np.ndarray
    midi_path: Path
    source: Path
    tempo: float = 1.0
    heard_for: GameConfig | None = None
    remarks: tuple[str, ...] = ()
    timed: bool = True
    begins: float = 0.0
    notes: NoteTable | None = None

    @property
    def x_falls(self) -> int:
        """How many times x decreases from one onset to the next."""
        return int((np.diff(self.onset_x) < 0).sum())


class ScoreReader:
    """Reads each score once, from any number of threads, so that performances of one score share its sheet array."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}
        self._scores: dict[Path, Score] = {}

    def read(self, path: Path) -> Score:
        """Like `read_score`, from the second time on without reading the file."""
        with self._lock:
            own_lock = self._locks.setdefault(path, threading.Lock())
        with own_lock:
            if path not in self._scores:
                self._scores[path] = read_score(path)
            return self._scores[path]


def load_piece(
    score_path: Path,
    config: GameConfig,
    sound_font: Path | None = None,
    name: str | None = None,
    reader: ScoreReader | None = None,
    tempo: float = 1.0,
    silent: bool = False,
    note_table: bool = False,
) -> Piece:
    """Read NAME.npz, NAME.mid and the performance in the folder of the MIDI file.

    score_path: NAME.npz, or for a tempo variant the path its own npz would have. reader: makes pieces of one score share its
    sheet array. tempo: plays the MIDI file this many times as fast. silent: a MIDI file is not played, and the spectrogram has
    no frames. note_table: also read the MIDI file for `notes`, which takes a while. Raises UserError naming the file: it is
    missing or unreadable, has no notes, its note indices or its sheet do not fit, or it is a recording but `tempo` is not 1.
    """
    midi_path, score_path = find_midi(score_path), find_score(score_path)
    if not score_path.is_file():
        raise UserError(f"{midi_path}: its score {os.path.relpath(score_path, midi_path.parent)} is missing")
    score = (reader or ScoreReader()).read(score_path)
    _require_height(score_path, score, config)
    if not score.has_notes:
        return _load_pages(score_path, score, config, name, silent)
    if not midi_path.is_file():
        raise UserError(f"{score_path}: its performance {os.path.relpath(midi_path, score_path.parent)} is missing")
    if silent and performance_source(midi_path) == midi_path:
        performance = silent_performance(midi_path, tempo)
    else:
        performance = load_performance(midi_path, config, sound_font, tempo)
    note_frames = onset_frames(performance.onsets, config.spectrogram_params.fps)
    frames, x = merge_onsets(score, note_frames, score_path)
    return Piece(
        name or midi_path.stem,
        score.sheet,
        frames,
        x,
        performance.spectrogram,
        midi_path,
        performance.source,
        tempo,
        config,
        performance.remarks,
        notes=_note_table(midi_path, tempo, score, config.spectrogram_params.fps) if note_table else None,
    )


def untimed(piece: Piece) -> Piece:
    """The piece, as if it were not known when its notes are played. Its game lasts as long as its sound."""
    frames = np.array([max(piece.spectrogram.shape[1], 1)], np.int64)
    return replace(piece, onset_frames=frames, onset_x=piece.onset_x[:1], timed=False)


def load_untimed_piece(
    score_path: Path, config: GameConfig, first_x: float, name: str | None = None, silent: bool = False
) -> Piece:
    """Read NAME.npz and the recording beside it, of which it is not known when it plays the notes. There is no MIDI file.

    first_x: x of the first note, pixels. silent: the recording is not read, and may be missing. Raises UserError as load_piece,
    and where there is no recording.
    """
    score, midi_path = read_score(score_path), score_path.with_suffix(".mid")
    _require_height(score_path, score, config)
    source = performance_source(midi_path)
    if source == midi_path and not silent:
        raise UserError(f"{score_path}: has no notes and no recording; put {score_path.stem}.wav beside it")
    spectrogram, remarks = (np.zeros((BANDS, 1), np.float32), ()) if silent else load_sound(source, config)
    return untimed(
        Piece(
            name or score_path.stem,
            score.sheet,
            np.zeros(1, np.int64),
            np.array([first_x], np.float32),
            spectrogram,
            midi_path,
            source,
            heard_for=config,
            remarks=remarks,
        )
    )


def _load_pages(path: Path, score: Score, config: GameConfig, name: str | None, silent: bool) -> Piece:
    """A piece made of pages, with the recording beside it."""
    has_map = map_path(path).is_file()
    first_x = read_page_map(map_path(path), score.sheet.shape[1]).first_x if has_map else 0.0
    return load_untimed_piece(path, config, first_x, name, silent)


def _require_height(path: Path, score: Score, config: GameConfig) -> None:
    """Raise UserError for a sheet lower than the config's window."""
    height = score.sheet.shape[0]
    if height < config.staff_height:
        raise UserError(
            f"{path}: sheet is {height} px high, the game config needs staff_height {config.staff_height}; choose a config "
            "that fits this data set" + "".join(f", for instance {name}" for name in suitable_configs(height)[:1])
        )


def _note_table(midi_path: Path, tempo: float, score: Score, fps: int) -> NoteTable:
    from score_following_game.data_processing.acoustics.performing import Notes  # imports pretty_midi, which is slow

    notes = Notes.of(read_midi(midi_path, tempo))
    return NoteTable.of(score, onset_frames(notes.start, fps), notes.pitch)


def can_be_performed(piece: Piece) -> bool:
    """Whether a piece's sound is made from its MIDI file; recordings and medleys cannot be performed again."""
    return piece.source == piece.midi_path and piece.midi_path.suffix.lower() in (".mid", ".midi")


def find_score(own: Path) -> Path:
    """The score that a piece is a performance of: its own npz, or for NAME_tempo_0900 without one that of NAME."""
    variant = _TEMPO_VARIANT.fullmatch(own.stem)
    if variant is None or own.is_file():
        return own
    played = own.with_name(f"{variant[1]}.npz")
    return played if played.is_file() else own


def is_tempo_variant(name: str) -> bool:
    """Returns True if a name is that of a tempo variant, which may have the score of another piece."""
    return _TEMPO_VARIANT.fullmatch(name) is not None


def find_midi(own: Path) -> Path:
    """The MIDI file of the piece with this npz path; where there is none, the path it should have."""
    performances = own.parent.parent / PERFORMANCES
    in_pair = own.parent.name == SCORES and performances.is_dir()
    folders = [performances, own.parent] if in_pair else [own.parent]
    candidates = [folder / f"{own.stem}{suffix}" for folder in folders for suffix in (".mid", ".MID")]
    return next((path for path in candidates if path.is_file()), candidates[0])


def place_of_score(path: Path) -> Path:
    """The npz path for a file of a piece (npz, MIDI or recording): beside it, or in the score folder."""
    beside = path.with_suffix(".npz")
    scores = path.parent.parent / SCORES
    if path.parent.name == PERFORMANCES and scores.is_dir() and not beside.is_file():
        return scores / beside.name
    return beside


def onset_frames(seconds: np.ndarray, fps: int) -> np.ndarray:
    """Convert float64 (n,) seconds to int64 (n,) frames, rounded up."""
    return np.ceil(seconds * fps).astype(np.int64)


def merge_onsets(score: Score, note_frames: np.ndarray, where: Path) -> tuple[np.ndarray, np.ndarray]:
    """Choose one notehead per onset frame: the first in notehead order.

    note_frames: int64 (notes,), the frame of each note of the MIDI file in order of onset time. Returns the frames, int64 (K,)
    ascending, and the noteheads' x, float32 (K,) pixels. Raises UserError when coord2onset refers to a note that the MIDI
    file does not have.
    """
    pairs = score.coord2onset[np.argsort(score.coord2onset[:, 0], kind="stable")]
    wrong = pairs[(pairs[:, 1] < 0) | (pairs[:, 1] >= len(note_frames))]
    if len(wrong):
        raise UserError(
            f"{where}: notehead {wrong[0, 0]} shows note {wrong[0, 1]}, but the MIDI has {len(note_frames)} "
            "notes; the two files do not belong together"
        )
    frames, first = np.unique(note_frames[pairs[:, 1]], return_index=True)
    return frames, score.coords[pairs[first, 0], 1]
