"""NAME.score.json beside NAME.npz: the score as it is written, where NAME.mid is a person's performance of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from score_following_game import limits
from score_following_game.data_processing.manifest import MANIFEST_NAME, is_manifest, read_manifest
from score_following_game.data_processing.midi_library import pretty_midi
from score_following_game.data_processing.score_npz import beside_score
from score_following_game.files import replacing
from score_following_game.reading import read_bytes, reading

SUFFIX = ".score.json"
_REMEDY = "make the piece again"


@dataclass(frozen=True)
class WrittenScore:
    """What a score says, played as written.

    notes: (start, end, MIDI pitch, velocity) of each note, in seconds.  onsets: (seconds, x of the notehead in pixels of the
    sheet) of each moment at which a note with a head begins; the seconds rise.
    """

    notes: tuple[tuple[float, float, int, int], ...]
    onsets: tuple[tuple[float, float], ...]

    def midi(self) -> pretty_midi.PrettyMIDI:
        midi, piano = pretty_midi.PrettyMIDI(), pretty_midi.Instrument(program=0)
        piano.notes = [pretty_midi.Note(velocity, pitch, start, end) for start, end, pitch, velocity in self.notes]
        midi.instruments.append(piano)
        return midi


def written_path(score: Path) -> Path:
    """The path of the written score that belongs to NAME.npz."""
    return beside_score(score, SUFFIX)


def is_performance(midi: Path) -> bool:
    """Whether a MIDI file belongs to a set of people's performances, which is for evaluation only. Raises UserError."""
    manifest = midi.parent / MANIFEST_NAME
    return manifest.is_file() and _evaluates_only(manifest, manifest.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _evaluates_only(manifest: Path, mtime_ns: int) -> bool:
    """mtime_ns: a changed file is read again. All pieces of a set ask."""
    return is_manifest(manifest) and read_manifest(manifest).evaluation_only


def as_written(midi: pretty_midi.PrettyMIDI, onsets: Sequence[tuple[float, float]]) -> WrittenScore:
    """The score with the notes of a MIDI. onsets: as of a WrittenScore, in any order; of equal moments the first counts."""
    notes = sorted((note.start, note.end, note.pitch, note.velocity) for part in midi.instruments for note in part.notes)
    first: dict[float, float] = {}
    for seconds, x in onsets:
        first.setdefault(float(seconds), float(x))
    return WrittenScore(tuple(notes), tuple(sorted(first.items())))


def write_written(path: str | os.PathLike[str], score: WrittenScore) -> None:
    """Raises WriteError."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"notes": score.notes, "onsets": score.onsets}) + "\n", encoding="utf-8")


def read_written(path: Path) -> WrittenScore:
    """Raises UserError naming the file when it is none."""
    with reading(path, "no written score", _REMEDY):
        content = json.loads(read_bytes(path, limits.TABLE_FILE))
        notes = tuple((float(start), float(end), int(pitch), int(velocity)) for start, end, pitch, velocity in content["notes"])
        onsets = tuple((float(seconds), float(x)) for seconds, x in content["onsets"])
        if not notes or not onsets:
            raise ValueError("no notes")
        times = np.array([(start, end) for start, end, _, _ in notes])
        if (
            not np.isfinite(times).all()
            or not np.isfinite(onsets).all()
            or (times < 0).any()
            or (times[:, 1] < times[:, 0]).any()
        ):
            raise ValueError("a time or place that is none")
        if not all(0 <= pitch < 128 and 0 < velocity < 128 for _, _, pitch, velocity in notes):
            raise ValueError("a note that MIDI does not have")
        moments = np.array([seconds for seconds, _ in onsets])
        if moments[0] < 0 or (np.diff(moments) <= 0).any():
            raise ValueError("its onsets do not rise")
        limits.require_length(max(float(times.max()), float(moments[-1])))
    return WrittenScore(notes, onsets)
