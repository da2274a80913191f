"""The performance of a piece: its note onsets and its spectrogram, computed once and cached beside the piece.

The sound comes from the first of these that exists: a recording beside the score (NAME.wav, .flac, .m4a ...); a precomputed
NAME.spec.npy, as in the published sets; the MIDI file, played by FluidSynth. These files are the user's and never written.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game import limits
from score_following_game.config import BANDS, GameConfig, SpectrogramParams
from score_following_game.data_processing.arrays import read_array
from score_following_game.data_processing.audio import is_recording, load_recording, read_recording
from score_following_game.data_processing.level import gain_for
from score_following_game.data_processing.long_sound import SampleFile
from score_following_game.data_processing.manifest import MANIFEST_NAME, is_manifest, read_manifest
from score_following_game.data_processing.midi_files import read_midi, read_played
from score_following_game.data_processing.performance_cache import (
    Cached,
    cache_paths,
    make_fingerprint,
    read_cache,
    require_spectrogram,
    write_cache,
)
from score_following_game.data_processing.sound_files import performance_source
from score_following_game.data_processing.spectrogram import band_magnitudes, compress
from score_following_game.data_processing.synthesis import synthesise, synthesised
from score_following_game.errors import UserError
from score_following_game.reading import reading

if TYPE_CHECKING:  # imported where needed: pieces read from the cache do without its import time and memory
    import pretty_midi

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Performance:
    """onsets: float64 (notes,), seconds, ascending; spectrogram: float32 (78, frames); source: the file with the sound.

    remarks: what is odd about the files or left out of them, a phrase each, with the file's name.
    """

    onsets: np.ndarray
    spectrogram: np.ndarray
    source: Path
    remarks: tuple[str, ...] = ()


def load_performance(
    midi_path: Path,
    config: GameConfig,
    sound_font: Path | None = None,
    tempo: float = 1.0,
    source: Path | None = None,
) -> Performance:
    """The performance beside `midi_path`, `tempo` times as fast, from the cache where that is up to date.

    source: the file to take the sound from, instead of performance_source(midi_path): for instance the MIDI file although
    there is a recording. Raises UserError naming the file: it is missing or unreadable, has no notes, or is not a MIDI file
    and so cannot be played at another tempo.
    """
    source = source or performance_source(midi_path)
    if tempo != 1 and source != midi_path:
        raise UserError(
            f"{source}: only a MIDI can be played {tempo:g} times as fast; move this file away to have {midi_path.name} played"
        )
    sound_font = Path(sound_font) if sound_font else _prepared_font(midi_path, source)
    _require_fitting_parameters(source, config.spectrogram_params)
    fingerprint = make_fingerprint(midi_path, source, config, sound_font, tempo)
    paths = cache_paths(midi_path, fingerprint)
    if tempo != 1:  # an evaluation at another tempo leaves the data set's folder unchanged
        del paths[0]
    for path in paths:
        cached = read_cache(path, fingerprint)
        if cached is not None:
            return _of_fitting_length(Performance(cached.onsets, cached.spectrogram, source, cached.remarks), config)
    played = read_played(midi_path, tempo)
    onsets = note_onsets(played.midi, midi_path)
    spectrogram, about_sound = _make_spectrogram(played.midi, source, config, sound_font)
    remarks = (*_named(midi_path, played.remarks), *_named(source, about_sound))
    write_cache(paths, fingerprint, Cached(onsets, spectrogram, remarks))
    return _of_fitting_length(Performance(onsets, spectrogram, source, remarks), config)


def load_sound(recording: Path, config: GameConfig) -> tuple[np.ndarray, tuple[str, ...]]:
    """The spectrogram, float32 (78, frames), of a sound that belongs to no MIDI file, and remarks; cached like the others.

    recording: it may be a precomputed spectrogram. Raises UserError as `read_recording`, and where it lasts too long.
    """
    _require_fitting_parameters(recording, config.spectrogram_params)
    if recording.name.endswith(".spec.npy"):
        spectrogram = _read_spectrogram(recording)
        _require_length(recording, spectrogram, config)
        return spectrogram, ()
    fingerprint = make_fingerprint(recording, recording, config, None, 1.0)
    paths = cache_paths(recording, fingerprint)
    cached = next(filter(None, (read_cache(path, fingerprint) for path in paths)), None)
    if cached is None:
        spectrogram, remarks = _spectrogram_of_recording(recording, config)
        cached = Cached(np.zeros(1), spectrogram, _named(recording, remarks))
        write_cache(paths, fingerprint, cached)
    _require_length(recording, cached.spectrogram, config)
    return cached.spectrogram, cached.remarks


def _of_fitting_length(performance: Performance, config: GameConfig) -> Performance:
    """The performance itself. Raises UserError naming its source where it lasts too long."""
    _require_length(performance.source, performance.spectrogram, config, float(performance.onsets[-1]))
    return performance


def _require_length(source: Path, spectrogram: np.ndarray, config: GameConfig, last: float = 0.0) -> None:
    """Raise UserError naming a source whose sound lasts too long, or whose last onset, in seconds, is too late."""
    with reading(source, "cannot be used"):
        limits.require_length(max(spectrogram.shape[1] / config.spectrogram_params.fps, last))


def silent_performance(midi_path: Path, tempo: float = 1.0) -> Performance:
    """The onsets of a MIDI file and a spectrogram without frames. Raises UserError as `load_performance`."""
    played = read_played(midi_path, tempo)
    onsets, silence = note_onsets(played.midi, midi_path), np.zeros((BANDS, 0), np.float32)
    return Performance(onsets, silence, midi_path, _named(midi_path, played.remarks))


def _named(path: Path, remarks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{path.name}: {remark}" for remark in remarks)


def performance_samples(midi_path: Path, config: GameConfig, sound_font: Path | None = None) -> np.ndarray:
    """The piece's audio for a human listener: float32 (n,) at the config's sample rate, at the level used for the agents.

    For a piece with a precomputed spectrogram, which has no audio, the MIDI file is played.
    """
    source, rate = performance_source(midi_path), config.spectrogram_params.sample_rate
    if is_recording(source):
        samples = load_recording(source, rate)
    else:
        samples = synthesise(read_midi(midi_path), sound_font or _prepared_font(midi_path, midi_path), rate)
    _, gain = _magnitudes_and_gain(samples, config)
    return samples * gain


def _magnitudes_and_gain(samples: np.ndarray | SampleFile, config: GameConfig) -> tuple[np.ndarray, np.float32]:
    """The magnitudes of the bands, (78, frames), and the factor that brings them to the config's level."""
    params = config.spectrogram_params
    rate, fps = params.sample_rate, params.fps
    magnitudes = band_magnitudes(samples, rate, rate=rate, frame_size=params.frame_size, fps=fps)
    return magnitudes, np.float32(gain_for(config.audio_peak, samples, magnitudes, rate / fps))


def _prepared_font(midi_path: Path, source: Path) -> Path | None:
    """The sound font that the set's manifest names for this MIDI file; None: the default, or another source of sound."""
    manifest = midi_path.parent / MANIFEST_NAME
    if source != midi_path or not manifest.is_file():
        return None
    font = _fonts(manifest, manifest.stat().st_mtime_ns).get(midi_path.name)
    if font is not None and not font.is_file():
        raise UserError(
            f"{midi_path}: was prepared to be played with {font}, which is missing; name a sound font (--sound_font)"
        )
    return font


@lru_cache(maxsize=64)
def _fonts(manifest: Path, mtime_ns: int) -> dict[str, Path]:
    """Sound fonts by MIDI file name, none where another program wrote the file; mtime_ns: a changed file is read again."""
    try:
        return read_manifest(manifest).fonts() if is_manifest(manifest) else {}
    except UserError as error:
        log.warning("%s; its pieces are played with the default sound font", error)
        return {}


def note_onsets(midi: pretty_midi.PrettyMIDI, path: Path) -> np.ndarray:
    """Onsets of all notes: float64 (notes,), seconds, ascending. Raises UserError naming the file when there are none."""
    onsets = np.array(sorted(note.start for part in midi.instruments for note in part.notes), dtype=np.float64)
    if not len(onsets):
        raise UserError(f"{path}: this MIDI has no notes")
    return onsets


def _make_spectrogram(
    midi: pretty_midi.PrettyMIDI,
    source: Path,
    config: GameConfig,
    sound_font: Path | None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The spectrogram of the source, and remarks about it."""
    if source.name.endswith(".spec.npy"):
        return _read_spectrogram(source), ()
    if is_recording(source):
        return _spectrogram_of_recording(source, config)
    return spectrogram_of_midi(midi, config, sound_font), ()


def spectrogram_of_midi(midi: pretty_midi.PrettyMIDI, config: GameConfig, sound_font: Path | None) -> np.ndarray:
    """float32 (78, frames), of a MIDI as it is synthesised, at the config's level."""
    magnitudes, gain = _magnitudes_and_gain(synthesised(midi, sound_font, config.spectrogram_params.sample_rate), config)
    return compress(magnitudes * gain)


def _spectrogram_of_recording(source: Path, config: GameConfig) -> tuple[np.ndarray, tuple[str, ...]]:
    recording = read_recording(source, config.spectrogram_params.sample_rate)
    magnitudes, gain = _magnitudes_and_gain(recording.samples, config)
    return compress(magnitudes * gain), recording.remarks


def _require_fitting_parameters(source: Path, params: SpectrogramParams) -> None:
    """Reject a precomputed spectrogram under other than the published parameters, which its file does not record."""
    if source.name.endswith(".spec.npy") and params != SpectrogramParams():
        raise UserError(
            f"{source}: a precomputed spectrogram has {SpectrogramParams()}, the game config needs {params}; "
            "move it away to have one computed"
        )


def _read_spectrogram(path: Path) -> np.ndarray:
    with reading(path, "corrupt spectrogram", "fetch it again, or move it away to have one computed"):
        spectrogram = read_array(path)
        require_spectrogram(spectrogram)
    return spectrogram.astype(np.float32)
