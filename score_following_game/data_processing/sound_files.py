"""The file that a piece is heard from: which of the files beside its MIDI."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from score_following_game.data_processing.audio import RECORDING_SUFFIXES, is_recording

_SPECTROGRAM = ".spec.npy"
_LARGEST_EMPTY_WAV = 100  # bytes


def performance_source(midi_path: Path) -> Path:
    """The file that has a piece's sound: a recording, a precomputed spectrogram, or the MIDI file itself."""
    recordings = [midi_path.with_suffix(cased) for suffix in RECORDING_SUFFIXES for cased in (suffix, suffix.upper())]
    # The published Nottingham set has empty wav files beside its spectrograms.
    candidates = [*recordings, midi_path.with_name(f"{midi_path.stem}{_SPECTROGRAM}")]
    return next((path for path in candidates if os.path.isfile(path) and not is_empty(path)), midi_path)


def unheard_recordings(files: Iterable[Path]) -> list[str]:
    """Of the recordings among these files, those that are not played because another file is: a phrase each."""
    unheard = []
    for path in filter(is_recording, files):
        source = performance_source(path.with_suffix(".mid"))
        empty = is_empty(path)
        if empty and source.name.endswith(_SPECTROGRAM):
            continue
        if not (source.exists() and source.samefile(path)):
            unheard.append(f"{path.name} ({'it is empty' if empty else f'{source.name} is'})")
    return unheard


def is_empty(path: Path) -> bool:
    """Whether a file has no bytes, or is a wav header without samples."""
    size = path.stat().st_size
    if not 12 <= size <= _LARGEST_EMPTY_WAV:
        return size == 0
    with path.open("rb") as stream:
        head = stream.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"
