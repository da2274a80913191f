"""The performance of a piece: its note onsets and its spectrogram, made once and cached beside the piece.

What is heard, in this order: a recording beside the score (NAME.wav, .flac, .mp3, .ogg); a ready NAME.spec.npy, as the
published sets have it; else the MIDI played by FluidSynth. All of these are the user's and never written to. Ours is one
file for each set of parameters, NAME.PARAMETERS.cache.npz, with the fingerprint of what it was made from; it is made again
when that differs.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.config import BANDS, GameConfig, SpectrogramParams
from score_following_game.data_processing.audio import RECORDING_SUFFIXES, is_recording, load_recording, set_peak
from score_following_game.data_processing.manifest import MANIFEST_NAME, is_manifest, read_manifest
from score_following_game.data_processing.spectrogram import compute_spectrogram
from score_following_game.data_processing.synthesis import default_sound_font, synthesise
from score_following_game.errors import UserError
from score_following_game.files import WriteError, file_digest, replacing

if TYPE_CHECKING:  # imported where needed: a piece from the cache wants neither its parser nor its memory
    import pretty_midi

LARGEST_EMPTY_WAV = 100  # bytes
CACHE_VERSION = 1  # raise it when the same inputs give another spectrogram


@dataclass(frozen=True)
class Performance:
    """onsets: float64 (notes,) seconds, ascending; spectrogram: float32 (78, frames); source: the file it is heard from."""

    onsets: np.ndarray
    spectrogram: np.ndarray
    source: Path


def load_performance(
    midi_path: Path,
    config: GameConfig,
    sound_font: Path | None = None,
    tempo: float = 1.0,
    source: Path | None = None,
) -> Performance:
    """The performance beside `midi_path`, at `tempo` times its speed, from the cache where that is still right.

    source: heard instead of what would be (performance_source), for instance the MIDI beside a recording.
    Raises UserError naming the file that is missing, unreadable, has no notes, or, being no MIDI, has only its own tempo.
    """
    source = source or performance_source(midi_path)
    if tempo != 1 and source != midi_path:
        raise UserError(
            f"{source}: only a MIDI can be played {tempo:g} times as fast; move this file away to have {midi_path.name} played"
        )
    sound_font = sound_font or _prepared_font(midi_path, source)
    _require_fitting_parameters(source, config.spectrogram_params)
    fingerprint = _fingerprint(midi_path, source, config, sound_font)
    if tempo != 1:
        fingerprint["tempo"] = tempo
    paths = _cache_paths(midi_path, fingerprint)
    if tempo != 1:  # what an evaluation tries is no part of the set, whose folder stays as it is
        del paths[0]
    for path in paths:
        cached = _read_cache(path, fingerprint)
        if cached is not None:
            return Performance(cached["onsets"], cached["spectrogram"], source)
    midi = read_midi(midi_path, tempo)
    onsets = note_onsets(midi, midi_path)
    spectrogram = _make_spectrogram(midi, source, config, sound_font)
    _write_cache(paths, onsets=onsets, spectrogram=spectrogram, fingerprint=json.dumps(fingerprint))
    return Performance(onsets, spectrogram, source)


def performance_source(midi_path: Path) -> Path:
    """The file a piece is heard from: recording, ready spectrogram, or the MIDI itself."""
    recordings = [midi_path.with_suffix(cased) for suffix in RECORDING_SUFFIXES for cased in (suffix, suffix.upper())]
    # The published Nottingham set carries empty wav files beside its spectrograms.
    candidates = [*recordings, midi_path.with_name(f"{midi_path.stem}.spec.npy")]
    return next((path for path in candidates if path.is_file() and not is_empty(path)), midi_path)


def is_empty(path: Path) -> bool:
    """No byte at all, or a wav file's head without a sample."""
    size = path.stat().st_size
    if not 12 <= size <= LARGEST_EMPTY_WAV:
        return size == 0
    with path.open("rb") as stream:
        head = stream.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"


def performance_samples(midi_path: Path, config: GameConfig, sound_font: Path | None = None) -> np.ndarray:
    """What a person hears of the piece: float32 (n,) at the config's rate, at the level the agents hear.

    A piece with a ready spectrogram has no audio of its own: its MIDI is played.
    """
    source, rate = performance_source(midi_path), config.spectrogram_params.sample_rate
    if is_recording(source):
        samples = load_recording(source, rate)
    else:
        samples = synthesise(read_midi(midi_path), sound_font or _prepared_font(midi_path, midi_path), rate)
    return set_peak(samples, config.audio_peak)


def _prepared_font(midi_path: Path, source: Path) -> Path | None:
    """The sound font that the set's manifest chose for this MIDI, where the MIDI is what is heard; None: the default."""
    manifest = midi_path.parent / MANIFEST_NAME
    if source != midi_path or not manifest.is_file():
        return None
    font = _fonts(manifest, manifest.stat().st_mtime_ns).get(midi_path.name)
    if font is not None and not font.is_file():
        raise UserError(
            f"{midi_path}: was prepared to be played with {font}, which is not there; name a sound font (--sound_font)"
        )
    return font


@lru_cache(maxsize=64)
def _fonts(manifest: Path, mtime_ns: int) -> dict[str, Path]:
    """As in the manifest, none where it is another program's; the time of writing tells the memory that it has changed."""
    return read_manifest(manifest).fonts() if is_manifest(manifest) else {}


def read_midi(path: Path, tempo: float = 1.0) -> pretty_midi.PrettyMIDI:
    """At `tempo` times its speed. Raises UserError naming the file when it is missing, no MIDI, or too slow to be one."""
    from score_following_game.data_processing.midi_library import pretty_midi
    from score_following_game.data_processing.tempo import scale_tempo

    try:
        return pretty_midi.PrettyMIDI(str(path) if tempo == 1 else io.BytesIO(scale_tempo(path.read_bytes(), tempo)))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except Exception as error:  # mido and pretty_midi raise many kinds on broken files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: cannot be read as MIDI ({reason})") from None


def note_onsets(midi: pretty_midi.PrettyMIDI, path: Path) -> np.ndarray:
    """Onsets of all notes, float64 seconds, ascending. Raises UserError naming the file when there are none."""
    onsets = np.array(sorted(note.start for part in midi.instruments for note in part.notes), dtype=np.float64)
    if not len(onsets):
        raise UserError(f"{path}: this MIDI has no notes")
    return onsets


def _make_spectrogram(
    midi: pretty_midi.PrettyMIDI,
    source: Path,
    config: GameConfig,
    sound_font: Path | None,
) -> np.ndarray:
    params = config.spectrogram_params
    if source.name.endswith(".spec.npy"):
        return _read_spectrogram(source)
    if is_recording(source):
        samples = load_recording(source, params.sample_rate)
    else:
        samples = synthesise(midi, sound_font, params.sample_rate)
    samples = set_peak(samples, config.audio_peak)
    return compute_spectrogram(
        samples, params.sample_rate, rate=params.sample_rate, frame_size=params.frame_size, fps=params.fps
    )


def _require_fitting_parameters(source: Path, params: SpectrogramParams) -> None:
    """A ready spectrogram was made with the published parameters, and nothing in it tells others."""
    if source.name.endswith(".spec.npy") and params != SpectrogramParams():
        raise UserError(
            f"{source}: a ready spectrogram is one of {SpectrogramParams()}, the game config wants {params}; "
            "move it away to have one made"
        )


def _read_spectrogram(path: Path) -> np.ndarray:
    try:
        spectrogram = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{path}: corrupt spectrogram ({' '.join(str(error).split())})") from None
    if not isinstance(spectrogram, np.ndarray) or spectrogram.ndim != 2 or spectrogram.shape[0] != BANDS:
        raise UserError(f"{path}: spectrogram of shape {getattr(spectrogram, 'shape', '?')}, wanted ({BANDS}, frames)")
    if spectrogram.dtype.kind != "f" or not np.isfinite(spectrogram).all():
        raise UserError(f"{path}: spectrogram is {spectrogram.dtype} with values that are not all finite numbers")
    return spectrogram.astype(np.float32)


def _fingerprint(midi_path: Path, source: Path, config: GameConfig, sound_font: Path | None) -> dict:
    """What the cache was made from; files count by content."""
    params = config.spectrogram_params
    result = {"version": CACHE_VERSION, "midi": _digest(midi_path), "source": "midi"}
    if source.name.endswith(".spec.npy"):
        return result | {"source": "spectrogram", "audio": _digest(source)}
    result |= {"rate": params.sample_rate, "frame_size": params.frame_size, "fps": params.fps, "peak": config.audio_peak}
    if source == midi_path:
        return result | {"font": _digest(Path(sound_font) if sound_font else default_sound_font())}
    return result | {"source": source.suffix, "audio": _digest(source)}


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
    """SHA-256 of a file; size and time of writing are there to tell the memory that a file has changed."""
    return file_digest(path)


def _cache_paths(midi_path: Path, fingerprint: dict) -> list[Path]:
    """Beside the piece, and in the user's cache folder for pieces that lie where nothing can be written.

    The parameters are part of the name, so that runs with different ones do not undo each other's work; the contents of the
    piece's files are not, so that a changed piece replaces its old cache.
    """
    parameters = {key: value for key, value in fingerprint.items() if key not in ("midi", "audio", "source")}
    name = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:8]
    beside = midi_path.with_suffix(f".{name}.cache.npz")
    where = hashlib.sha256(str(midi_path.resolve()).encode()).hexdigest()[:16]
    return [beside, *(base / "score_following_game" / f"{where}-{beside.name}" for base in _user_caches())]


def _user_caches() -> list[Path]:
    """The user's cache folder; none for a user without a home, as in many containers."""
    try:
        return [Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")]
    except RuntimeError:
        return []


def _read_cache(path: Path, fingerprint: dict) -> dict[str, np.ndarray] | None:
    """None when there is none, it is broken, or it was made from something else."""
    try:
        with np.load(path, allow_pickle=False) as content:
            if json.loads(str(content["fingerprint"])) != fingerprint:
                return None
            return {"onsets": content["onsets"], "spectrogram": content["spectrogram"]}
    except Exception:  # whatever is wrong with a cache of ours, making it again is the answer
        return None


def _write_cache(paths: list[Path], **content: object) -> None:
    """Beside the piece where possible, else in the user's cache folder, else not at all."""
    for path in paths:
        try:
            with replacing(path) as temporary:
                np.savez(temporary, **content)
            return
        except (WriteError, OSError):
            continue
