"""Whether data sets are what their manifests say, and what the game wants (spec: a piece on disk, onsets)."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from score_following_game.config import SpectrogramParams
from score_following_game.data_processing.audio import RECORDING_SUFFIXES
from score_following_game.data_processing.manifest import MANIFEST_NAME, PieceEntry, read_manifest
from score_following_game.data_processing.performance import note_onsets, read_midi
from score_following_game.data_processing.piece import merge_onsets, onset_frames
from score_following_game.data_processing.score_npz import read_score
from score_following_game.errors import UserError
from score_following_game.files import file_digest

_FPS = SpectrogramParams().fps


@dataclass(frozen=True)
class VerifyReport:
    """sets: folder -> pieces looked at.  problems: one line each."""

    sets: dict[str, int]
    problems: list[str]

    def lines(self) -> list[str]:
        """The report as printed."""
        lines = [f"{count:5d} pieces  {name}" for name, count in self.sets.items()]
        told = f"{len(self.problems)} problem{'s' * (len(self.problems) != 1)}"
        return [*lines, *self.problems, told if self.problems else "every file is as its manifest says and fit for the game"]


def verify(destination: Path) -> VerifyReport:
    """Check every data set below a folder that has a manifest. Raises UserError where there is none."""
    if not destination.is_dir():
        raise UserError(f"--verify {destination}: no such folder")
    manifests = sorted(destination.rglob(MANIFEST_NAME))
    if not manifests:
        raise UserError(f"--verify {destination}: no {MANIFEST_NAME} below it; a set of an older version has none: "
                        "build it again")
    sets: dict[str, int] = {}
    problems: list[str] = []
    for path in manifests:
        manifest = read_manifest(path)
        sets[str(path.parent)] = len(manifest.pieces)
        for name, entry in tqdm(manifest.pieces.items(), unit="piece", desc=path.parent.name, disable=None, leave=False):
            problems += [f"{path.parent / name}: {problem}" for problem in _problems(path.parent, entry)]
        known = {file for entry in manifest.pieces.values() for file in entry.files}
        problems += [f"{path.parent / file}: not in the manifest" for file in _piece_files(path.parent) if file not in known]
    return VerifyReport(sets, problems)


def _problems(folder: Path, entry: PieceEntry) -> Iterator[str]:
    for name, digest in entry.files.items():
        file = folder / name
        if not file.is_file():
            yield f"{name} is missing"
        elif file_digest(file) != digest:
            yield f"{name} is not the file that was made"
    for score in (folder / name for name in entry.files if name.endswith(".npz")):
        for midi in (folder / name for name in entry.performances):
            if score.is_file() and midi.is_file():
                try:
                    yield from _rules(score, midi, falling=bool(entry.checks))
                except UserError as error:
                    yield str(error)


def _rules(score_path: Path, midi_path: Path, falling: bool) -> Iterator[str]:
    """The rules of a piece (spec, sections 2 and 3); `falling`: x may not fall with time, since we engraved it."""
    score = read_score(score_path)  # shapes, types, columns, notehead indices
    frames, x = merge_onsets(score, onset_frames(note_onsets(read_midi(midi_path), midi_path), _FPS), score_path)
    rows = score.coords[:, 0]
    if rows.min() < 0 or rows.max() > score.sheet.shape[0]:
        yield f"a notehead is at row {rows[(rows < 0) | (rows > score.sheet.shape[0])][0]:g} of {score.sheet.shape[0]}"
    if len(frames) < 2:
        yield "fewer than two onsets: there is nothing to follow"
    if falling and (falls := int((np.diff(x) < 0).sum())):
        yield f"x falls with time {falls} times ({midi_path.name})"


def _piece_files(folder: Path) -> list[str]:
    """Files of a set's own folder and its score/ and performance/ that a loader would take for a piece's."""
    suffixes = (".npz", ".mid", *RECORDING_SUFFIXES)
    files = [*folder.glob("*"), *folder.glob("score/*"), *folder.glob("performance/*")]
    return sorted(file.relative_to(folder).as_posix() for file in files if file.suffix.lower() in suffixes and file.is_file()
                  and not file.name.startswith(".") and not file.name.endswith(".cache.npz"))
