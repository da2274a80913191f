"""Builds a set of human performances of engraved scores, in the layout of 2019: score/NAME.npz, performance/NAME.mid."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

import score_following_game
from score_following_game.data_preparation.building.build import LEFT_OUT_NAME, write_left_out
from score_following_game.data_preparation.building.check_pictures import check_picture
from score_following_game.data_preparation.building.fingerprint import tool_versions
from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.options import BuildOptions, Performances
from score_following_game.data_preparation.building.report import BuildReport
from score_following_game.data_preparation.building.selection import LeftOut
from score_following_game.data_preparation.building.sources import Source, find_sources, read_bytes, read_text
from score_following_game.data_preparation.engraving.engraved_piece import EngravedPiece
from score_following_game.data_preparation.engraving.isolation import run_isolated
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.data_preparation.performances.joining import join
from score_following_game.data_preparation.performances.match_file import read_match
from score_following_game.data_processing.manifest import MANIFEST_NAME, Manifest, PieceEntry, read_manifest, write_manifest
from score_following_game.data_processing.piece import PERFORMANCES, SCORES
from score_following_game.data_processing.score_npz import write_score
from score_following_game.errors import UserError
from score_following_game.files import file_digest, locked, make_folder
from score_following_game.optional_libraries import require_libraries

SCORE_FOLDER, MATCH_FOLDER, MIDI_FOLDER = "musicxml", "match", "midi"  # of the source
USE = "evaluation only"
_LICENCE = f"unclear; {USE}"
_MAKING = ".performed"
_PER_MATCH = 20.0  # seconds allowed for joining a performance
_NAMED = re.compile(r"^info\(scoreFileName,(.*)\)\.", re.MULTILINE)


@dataclass(frozen=True)
class ScoreTask:
    """One score with the match files of its performances. folder: where score/ and performance/ are made."""

    source: Source
    matches: tuple[Path, ...]
    folder: Path
    style: str
    time_limit: float
    check: bool


@dataclass(frozen=True)
class MadePerformances:
    """The manifest entry of each performance of a score, and those that are left out."""

    pieces: dict[str, PieceEntry]
    left_out: list[LeftOut]


def find_performed_scores(paths: Sequence[Path]) -> list[Source]:
    """The scores in folders with musicxml/, match/ and midi/. Raises UserError when one of the three is missing."""
    for path in paths:
        for name in (SCORE_FOLDER, MATCH_FOLDER, MIDI_FOLDER):
            if not (path / name).is_dir():
                raise UserError(f"{path}: no folder {name}; expected {SCORE_FOLDER}, {MATCH_FOLDER} and {MIDI_FOLDER} there")
    return [replace(source, licence=_LICENCE) for source in find_sources([path / SCORE_FOLDER for path in paths])]


def build_performances(found: Sequence[Source], options: BuildOptions) -> BuildReport:
    """Make the set NAME_test of all performances of the scores, from the beginning; equal sources give equal bytes.

    A file there that was not made here, or was changed since, is never replaced: its piece is left out. Raises UserError if no
    piece can be made, and for options that would change the performances.
    """
    if options.performances != Performances() or options.split is not None:
        raise UserError("--tempo, --audio, --sound_font and --split have no effect on performances, which are as they are")
    require_libraries("engraving", "prepare", "verovio", "resvg_py")
    target = options.destination / f"{options.name}_test"
    make_folder(target)
    with locked(options.destination):
        making = target / _MAKING
        shutil.rmtree(making, ignore_errors=True)
        try:
            made = _make_all(found, options, making)
            folders, removed = _place(made, making, target)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        made.left_out.sort(key=lambda row: row.name)
        write_left_out(options.destination / LEFT_OUT_NAME, made.left_out)
    if not folders:
        first = f"; the first: {made.left_out[0].reason} ({made.left_out[0].detail})" if made.left_out else ""
        raise UserError(f"none of the {len(found)} scores has a performance{first}")
    pieces = {name: made.pieces[name] for name in folders}
    write_manifest(target, _manifest(target.name, pieces))
    return BuildReport(
        dict.fromkeys(folders, target.name),
        made.left_out,
        len(made.pieces) + len({row.name for row in made.left_out} - made.pieces.keys()),
        len(made.pieces),
        removed,
        *([], {}, {}, [], [], [], []),
        minutes=sum(entry.seconds for entry in pieces.values()) / 60,
        megabytes=sum((target / file).stat().st_size for entry in pieces.values() for file in entry.files) / 1e6,
    )


def make_performances(task: ScoreTask) -> MadePerformances:
    """Engrave a score and join its performances to it; runs in a child process. Raises EngravingError for the score."""
    piece, checks = engrave_source(task.source, STYLES[task.style], task.time_limit)
    pieces: dict[str, PieceEntry] = {}
    left_out: list[LeftOut] = []
    for match in task.matches:
        try:
            pieces[match.stem] = _make_one(task, match, piece, checks)
        except (EngravingError, UserError) as error:
            reason, detail = (error.reason, error.detail) if isinstance(error, EngravingError) else ("unreadable", str(error))
            left_out.append(LeftOut(match.stem, str(match), reason, detail))
    return MadePerformances(pieces, left_out)


def _make_one(task: ScoreTask, match: Path, piece: EngravedPiece, checks: dict[str, float]) -> PieceEntry:
    read = read_match(read_text(match))
    source = match.parent.parent / MIDI_FOLDER / Path(read.midi).name
    midi = read_bytes(source)
    performed = join(piece, read, midi)
    score, played = task.folder / SCORES / f"{match.stem}.npz", task.folder / PERFORMANCES / f"{match.stem}.mid"
    write_score(score, performed.score)
    played.write_bytes(midi)
    if task.check:
        cv2.imwrite(str(task.folder / f"{match.stem}.png"), check_picture(performed.score, piece.systems))
    content = repr([task.source.digest, file_digest(match), file_digest(source)])
    name = f"{PERFORMANCES}/{match.stem}.mid"
    return PieceEntry(
        f"{task.source.label}, {MATCH_FOLDER}/{match.name}, {MIDI_FOLDER}/{source.name}",
        hashlib.sha256(content.encode()).hexdigest(),
        {f"{SCORES}/{match.stem}.npz": file_digest(score), name: file_digest(played)},
        task.source.licence,
        task.source.name,
        task.style,
        round(performed.seconds, 3),
        performed.notes,
        checks | performed.counts,
        {name: {"tempo": 1.0, "sound_font": ""}},
    )


def _make_all(found: Sequence[Source], options: BuildOptions, making: Path) -> MadePerformances:
    for folder in (SCORES, PERFORMANCES):
        make_folder(making / folder)
    tasks = [ScoreTask(source, _matches(source), making, options.style, options.time_limit, options.check) for source in found]
    made = MadePerformances({}, [])
    limit = options.time_limit + _PER_MATCH * max((len(task.matches) for task in tasks), default=0)
    for outcome in run_isolated(make_performances, tasks, min(options.jobs, len(tasks)), limit):
        if outcome.value is None:
            names = [match.stem for match in outcome.task.matches] or [outcome.task.source.name]
            made.left_out.extend(LeftOut(name, outcome.task.source.origin, outcome.reason, outcome.detail) for name in names)
            continue
        made.pieces.update(outcome.value.pieces)
        made.left_out.extend(outcome.value.left_out)
    return made


def _matches(source: Source) -> tuple[Path, ...]:
    """The match files that name this score."""
    folder = source.path.parent.parent / MATCH_FOLDER
    named = ((match, _NAMED.search(read_text(match))) for match in sorted(folder.glob("*.match")))
    return tuple(match for match, found in named if found is not None and found[1] == source.path.name)


def _place(made: MadePerformances, making: Path, target: Path) -> tuple[list[str], int]:
    """Move the pieces into the set and remove those of an earlier build. Returns their names and the number removed."""
    manifest = target / MANIFEST_NAME
    before = read_manifest(manifest).pieces if manifest.is_file() else {}
    ours = {file: digest for entry in before.values() for file, digest in entry.files.items()}
    placed: list[str] = []
    for name, entry in sorted(made.pieces.items()):
        if taken := next((file for file in entry.files if _is_users(target, file, {ours.get(file), entry.files[file]})), None):
            made.left_out.append(LeftOut(name, entry.source, "a file of yours is in the way", str(target / taken)))
            continue
        for file in entry.files:
            make_folder((target / file).parent)
            (making / file).replace(target / file)
        placed.append(name)
        if (picture := making / f"{name}.png").is_file():
            make_folder(target.parent / "check")
            picture.replace(target.parent / "check" / picture.name)
    gone = before.keys() - set(placed)
    for file in (file for name in gone for file in before[name].files if not _is_users(target, file, {ours[file]})):
        (target / file).unlink(missing_ok=True)
    return placed, len(gone)


def _is_users(target: Path, file: str, known: set[str | None]) -> bool:
    return (target / file).exists() and file_digest(target / file) not in known


def _manifest(name: str, pieces: dict[str, PieceEntry]) -> Manifest:
    tools = {"score_following_game": score_following_game.__version__} | tool_versions()
    return Manifest(name, {"use": USE, "licence": _LICENCE}, tools, pieces)
