"""The cache of onsets and spectrograms: one file for each performance and set of parameters.

NAME.PARAMETERS.cache.npz lies beside the piece. It carries a fingerprint of everything it was made from: the contents of the
input files, the parameters, the project's own code and the libraries. A cache with another fingerprint is replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from score_following_game.config import BANDS, GameConfig
from score_following_game.data_processing.arrays import read_arrays
from score_following_game.data_processing.audio import READ_BY_AV, is_recording
from score_following_game.data_processing.synthesis import default_sound_font
from score_following_game.errors import UserError
from score_following_game.files import WriteError, file_digest, replacing

_FORMAT = 1  # part of the file's name: another number would leave every old cache behind
_CONTENTS = ("midi", "audio", "source", "made_by")  # keys of a fingerprint that are not part of the file's name
# The modules and libraries that determine onsets and spectrograms; a change in one of them makes caches stale.
_MODULES = (
    "arrays.py",
    "audio.py",
    "audio_av.py",
    "level.py",
    "long_sound.py",
    "midi_events.py",
    "midi_files.py",
    "performance.py",
    "spectrogram.py",
    "synthesis.py",
    "tempo.py",
)
_MIDI_LIBRARIES = ("mido", "numpy", "pretty_midi")
_RECORDING_LIBRARIES = ("librosa", "soundfile", "soxr")
_AV_LIBRARIES = ("av", "librosa", "soxr")
_SYNTHESIS_LIBRARIES = ("pyfluidsynth",)

Fingerprint = dict[str, Any]


@dataclass(frozen=True)
class Cached:
    """The content of a cache; see performance.Performance."""

    onsets: np.ndarray
    spectrogram: np.ndarray
    remarks: tuple[str, ...] = ()


def make_fingerprint(midi_path: Path, source: Path, config: GameConfig, sound_font: Path | None, tempo: float) -> Fingerprint:
    """Everything the cache of a performance depends on; files count by content. Raises UserError for an unreadable file."""
    result: Fingerprint = {"version": _FORMAT, "midi": _digest(midi_path), "source": "midi"}
    if tempo != 1:
        result["tempo"] = tempo
    if source.name.endswith(".spec.npy"):
        return result | {"source": "spectrogram", "audio": _digest(source), "made_by": _made_by()}
    params = config.spectrogram_params
    result |= {"rate": params.sample_rate, "frame_size": params.frame_size, "fps": params.fps, "peak": config.audio_peak}
    if is_recording(source):
        libraries = _AV_LIBRARIES if source.suffix.lower() in READ_BY_AV else _RECORDING_LIBRARIES
        return result | {"source": source.suffix, "audio": _digest(source), "made_by": _made_by(*libraries)}
    return result | {"font": _digest(sound_font or default_sound_font()), "made_by": _made_by(*_SYNTHESIS_LIBRARIES)}


def cache_paths(midi_path: Path, fingerprint: Fingerprint) -> list[Path]:
    """Possible places of the cache, best first: beside the piece, and in the user's cache folder for read-only folders.

    The parameters are part of the file's name, so that runs with different ones keep separate caches. The contents of input
    files and the versions of code and libraries are not, so that a stale cache is replaced.
    """
    parameters = {key: value for key, value in fingerprint.items() if key not in _CONTENTS}
    name = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]
    beside = midi_path.with_suffix(f".{name}.cache.npz")
    folder = hashlib.sha256(str(midi_path.resolve()).encode()).hexdigest()[:16]
    return [beside, *(base / "score_following_game" / f"{folder}-{beside.name}" for base in user_caches())]


def read_cache(path: Path, fingerprint: Fingerprint) -> Cached | None:
    """The content; None where there is no cache, it is broken, or its fingerprint is another one."""
    try:
        made_from, remarks, onsets, spectrogram = read_arrays(path, ("fingerprint", "remarks", "onsets", "spectrogram"))
        if json.loads(made_from.item()) != fingerprint:
            return None
        content = Cached(onsets, spectrogram, tuple(json.loads(remarks.item())))
        require_sound(content)
    except Exception:  # whatever is wrong with a cache, the remedy is to make it again
        return None
    return content


def require_sound(content: Cached) -> None:
    """Raise ValueError for onsets, a spectrogram or remarks that no performance has, so that a forged cache is made again."""
    onsets = content.onsets
    if onsets.dtype != np.float64 or onsets.ndim != 1 or not len(onsets):
        raise ValueError(f"onsets are {onsets.dtype} {onsets.shape}, expected float64 (notes,)")
    if not np.isfinite(onsets).all() or onsets[0] < 0 or (np.diff(onsets) < 0).any():
        raise ValueError("onsets are not ascending seconds")
    if content.spectrogram.dtype != np.float32:
        raise ValueError(f"spectrogram is {content.spectrogram.dtype}, expected float32")
    require_spectrogram(content.spectrogram)
    if not all(isinstance(remark, str) for remark in content.remarks):
        raise ValueError("remarks are not texts")


def require_spectrogram(spectrogram: np.ndarray) -> None:
    """Raise ValueError for an array that is no spectrogram: float (78, frames), finite, at least one frame."""
    if spectrogram.ndim != 2 or spectrogram.shape[0] != BANDS or not spectrogram.size:
        raise ValueError(f"its shape is {spectrogram.shape}, expected ({BANDS}, frames)")
    if spectrogram.dtype.kind != "f" or not np.isfinite(spectrogram.astype(np.float32)).all():
        raise ValueError(f"it is {spectrogram.dtype} with values that are not all finite numbers")


def write_cache(paths: list[Path], fingerprint: Fingerprint, content: Cached) -> None:
    """Write to the first path that can be written, if any."""
    for path in paths:
        try:
            with replacing(path) as temporary:
                np.savez(
                    temporary,
                    onsets=content.onsets,
                    spectrogram=content.spectrogram,
                    remarks=json.dumps(content.remarks),
                    fingerprint=json.dumps(fingerprint),
                )
            return
        except (WriteError, OSError):
            continue


def _made_by(*libraries: str) -> dict[str, str]:
    """The versions of what makes onsets and spectrograms: this project's code, the MIDI parser and the given libraries."""
    return {"code": _code_digest(), **{name: _library_version(name) for name in (*_MIDI_LIBRARIES, *libraries)}}


@lru_cache(maxsize=1)
def _code_digest() -> str:
    digest = hashlib.sha256()
    for name in _MODULES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()


@lru_cache
def _library_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _digest(path: Path) -> str:
    try:
        status = path.stat()
        return _digest_of_version(path, status.st_size, status.st_mtime_ns)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


@lru_cache(maxsize=4096)
def _digest_of_version(path: Path, size: int, mtime_ns: int) -> str:
    """SHA-256 of a file; size and modification time are arguments so that a changed file is read again."""
    return file_digest(path)


def user_caches() -> list[Path]:
    """The user's cache folder; none for a user without a home, as in many containers."""
    try:
        return [Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")]
    except RuntimeError:
        return []
