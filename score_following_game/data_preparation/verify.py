"""Checks of data sets against their manifests and the rules of the game (spec: a piece on disk, onsets)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from tqdm import tqdm

from score_following_game.config import SpectrogramParams
from score_following_game.data_preparation.building.records import MAKING_NAME
from score_following_game.data_preparation.published.sets import DOWNLOADS
from score_following_game.data_processing.audio import is_recording
from score_following_game.data_processing.manifest import MANIFEST_NAME, Manifest, PieceEntry, is_manifest, read_manifest
from score_following_game.data_processing.midi_files import read_midi
from score_following_game.data_processing.page_map import map_path, read_page_map
from score_following_game.data_processing.performance import note_onsets
from score_following_game.data_processing.piece import SCORES, find_midi, merge_onsets, onset_frames
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.sharp_sheet import SUFFIX, read_sharp
from score_following_game.data_processing.sound_files import is_empty, performance_source
from score_following_game.data_processing.written_score import SUFFIX as WRITTEN_SUFFIX
from score_following_game.data_processing.written_score import read_written
from score_following_game.errors import UserError, counted
from score_following_game.files import file_digest

_FPS = SpectrogramParams().fps
_NO_SETS = {DOWNLOADS, "check"}  # folders of a destination that are not data sets
_SPECTROGRAM = ".spec.npy"
_STOPPED = "a build was stopped here; run its command again to continue, finished pieces are kept"


@dataclass(frozen=True)
class VerifyReport:
    """sets: folder -> number of pieces checked.  problems: one line each.  stopped: folders in which a build was stopped.
    without_notes: number of pieces made of pages.
    """

    sets: dict[str, int]
    problems: list[str]
    stopped: list[str] = field(default_factory=list)
    without_notes: int = 0

    def lines(self) -> list[str]:
        """The report as printed."""
        lines = [f"{count:5d} {'piece ' if count == 1 else 'pieces'}  {name}" for name, count in self.sets.items()]
        if self.without_notes:
            count = counted(self.without_notes, "piece")
            lines.append(f"{count} without notes, made of pages: to be followed and filmed, not trained or judged on")
        lines += [f"{folder}: {_STOPPED}" for folder in self.stopped]
        if not self.problems:
            return [*lines, "all files agree with their manifests and the rules of the game"]
        return [*lines, *self.problems, counted(len(self.problems), "problem")]


def verify(destination: Path) -> VerifyReport:
    """Check every data set below a folder. A set is a folder with a manifest, without subfolders that are sets themselves.

    Raises UserError when there is no set, and for a manifest that cannot be read.
    """
    manifests = _read_manifests(destination)
    loaded: dict[Path | None, list[Path]] = defaultdict(list)  # set (None: outside of any) -> files a loader would read
    for file in _visible(destination, "*"):
        if file.is_file() and _is_loaded(file):
            loaded[next((folder for folder in file.parents if folder in manifests), None)].append(file)
    problems: list[str] = []
    digest = cache(_digest)  # the sets of a destination share sound fonts
    for folder, manifest in manifests.items():
        for name, entry in tqdm(manifest.pieces.items(), unit="piece", desc=folder.name, disable=None, leave=False):
            problems += [f"{folder / name}: {problem}" for problem in _piece_problems(folder, entry)]
        problems += [f"{folder}: sound font {problem}" for problem in _font_problems(manifest, digest)]
        known = {folder / file for entry in manifest.pieces.values() for file in entry.files}
        problems += [f"{file}: not in the manifest" for file in loaded[folder] if file not in known]
    problems += _folders_without(destination, loaded[None])
    problems += _shared_scores(manifests)
    sets = {str(folder): len(manifest.pieces) for folder, manifest in manifests.items()}
    without_notes = sum(not entry.performances for manifest in manifests.values() for entry in manifest.pieces.values())
    return VerifyReport(sets, problems, _stopped_builds(destination), without_notes)


def _read_manifests(destination: Path) -> dict[Path, Manifest]:
    """Folder -> its manifest. Raises UserError when there is none."""
    if not destination.is_dir():
        problem = "is a file, expected a folder" if destination.exists() else "no such folder"
        raise UserError(f"--verify {destination}: {problem}")
    paths = _visible(destination, MANIFEST_NAME)
    manifests = {path.parent: read_manifest(path) for path in paths if is_manifest(path)}
    if not manifests:
        if stopped := _stopped_builds(destination):
            raise UserError(f"--verify {destination}: no {MANIFEST_NAME} below it; {stopped[0]}: {_STOPPED}")
        others = f" except {paths[0]}, which does not belong to a data set" if paths else ""
        raise UserError(
            f"--verify {destination}: no {MANIFEST_NAME} below it{others}; sets of older versions have none: build them again"
        )
    return manifests


def _stopped_builds(destination: Path) -> list[str]:
    """Folders with pieces that wait for the end of their build."""
    return [str(making.parent) for making in sorted(destination.rglob(MAKING_NAME)) if any(making.iterdir())]


def _visible(destination: Path, pattern: str) -> list[Path]:
    """Sorted matches below a folder, without hidden ones: those are leftovers of interrupted builds."""
    return sorted(
        path
        for path in destination.rglob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(destination).parts)
    )


def _is_loaded(file: Path) -> bool:
    """Returns True if a loader may read the file. A recording counts even if another file has priority over it."""
    if file.name.endswith(_SPECTROGRAM):
        return performance_source(file.with_name(f"{file.name.removesuffix(_SPECTROGRAM)}.mid")) == file
    if is_recording(file):
        return not is_empty(file)
    loaded = file.suffix.lower() in (".npz", ".mid") or file.name.endswith((SUFFIX, WRITTEN_SUFFIX))
    return loaded and not file.name.endswith(".cache.npz")


def _piece_problems(folder: Path, entry: PieceEntry) -> Iterator[str]:
    for name, digest in entry.files.items():
        found = _digest(folder / name)
        if found != digest:
            yield f"{name} has changed since it was made" if found else f"{name} is missing"
    for problems in _checks(folder, entry):
        try:
            yield from problems
        except UserError as error:
            yield str(error)


def _checks(folder: Path, entry: PieceEntry) -> Iterator[Iterator[str]]:
    """The problems of each file of a piece that is there, found when they are asked for. Each check may raise UserError."""
    for path in (folder / name for name in entry.files if (folder / name).is_file()):
        score = path.with_name(f"{path.name.removesuffix(SUFFIX)}.npz")
        if path.name.endswith(SUFFIX) and score.is_file():
            yield _sharp_problems(path, score)
        elif path.name.endswith(WRITTEN_SUFFIX):
            yield _written_problems(path)
        elif path.suffix == ".npz" and not entry.performances:
            yield _pages_problems(path)
        elif path.suffix == ".npz":
            performances = (folder / name for name in entry.performances if (folder / name).is_file())
            yield from (_rules(path, midi, falling=_is_made_here(entry)) for midi in performances)


def _sharp_problems(path: Path, score: Path) -> Iterator[str]:
    read_sharp(path, read_score(score).sheet)
    yield from ()


def _written_problems(path: Path) -> Iterator[str]:
    read_written(path)
    yield from ()


def _pages_problems(path: Path) -> Iterator[str]:
    """Check a piece without a performance, which must be one without notes."""
    score = read_score(path)
    if score.has_notes:
        yield "it has notes and no performance"
    read_page_map(map_path(path), score.sheet.shape[1])


def _rules(score_path: Path, midi_path: Path, falling: bool) -> Iterator[str]:
    """Check the rules of a piece (spec, sections 2 and 3). falling: report x that falls with time."""
    score = read_score(score_path)  # shapes, types, columns, notehead indices
    frames, x = merge_onsets(score, onset_frames(note_onsets(read_midi(midi_path), midi_path), _FPS), score_path)
    rows = score.coords[:, 0]
    if rows.min() < 0 or rows.max() > score.sheet.shape[0]:
        yield f"a notehead is at row {rows[(rows < 0) | (rows > score.sheet.shape[0])][0]:g} of {score.sheet.shape[0]}"
    if len(frames) < 2:
        yield "fewer than two onsets: nothing to follow"
    if falling and (falls := int((np.diff(x) < 0).sum())):
        yield f"x falls with time {falls} times ({midi_path.name})"


def _font_problems(manifest: Manifest, digest: Callable[[Path], str]) -> Iterator[str]:
    for font in manifest.sound_fonts.values():
        found = digest(Path(font["path"]))
        if found != font["sha256"]:
            yield f"{font['path']} has changed since it was chosen" if found else f"{font['path']} is missing"


def _folders_without(destination: Path, files: Iterable[Path]) -> Iterator[str]:
    """Report folders with pieces that belong to no set; an interrupted build can leave such folders."""
    scores = (
        file
        for file in files
        if file.suffix.lower() == ".npz"
        and find_midi(file).is_file()
        and not _NO_SETS & set(file.relative_to(destination).parts[:-1])
    )
    folders = Counter(score.parent.parent if score.parent.name == SCORES else score.parent for score in scores)
    for folder, count in folders.items():
        yield f"{folder}: {counted(count, 'piece')} but no {MANIFEST_NAME}"


def _shared_scores(manifests: Mapping[Path, Manifest]) -> Iterator[str]:
    """Report equal scores in two sets of the same parent folder, so of one split. Published sets are not checked."""
    first: dict[tuple[Path, str], tuple[Path, str]] = {}
    for folder, manifest in manifests.items():
        made = (entry for entry in manifest.pieces.values() if _is_made_here(entry))
        for name, digest in ((name, digest) for entry in made for name, digest in entry.files.items() if name.endswith(".npz")):
            other, its_name = first.setdefault((folder.parent, digest), (folder, name))
            if other != folder:
                yield f"{folder / name}: the same score as {other / its_name}, in another set"


def _is_made_here(entry: PieceEntry) -> bool:
    """Returns True if the piece was engraved here: only these have checks."""
    return bool(entry.checks)


def _digest(file: Path) -> str:
    """SHA-256 of a file, "" if it does not exist. Raises UserError if it cannot be read."""
    try:
        return file_digest(file) if file.is_file() else ""
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror})") from None
