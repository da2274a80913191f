"""One source -> NAME.npz, NAME.mid and what else is heard of it, checked. Runs in a child process."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from score_following_game.config import PACKAGE
from score_following_game.data_preparation.building.duplicates import fragments, melody_key
from score_following_game.data_preparation.building.sources import Source, score_text
from score_following_game.data_preparation.engraving.abc.fields import quarter_tempo
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei
from score_following_game.data_preparation.engraving.abc.tune_book import AbcError
from score_following_game.data_preparation.engraving.checks import check_agreement, check_piece
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.lilypond.contained import lilypond_version
from score_following_game.data_preparation.engraving.lilypond.piece import engrave_lilypond
from score_following_game.data_preparation.engraving.style import STYLES, Style
from score_following_game.data_preparation.engraving.verovio.engrave import engrave
from score_following_game.data_preparation.engraving.verovio.layout import import_score
from score_following_game.data_preparation.engraving.verovio.mei import clean_mei
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.msmd.piece import read_msmd_piece
from score_following_game.data_preparation.recordings.pairing_and_retiming import record_piece
from score_following_game.data_processing.score_npz import write_score
from score_following_game.data_processing.tempo import scale_tempo, tempo_suffix
from score_following_game.errors import UserError
from score_following_game.files import file_digest, make_folder, replacing

# Modules that make every piece, relative to the package; part of a piece's fingerprint.
_MODULES = (
    "data_preparation/errors.py",
    "data_preparation/engraving/*.py",
    "data_preparation/engraving/abc/*.py",
    "data_preparation/engraving/verovio/*.py",
    "data_preparation/building/make_piece.py",
    "data_preparation/building/duplicates.py",
    "data_processing/score_npz.py",
    "data_processing/tempo.py",
)
_LILYPOND_MODULES = ("data_preparation/engraving/lilypond/*",)
_MSMD_MODULES = ("data_preparation/msmd/*.py",)
_RECORDING_MODULES = ("data_preparation/recordings/*.py", "data_processing/audio.py", "data_processing/spectrogram.py")
PLAUSIBLE_TEMPO = (40.0, 240.0)  # quarters per minute; another tempo in a score is taken for a mistake


@dataclass(frozen=True)
class PieceTask:
    """A source, the style's name, the folder its files go to; time_limit in seconds.

    tempi: it is played at these times the score's speed, 1.0 among them.  recording: it is played as recorded there instead.
    """

    source: Source
    style: str
    folder: Path
    time_limit: float = 120.0
    tempi: tuple[float, ...] = (1.0,)
    recording: Path | None = None


@dataclass(frozen=True)
class PieceFacts:
    """What the data-set builder needs to know of a piece it does not load.

    melody, fragments: see melody.py.  tempo: quarters per minute.  systems: x of each system's start.  checks: what was
    measured (checks.check_piece).  files: what follows NAME in a file's name -> SHA-256 of the file as written.
    recording: how well the recording fits (recordings.RecordingFacts), or why it is "refused" and the score is heard.
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


def make_piece(task: PieceTask) -> PieceFacts:
    """Engrave, check, write. Raises EngravingError with the reason a piece is left out; then nothing is written."""
    make_folder(task.folder)
    piece, checks = engrave_source(task.source, STYLES[task.style], task.time_limit, task.folder)
    stem = task.folder / task.source.name
    written = {".npz": stem.with_name(f"{stem.name}.npz")}
    try:
        write_score(written[".npz"], piece.score)
        written[".mid"] = stem.with_name(f"{stem.name}.mid")
        with replacing(written[".mid"]) as temporary:
            temporary.write_bytes(piece.midi)
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
    )


def _at_tempo(midi: bytes, tempo: float) -> bytes:
    try:
        return scale_tempo(midi, tempo)
    except UserError as error:
        raise EngravingError("tempo out of MIDI's range", str(error)) from None


def _record(task: PieceTask, written: dict[str, Path]) -> dict[str, Any] | None:
    """Put the recording and its timing in the place of the score's, where it is one of the score -> how well it fits, or why
    it does not."""
    if task.recording is None:
        return None
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
) -> tuple[EngravedPiece, dict[str, float]]:
    """The piece of one source, and what the checks that it passed measured. work: where temporary files go."""
    if source.tune is not None:
        return _engrave_tune(source, style)
    if source.path.is_dir():
        piece = read_msmd_piece(source.path)
    elif source.path.suffix.lower() == ".ly":
        piece = engrave_lilypond(source.path, style, time_limit, source.root or source.path.parent, work)
    else:
        mei, tempo = clean_mei(import_score(source.path, score_text(source.path)), style)
        piece = engrave(mei, style, plausible_tempo(tempo, source.name))
    return piece, check_piece(piece, style)


def _engrave_tune(source: Source, style: Style) -> tuple[EngravedPiece, dict[str, float]]:
    try:
        melody = read_melody(source.tune)
        mei, tempo = melody_to_mei(melody), quarter_tempo(source.tune)
    except AbcError as error:
        raise EngravingError("unreadable ABC", str(error)) from None
    piece = engrave(mei, style, plausible_tempo(tempo, source.name))
    checks = check_piece(piece, style)
    check_agreement(piece, melody.notes())
    return piece, checks


def plausible_tempo(tempo: float | None, name: str) -> float:
    """The score's own tempo, or one between 90 and 130 quarters per minute that depends on the piece's name only."""
    if tempo is not None and PLAUSIBLE_TEMPO[0] <= tempo <= PLAUSIBLE_TEMPO[1]:
        return tempo
    return 90.0 + int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 401 / 10


def fingerprint(task: PieceTask) -> str:
    """Changes when the source, its name, the style, the performances or the code that makes the piece changes."""
    source, modules = task.source, [*_MODULES]
    parts = [source.digest, source.name, sorted(asdict(STYLES[task.style]).items()), task.tempi]
    if source.path.suffix.lower() == ".ly":
        modules += _LILYPOND_MODULES
        parts.append(lilypond_version())
    elif source.path.is_dir():
        modules += _MSMD_MODULES
    if task.recording is not None:
        modules += _RECORDING_MODULES
        parts += [file_digest(task.recording), task.recording.suffix.lower()]
    return hashlib.sha256(repr([*parts, _code_version(*modules)]).encode()).hexdigest()


def tool_versions() -> dict[str, str]:
    """The libraries that read, draw and time a score."""
    return {library: version(library) for library in ("verovio", "resvg_py", "pretty_midi", "mido", "numpy", "librosa")}


@cache
def _code_version(*patterns: str) -> str:
    """Digest of these modules of the package and of the versions of the libraries they use.

    Raises FileNotFoundError where a pattern matches nothing: a module was renamed and pieces would go stale unnoticed.
    """
    modules = []
    for pattern in patterns:
        found = [module for module in sorted(PACKAGE.glob(pattern)) if module.is_file()]
        if not found:
            raise FileNotFoundError(f"no module of the package matches {pattern}, which a piece's fingerprint names")
        modules += found
    digests = [(module.name, file_digest(module)) for module in modules]
    return hashlib.sha256(repr((digests, sorted(tool_versions().items()))).encode()).hexdigest()
