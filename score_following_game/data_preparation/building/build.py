"""Building a data set: engrave the sources, choose the pieces, put them into the folders of the sets."""

from __future__ import annotations

import csv
import math
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from score_following_game.data_preparation.building.check_pictures import check_picture
from score_following_game.data_preparation.building.fingerprint import fingerprint
from score_following_game.data_preparation.building.make_piece import PieceTask, make_piece
from score_following_game.data_preparation.building.manifests import describe_pieces, manifests
from score_following_game.data_preparation.building.options import BuildOptions
from score_following_game.data_preparation.building.records import MAKING_NAME, RECORD_NAME, Record, Records
from score_following_game.data_preparation.building.report import BuildReport, make_report
from score_following_game.data_preparation.building.selection import LeftOut, Selection, select
from score_following_game.data_preparation.building.sources import Source
from score_following_game.data_preparation.building.split import SETS
from score_following_game.data_preparation.engraving.isolation import PASSING, run_isolated
from score_following_game.data_preparation.engraving.lilypond.contained import require_lilypond
from score_following_game.data_preparation.engraving.lilypond.piece import WORK_PREFIX
from score_following_game.data_preparation.pages.check import draw_page_checks
from score_following_game.data_preparation.pages.files import PDF
from score_following_game.data_preparation.recordings.pairing import find_recordings, pair
from score_following_game.data_processing.manifest import EVALUATION_ONLY, MANIFEST_NAME, remove_manifest, write_manifest
from score_following_game.data_processing.page_map import map_path
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.synthesis import default_sound_font, require_sound_font
from score_following_game.errors import UserError
from score_following_game.files import deferring_interrupts, locked, make_folder, replacing
from score_following_game.opencv import cv2
from score_following_game.optional_libraries import require_libraries

_SAVE_EVERY = 2.0  # seconds between two saves of the record
LEFT_OUT_NAME = "left_out.csv"


def build(found: Sequence[Source], options: BuildOptions) -> BuildReport:
    """Make or complete the data set of the sources. A second call engraves only what is missing or has changed.

    Raises UserError when no piece can be made, when a program or library is missing (before anything is written), and when
    another process is building in the destination.
    """
    sources = {source.name: source for source in found}
    require_tools(found, options.performances.recordings is not None)
    make_folder(options.destination)
    with locked(options.destination):
        return _build(sources, options)


def _build(sources: dict[str, Source], options: BuildOptions) -> BuildReport:
    records = Records.load(options.destination)
    tasks, unpaired = _tasks(sources, options)
    fingerprints = {name: fingerprint(task) for name, task in tasks.items()}
    unknown = [name for name in sources if not _is_known(records, name, fingerprints[name])]
    engraved = _engrave(records, tasks, fingerprints, options, unknown)
    chosen = Selection()
    try:
        select(records.pieces, sources, options.name, options.split, (options.min_seconds, options.max_seconds), chosen)
        missing = [name for name in chosen.folders if not records.is_there(name)]
        engraved += _engrave(records, tasks, fingerprints, options, missing)
        _spare_users_files(records, sources, chosen)
    finally:
        chosen.left_out.sort(key=lambda row: row.name)
        write_left_out(options.destination / LEFT_OUT_NAME, chosen.left_out)
    describe_pieces(records, tasks, chosen.folders, options.performances)
    removed = _place(records, sources, chosen.folders, options)
    _write_manifests(records, options)
    if not chosen.folders:
        none = "the source did not become" if len(sources) == 1 else f"none of the {len(sources)} sources became"
        raise UserError(f"{none} a piece: {_reasons(chosen.left_out)}; see {options.destination / LEFT_OUT_NAME}")
    if options.check:
        _draw_checks(records, chosen.folders, options.destination / "check")
    return make_report(records, sources, chosen, options, engraved, removed, unpaired)


def require_tools(found: Sequence[Source], recordings: bool) -> None:
    """Raise UserError now for a missing program or library; otherwise every piece would fail in its child process.

    recordings: they are aligned with the scores.
    """
    if not all(source.pages for source in found):
        require_libraries("engraving", "prepare", "verovio", "resvg_py")
    if any(page.suffix.lower() == PDF for source in found for page in source.pages):
        require_libraries("reading a PDF", "prepare", "pypdfium2")
    if any(source.path.suffix.lower() == ".ly" for source in found):
        require_lilypond()
    if recordings:
        require_sound_font(default_sound_font())


def _tasks(sources: dict[str, Source], options: BuildOptions) -> tuple[dict[str, PieceTask], list[str]]:
    """Return the task of each source, and the file names of the recordings that belong to no source."""
    played = options.performances
    recordings: dict[str, Path] = {}
    unpaired: list[str] = []
    if played.recordings is not None:
        paired = pair(list(sources), find_recordings(played.recordings))
        recordings, unpaired = paired.recordings, [path.name for path in paired.without_score]
        if not recordings:
            raise UserError(
                f"--audio {played.recordings}: no recording there has the name of a piece; the pieces are named "
                f"{', '.join(sorted(sources)[:3])}" + (" ..." if len(sources) > 3 else "")
            )
    return {
        name: PieceTask(
            source,
            options.pages_style if source.pages else options.style,
            options.destination / MAKING_NAME,
            options.time_limit,
            played.tempi,
            recordings.get(name),
            options.playing,
            options.held_out,
            options.staff,
        )
        for name, source in sources.items()
    }, unpaired


def _is_known(records: Records, name: str, fingerprint: str) -> bool:
    """Whether an earlier build made the piece, or left it out for a reason that is still valid."""
    record = records.pieces.get(name)
    return record is not None and record.fingerprint == fingerprint and record.reason not in PASSING


def _engrave(
    records: Records, tasks: dict[str, PieceTask], fingerprints: dict[str, str], options: BuildOptions, names: list[str]
) -> int:
    """Engrave the named pieces into the making folder, keeping the record up to date. Returns how many succeeded."""
    if not names:
        return 0
    made = 0
    saved = time.monotonic()
    for name in names:  # an existing piece of this name has another source, style or version
        if name in records.pieces:
            records.move(name, "")
    outcomes = run_isolated(make_piece, [tasks[name] for name in names], min(options.jobs, len(names)), options.time_limit)
    try:
        for outcome in tqdm(outcomes, total=len(names), unit="piece", desc="engraving", disable=None):
            source = outcome.task.source
            made += outcome.value is not None
            records.pieces[source.name] = Record(
                fingerprints[source.name],
                source.origin,
                outcome.value,
                outcome.reason,
                outcome.detail,
                folder=MAKING_NAME if outcome.value else "",
            )
            if time.monotonic() - saved > _SAVE_EVERY:
                records.save()
                saved = time.monotonic()
    finally:
        outcomes.close()
        records.save()
        for left in (options.destination / MAKING_NAME).glob(f"{WORK_PREFIX}*"):  # of child processes that were stopped
            shutil.rmtree(left, ignore_errors=True)
    if any(name not in records.pieces for name in names):
        raise UserError(
            "the engraving processes could not start; a program that calls this must be a file (not standard input) and "
            'make the call under `if __name__ == "__main__":`'
        )
    return made


def _reasons(left_out: list[LeftOut]) -> str:
    """The three most frequent reasons, each with its count and an example."""
    counts = Counter(row.reason for row in left_out).most_common(3)
    details = {row.reason: row.detail for row in reversed(left_out)}
    return ", ".join(f"{reason} ({'; '.join(filter(None, (str(count), details[reason])))})" for reason, count in counts)


def _spare_users_files(records: Records, sources: dict[str, Source], chosen: Selection) -> None:
    """Leave out pieces that would replace a file of the user's; a piece in place that the user has changed stays."""
    for name, folder in list(chosen.folders.items()):
        if records.pieces[name].folder != folder and (file := records.in_the_way(name, folder)):
            chosen.left_out.append(LeftOut(name, sources[name].origin, "a file of yours is in the way", str(file)))
            del chosen.folders[name]


def _place(records: Records, sources: dict[str, Source], folders: dict[str, str], options: BuildOptions) -> int:
    """Move every piece into its folder. Returns how many pieces of earlier builds were removed from the sets.

    An interrupt takes effect after all moves: in the middle of them it could leave a piece in two sets.
    """
    removed = 0
    own = {f"{options.name}_{part}" for part in SETS} if options.split is not None else set()
    with deferring_interrupts():
        try:
            for name, record in records.pieces.items():
                if name in folders:
                    records.move(name, folders[name])
                elif name in sources:
                    records.move(name, "")
                elif record.folder in own:
                    records.move(name, "")
                    removed += 1
        finally:
            records.save()
    making = options.destination / MAKING_NAME
    if making.is_dir() and not any(making.iterdir()):
        making.rmdir()
    return removed


def _write_manifests(records: Records, options: BuildOptions) -> None:
    """Write a manifest for each set and remove those of sets that have become empty."""
    parameters: dict[str, Any] = {
        "split": options.split and str(options.split),
        "min_seconds": options.min_seconds,
        "max_seconds": options.max_seconds if math.isfinite(options.max_seconds) else None,
    }
    if options.evaluation_only:
        parameters["use"] = EVALUATION_ONLY
    made = manifests(records, parameters)
    for folder, manifest in made.items():
        write_manifest(options.destination / folder, manifest)
    for path in (options.destination / MANIFEST_NAME, *options.destination.glob(f"*/{MANIFEST_NAME}")):
        if path.parent.relative_to(options.destination).as_posix() not in made and not (path.parent / RECORD_NAME).exists():
            remove_manifest(path.parent)


def write_left_out(path: Path, left_out: list[LeftOut]) -> None:
    """Write the list of the pieces left out, as csv."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("name", "source", "reason", "detail"))
        writer.writerows((row.name, row.origin, row.reason, row.detail) for row in left_out)


def _draw_checks(records: Records, folders: dict[str, str], folder: Path) -> None:
    make_folder(folder)
    for name in records.pieces.keys() - folders.keys():
        (folder / f"{name}.png").unlink(missing_ok=True)
    for name in tqdm(sorted(folders), unit="piece", desc="check pictures", disable=None):
        score = next(file for file in records.files(name) if file.suffix == ".npz")
        if map_path(score).is_file():
            draw_page_checks(score, folder)
            continue
        picture = check_picture(read_score(score), records.pieces[name].made.systems)
        with replacing(folder / f"{name}.png") as temporary:
            temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
