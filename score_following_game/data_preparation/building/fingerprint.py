"""The fingerprint of a piece: a digest of everything its files depend on. A piece whose fingerprint changed is made again."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from score_following_game.config import PACKAGE
from score_following_game.data_preparation.engraving.lilypond.contained import lilypond_version
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.files import file_digest
from score_following_game.opencv import cv2

if TYPE_CHECKING:
    from score_following_game.data_preparation.building.make_piece import PieceTask

# Patterns of the modules that make a piece, relative to the package. tests/test_fingerprint.py compares them with the actual
# imports.
_MODULES = (  # of every piece
    "data_preparation/errors.py",
    "data_preparation/engraving/*.py",
    "data_preparation/engraving/abc/*.py",
    "data_preparation/engraving/humdrum/*.py",
    "data_preparation/engraving/mei/*.py",
    "data_preparation/engraving/musicxml/*.py",
    "data_preparation/engraving/verovio/*.py",
    "data_preparation/building/make_piece.py",
    "data_preparation/building/mxl.py",
    "data_preparation/building/duplicates.py",
    "data_preparation/building/held_out*",
    "data_preparation/building/sources.py",
    "data_processing/midi_*.py",
    "data_processing/score_npz.py",
    "data_processing/sharp_sheet.py",
    "data_processing/sheet_map.py",
    "data_processing/written_score.py",
    "data_processing/tempo.py",
    "limits.py",
    "zip_files.py",
)
_LILYPOND_MODULES = ("data_preparation/engraving/lilypond/*",)  # also the .ily file
_MSMD_MODULES = ("data_preparation/msmd/*.py",)
_PERFORMANCE_MODULES = ("data_preparation/performances/*.py",)
_PAGES_MODULES = (
    "data_preparation/pages/*.py",
    "data_processing/pictures.py",
    "data_preparation/building/make_pages.py",
    "data_processing/page_map.py",
    "data_processing/audio*.py",
)
_RECORDING_MODULES = (
    "data_preparation/recordings/alignment.py",
    "data_preparation/recordings/placing.py",
    "data_preparation/recordings/quality.py",
    "data_preparation/recordings/retiming.py",
    "data_preparation/recordings/scaling.py",
    "data_processing/audio*.py",
    "data_processing/level.py",
    "data_processing/long_sound.py",
    "data_processing/performance.py",
    "data_processing/spectrogram.py",
    "data_processing/synthesis.py",
)
ALL_MODULES = (*_MODULES, *_LILYPOND_MODULES, *_MSMD_MODULES, *_PERFORMANCE_MODULES, *_PAGES_MODULES, *_RECORDING_MODULES)

# The libraries that these modules import: top-level name -> name in `tool_versions`.
LIBRARIES = {
    "anyascii": "anyascii",
    "av": "av",
    "cv2": "opencv",
    "fluidsynth": "pyfluidsynth",
    "fontTools": "fonttools",
    "librosa": "librosa",
    "mido": "mido",
    "numpy": "numpy",
    "pretty_midi": "pretty_midi",
    "pypdfium2": "pypdfium2",
    "resvg_py": "resvg_py",
    "scipy": "scipy",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "verovio": "verovio",
}


def fingerprint(task: PieceTask) -> str:
    """Digest of the source, its name, the style, the performances, and the code and libraries that make the piece.

    Reads the whole recording where the task has one.
    """
    source, modules = task.source, [*_MODULES]
    parts: list[object] = [
        source.digest,
        source.name,
        sorted(asdict(STYLES[task.style]).items()) if task.style else "",
        task.tempi,
        task.playing,
        task.held_out,
    ]
    if source.path.suffix.lower() == ".ly":
        modules += _LILYPOND_MODULES
        parts.append(lilypond_version())
    elif source.pages:
        modules += _PAGES_MODULES
        parts.append(task.staff)
    elif source.path.is_dir():
        modules += _MSMD_MODULES
    if source.performance is not None:
        modules += _PERFORMANCE_MODULES
    if task.recording is not None:
        modules += _RECORDING_MODULES
        parts += [_digest_if_readable(task.recording), task.recording.suffix.lower(), task.minutes_of_music]
    return hashlib.sha256(repr([*parts, _code_version(*modules)]).encode()).hexdigest()


def _digest_if_readable(recording: Path) -> str:
    try:
        return file_digest(recording)
    except OSError:  # making the piece reports it
        return ""


@cache
def tool_versions() -> dict[str, str]:
    """Versions of the installed libraries that read, draw, play and align a score."""
    versions = {library: _version(module, library) for module, library in sorted(LIBRARIES.items())}
    return {library: found for library, found in versions.items() if found}


def _version(module: str, library: str) -> str:
    """The installed version; "" where the library is not installed, as one that only some recordings need."""
    if module == "cv2":  # OpenCV is distributed under several names (opencv-python, opencv-python-headless)
        return str(cv2.__version__)
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def matching_modules(*patterns: str) -> list[Path]:
    """Files of the package that match the patterns.

    Raises FileNotFoundError for a pattern without a match: after a module is renamed, a change to it would go unnoticed.
    """
    modules: list[Path] = []
    for pattern in patterns:
        found = [module for module in sorted(PACKAGE.glob(pattern)) if module.is_file()]
        if not found:
            raise FileNotFoundError(f"no module of the package matches {pattern}, which is part of a piece's fingerprint")
        modules += found
    return modules


@cache
def _code_version(*patterns: str) -> str:
    """Digest of the matching modules and of the versions of all libraries."""
    digests = [(module.relative_to(PACKAGE).as_posix(), file_digest(module)) for module in matching_modules(*patterns)]
    return hashlib.sha256(repr((digests, sorted(tool_versions().items()))).encode()).hexdigest()
