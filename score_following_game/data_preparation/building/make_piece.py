"""Making one piece: engrave a source, check it, and write NAME.npz, NAME.mid and its other performances."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from score_following_game import limits
from score_following_game.data_preparation.building.duplicates import fragments, melody_key
from score_following_game.data_preparation.building.held_out import held_out_piece
from score_following_game.data_preparation.building.make_pages import make_pages
from score_following_game.data_preparation.building.sources import Performance, Source, read_bytes, read_text, score_text
from score_following_game.data_preparation.engraving.abc.fields import quarter_tempo
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.reading import reading_of
from score_following_game.data_preparation.engraving.abc.repeats import tune_in_order
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError, Tune
from score_following_game.data_preparation.engraving.checks import check_piece
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.importing import import_score
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
from score_following_game.data_preparation.engraving.mei.movements import one_movement
from score_following_game.data_preparation.engraving.playing import HANDS, ONCE, PIANO, WHOLE, Playing
from score_following_game.data_preparation.engraving.reading_order import hold_falling_x, sheet_map
from score_following_game.data_preparation.engraving.style import STYLES, Style
from score_following_game.data_preparation.engraving.verovio.accidentals import print_what_sounds
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_preparation.engraving.verovio.key_signatures import draw_naturals
from score_following_game.data_preparation.engraving.verovio.layout import parse_mei
from score_following_game.data_preparation.engraving.verovio.mei import clean_mei
from score_following_game.data_preparation.engraving.xml_text import xml_text
from score_following_game.data_preparation.errors import UNREADABLE, EngravingError
from score_following_game.data_preparation.msmd.piece import read_msmd_piece
from score_following_game.data_preparation.performances.joining import join
from score_following_game.data_preparation.performances.match_file import read_match
from score_following_game.data_processing.score_npz import write_score
from score_following_game.data_processing.sharp_sheet import SUFFIX, write_sharp
from score_following_game.data_processing.sheet_map import SUFFIX as MAP_SUFFIX
from score_following_game.data_processing.sheet_map import write_map
from score_following_game.data_processing.tempo import scale_tempo, tempo_suffix
from score_following_game.data_processing.written_score import SUFFIX as WRITTEN_SUFFIX
from score_following_game.data_processing.written_score import write_written
from score_following_game.errors import UserError
from score_following_game.files import file_digest, make_folder, replacing


@dataclass(frozen=True)
class PieceTask:
    """One piece to make.

    style: a key of STYLES; "" for pages whose staves say it.  folder: where its files are written.  time_limit: seconds.
    tempi: factors of the score's speed for its performances; they include 1.0.
    recording: audio file to use as the performance instead of the score's MIDI.
    playing: what of the score is engraved, and in which order.
    held_out: a set; note if it is the music of one of its validation or test pieces.
    staff: for pages, which staff of each system, 1 is the highest; 0: all of them.
    minutes_of_music: how long a recording may last.
    """

    source: Source
    style: str
    folder: Path
    time_limit: float = 120.0
    tempi: tuple[float, ...] = (1.0,)
    recording: Path | None = None
    playing: Playing = WHOLE
    held_out: str = ""
    staff: int = 0
    minutes_of_music: float = field(default_factory=limits.minutes_of_music)


@dataclass(frozen=True)
class PieceFacts:
    """Facts about a finished piece, so that the builder need not load it.

    melody, fragments: see duplicates.py.  seconds: length of the performance at tempo 1.0.  tempo: quarters per minute.
    systems: x of each system's start, pixels.  checks: measurements of checks.check_piece.
    files: rest of a file's name after NAME -> SHA-256 of the file as written.
    recording: the fields of retiming.RecordingFacts, or {"refused": reason} when the recording is not used.
    held_out: the validation or test piece of another set whose music it is, if that was looked for.
    style: of pages, a key of STYLES; "": that of the task.  remarks: what is odd about the pages, a phrase each.
    """

    melody: str
    fragments: str
    seconds: float
    notes: int
    tempo: float
    systems: list[int]
    files: dict[str, str]
    checks: dict[str, float] = field(default_factory=dict)
    recording: dict[str, Any] | None = None
    held_out: str = ""
    style: str = ""
    remarks: list[str] = field(default_factory=list)


def make_piece(task: PieceTask) -> PieceFacts:
    """Engrave and check a piece and write its files; runs in a child process.

    Raises EngravingError, without leaving files behind, when the piece has to be left out.
    """
    limits.set_minutes_of_music(task.minutes_of_music)
    make_folder(task.folder)
    if task.source.pages:
        return _of_pages(task)
    piece, checks = engrave_source(task.source, STYLES[task.style], task.time_limit, task.folder, task.playing)
    stem = task.folder / task.source.name
    written = {".npz": stem.with_name(f"{stem.name}.npz")}
    try:
        write_score(written[".npz"], piece.score)
        written[".mid"] = stem.with_name(f"{stem.name}.mid")
        with replacing(written[".mid"]) as temporary:
            temporary.write_bytes(piece.midi)
        if piece.sharp is not None:
            written[SUFFIX] = stem.with_name(stem.name + SUFFIX)
            write_sharp(written[SUFFIX], piece.sharp)
        written[MAP_SUFFIX] = stem.with_name(stem.name + MAP_SUFFIX)
        write_map(written[MAP_SUFFIX], sheet_map(piece))
        if piece.written is not None:
            written[WRITTEN_SUFFIX] = stem.with_name(stem.name + WRITTEN_SUFFIX)
            write_written(written[WRITTEN_SUFFIX], piece.written)
        recorded = _record(task, written)
        for tempo in () if ".wav" in written else task.tempi:
            if tempo != 1.0:
                suffix = f"{tempo_suffix(tempo)}.mid"
                written[suffix] = stem.with_name(stem.name + suffix)
                with replacing(written[suffix]) as temporary:
                    temporary.write_bytes(_at_tempo(piece.midi, tempo))
    except BaseException:
        for file in written.values():
            file.unlink(missing_ok=True)
        raise
    heard = recorded if recorded and "refused" not in recorded else None
    return PieceFacts(
        melody_key(piece.notes),
        fragments(piece.notes),
        round(heard["seconds"] if heard else piece.seconds, 3),
        len(piece.notes),
        round(piece.tempo, 3),
        piece.systems,
        {suffix: file_digest(file) for suffix, file in written.items()},
        checks,
        recorded,
        held_out_piece(piece.notes, task.held_out) if task.held_out else "",
    )


def _of_pages(task: PieceTask) -> PieceFacts:
    if task.source.problem:
        raise EngravingError(UNREADABLE, task.source.problem)
    source = task.source
    made = make_pages(source.path, source.pages, task.folder / source.name, task.style, task.staff, task.recording)
    files = {suffix: file_digest(file) for suffix, file in made.written.items()}
    return PieceFacts("", "", round(made.seconds, 3), 0, 0.0, made.systems, files, style=made.style, remarks=made.remarks)


def _at_tempo(midi: bytes, tempo: float) -> bytes:
    try:
        return scale_tempo(midi, tempo)
    except UserError as error:
        raise EngravingError("tempo out of MIDI's range", str(error)) from None


def _record(task: PieceTask, written: dict[str, Path]) -> dict[str, Any] | None:
    """Replace the score's performance by the task's recording, if it fits. Returns PieceFacts.recording."""
    if task.recording is None:
        return None
    from score_following_game.data_preparation.recordings.retiming import record_piece  # slow to import, and rarely needed

    audio = written[".mid"].with_suffix(".wav")
    try:
        facts = record_piece(written[".mid"], task.recording, written[".mid"], audio)
    except EngravingError as error:
        return {"refused": f"{error.reason}: {error.detail}"}
    written[".wav"] = audio
    return asdict(facts)


def engrave_source(
    source: Source,
    style: Style,
    time_limit: float = 120.0,
    work: Path | None = None,
    playing: Playing = WHOLE,
) -> tuple[EngravedPiece, dict[str, float]]:
    """Engrave and check one source.

    time_limit: seconds, for LilyPond.  work: folder for temporary files.  playing: what of the score.
    Returns the piece and the measurements of its checks. Raises EngravingError when the piece has to be left out.
    """
    if source.problem:
        raise EngravingError(UNREADABLE, source.problem)
    if source.tune is not None:
        return _engrave_tune(source.tune, source.name, style, playing)
    if source.performance is not None:
        return _perform(source, source.performance, style)
    piece: EngravedPiece
    if source.path.is_dir():
        piece = read_msmd_piece(source.path)
    elif source.path.suffix.lower() == ".ly":
        piece = engrave_lilypond(source.path, style, time_limit, source.root or source.path.parent, work, playing)
    else:
        text = score_text(source.path)
        text = one_movement(text, source.movement) if source.movement else text
        mei, reading = import_score(source.path, text, playing)
        reading = reading.with_plausible_tempi()
        piece = engrave(clean_mei(mei, style), style, reading, default_tempo(source.name))
    piece = hold_falling_x(piece, style)
    return piece, check_piece(piece, style)


def _engrave_tune(tune: Tune, name: str, style: Style, playing: Playing) -> tuple[EngravedPiece, dict[str, float]]:
    if playing.part.lower() in (PIANO, *HANDS):
        raise EngravingError("no such part", "a voice of an ABC tune is no piano part; name the voice, or its number from 1")
    try:
        if playing.repeats == ONCE and not playing.bars:
            melody = read_melody(tune, playing.part or None)
            mei, reading = melody_to_mei(melody), reading_of(melody, quarter_tempo(tune))
        else:
            mei, reading = tune_in_order(tune, playing)
    except AbcError as error:
        raise EngravingError("unreadable ABC", str(error)) from None
    root = parse_mei(mei)
    draw_naturals(root)
    print_what_sounds(root)  # a sign may have been on a note of a chord that is left out
    piece = engrave(xml_text(root), style, reading.with_plausible_tempi(), default_tempo(name))
    return piece, check_piece(piece, style)


def _perform(source: Source, performance: Performance, style: Style) -> tuple[EngravedPiece, dict[str, float]]:
    """The engraved score with the notes of a human performance. Raises EngravingError; see also `join`."""
    try:
        match, midi = read_match(read_text(performance.match)), read_bytes(performance.midi)
        piece, checks = _engraved_once(replace(source, name=source.path.stem, digest="", performance=None), style)
    except UserError as error:
        raise EngravingError("unreadable", str(error)) from None
    performed = join(piece, match, midi)
    return performed.piece, checks | performed.counts


@lru_cache(maxsize=1)
def _engraved_once(source: Source, style: Style) -> tuple[EngravedPiece, dict[str, float]]:
    """`engrave_source`, kept for the next performances of the same score, which a child process makes one after another."""
    return engrave_source(source, style)


def default_tempo(name: str) -> float:
    """The tempo of a score of usual notes that states none: 90 to 130 quarters per minute, by a hash of its name."""
    return 90.0 + int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 401 / 10
