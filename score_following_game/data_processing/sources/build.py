"""Building a data set: sources -> engraved pieces -> folders, with a record of what was left out and why."""
from __future__ import annotations

import csv
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from tqdm import tqdm

from score_following_game.data_processing.engraving.isolation import run_isolated
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.sources.check_pictures import check_picture
from score_following_game.data_processing.sources.find import Source, find_sources
from score_following_game.data_processing.sources.make_piece import PieceTask, fingerprint, make_piece
from score_following_game.data_processing.sources.melody import variants
from score_following_game.data_processing.sources.records import Record, Records
from score_following_game.data_processing.sources.split import Split, assign
from score_following_game.errors import UserError
from score_following_game.files import make_folder, replacing

_MAKING = ".engraved"     # pieces lie here until all are made and it is known which set they belong to
_SAVE_EVERY = 2.0         # seconds between two writings of the record
LEFT_OUT_NAME = "left_out.csv"


@dataclass(frozen=True)
class BuildOptions:
    """style: a name of STYLES.  name: of the sets' folders, NAME_train and so on.  seconds: a piece's length, inclusive."""

    destination: Path
    style: str = "nottingham"
    split: Split | None = None
    name: str = ""
    jobs: int = 1
    check: bool = False
    min_seconds: float = 0.0
    max_seconds: float = math.inf
    limit: int | None = None
    time_limit: float = 120.0


@dataclass(frozen=True)
class LeftOut:
    """A source that became no piece."""

    name: str
    origin: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class BuildReport:
    """folders: piece name -> folder inside the destination.  engraved: how many were made in this run.  changed: pieces with
    a file that is not as it was made."""

    folders: dict[str, str]
    left_out: list[LeftOut]
    engraved: int
    removed: int
    changed: list[str]

    def lines(self) -> list[str]:
        """The report as printed."""
        sets = Counter(self.folders.values())
        lines = [f"{len(self.folders)} pieces ({self.engraved} of the sources engraved in this run)"]
        lines += [f"  {count:5d}  {folder}" for folder, count in sorted(sets.items()) if folder != "."]
        if self.removed:
            lines.append(f"{self.removed} pieces of an earlier build were removed: they are not in this one")
        if self.changed:
            lines.append(f"{len(self.changed)} pieces have files that were changed since (the first: {self.changed[0]}) and "
                         "are kept; remove such a file to have it made again")
        lines.append(f"{len(self.left_out)} left out" + (":" if self.left_out else ""))
        lines += [f"  {count:5d}  {reason}" for reason, count in
                  sorted(Counter(piece.reason for piece in self.left_out).items(), key=lambda row: (-row[1], row[0]))]
        return lines


def build(paths: Sequence[Path], options: BuildOptions) -> BuildReport:
    """Make or complete the data set of all scores in `paths`. A second call engraves only what is missing or changed."""
    sources = {source.name: source for source in find_sources(paths)[:options.limit]}
    make_folder(options.destination)
    records = Records.load(options.destination)
    engraved = _engrave(records, sources, options, [name for name in sources if not _is_known(records, sources[name], options)])
    left_out: list[LeftOut] = []
    try:
        folders = _select(records, sources, options, left_out)
        engraved += _engrave(records, sources, options, [name for name in folders if not records.is_there(name)])
        _spare_users_files(records, sources, folders, left_out)
    finally:
        left_out.sort(key=lambda row: row.name)
        _write_left_out(options.destination / LEFT_OUT_NAME, left_out)
    removed = _place(records, sources, folders, options)
    if not folders:
        raise UserError(f"no piece made of {len(sources)} sources: {_reasons(left_out)}; see "
                        f"{options.destination / LEFT_OUT_NAME}")
    if options.check:
        _draw_checks(records, folders, options.destination / "check")
    changed = [name for name in folders if not all(records.is_ours(name, file) for file in records.files(name))]
    return BuildReport(folders, left_out, engraved, removed, changed)


def _is_known(records: Records, source: Source, options: BuildOptions) -> bool:
    record = records.pieces.get(source.name)
    return record is not None and record.fingerprint == fingerprint(source, options.style)


def _engrave(records: Records, sources: dict[str, Source], options: BuildOptions, names: list[str]) -> int:
    """Engrave these into the making folder -> how many succeeded. The record is kept up to date all along."""
    if not names:
        return 0
    made = 0
    saved = time.monotonic()
    for name in names:  # what lay there under this name is of another source, style or version
        if name in records.pieces:
            records.move(name, "")
    tasks = [PieceTask(sources[name], options.style, options.destination / _MAKING) for name in names]
    outcomes = run_isolated(make_piece, tasks, min(options.jobs, len(tasks)), options.time_limit)
    try:
        for outcome in tqdm(outcomes, total=len(tasks), unit="piece", desc="engraving", disable=None):
            source = outcome.task.source
            made += outcome.value is not None
            records.pieces[source.name] = Record(
                fingerprint(source, options.style), source.origin, outcome.value, outcome.reason, outcome.detail,
                folder=_MAKING if outcome.value else "")
            if time.monotonic() - saved > _SAVE_EVERY:
                records.save()
                saved = time.monotonic()
    finally:
        outcomes.close()
        records.save()
    if any(name not in records.pieces for name in names):
        raise UserError("the engraving processes could not start; if Python reads this program from standard input, put it "
                        "into a file under `if __name__ == \"__main__\":`")
    return made


def _reasons(left_out: list[LeftOut]) -> str:
    """The commonest reasons, each with how often and an example."""
    counts = Counter(row.reason for row in left_out).most_common(3)
    details = {row.reason: row.detail for row in reversed(left_out)}
    return ", ".join(f"{reason} ({count}{'; ' * bool(details[reason])}{details[reason]})" for reason, count in counts)


def _select(
    records: Records, sources: dict[str, Source], options: BuildOptions, left_out: list[LeftOut],
) -> dict[str, str]:
    """-> piece name -> folder, from the records alone; what is left out is added to `left_out`."""
    kept: dict[str, str] = {}  # melody -> name

    def leave_out(name: str, reason: str, detail: str = "") -> None:
        left_out.append(LeftOut(name, sources[name].origin, reason, detail))

    for name in sorted(sources):
        record = records.pieces[name]
        facts = record.facts
        if facts is None:
            leave_out(name, record.reason, record.detail)
        elif facts.seconds < options.min_seconds:
            leave_out(name, f"shorter than {options.min_seconds:g} s", f"{facts.seconds:.1f} s")
        elif facts.seconds > options.max_seconds:
            leave_out(name, f"longer than {options.max_seconds:g} s", f"{facts.seconds:.1f} s")
        elif facts.melody in kept:
            leave_out(name, "same melody as another piece", kept[facts.melody])
        else:
            kept[facts.melody] = name
    if options.split is None:
        return dict.fromkeys(kept.values(), ".")
    # One set must not know another's tunes: of two settings of one tune, the first by name stays.
    for name, other in variants((name, records.pieces[name].facts.fragments) for name in kept.values()).items():
        leave_out(name, "variant of another piece", other)
        del kept[records.pieces[name].facts.melody]
    sets = assign(options.split, kept) if kept else {}
    for melody, name in kept.items():
        if melody not in sets:
            leave_out(name, "not needed by --split")
    return {kept[melody]: f"{options.name}_{part}" for melody, part in sets.items()}


def _spare_users_files(
    records: Records, sources: dict[str, Source], folders: dict[str, str], left_out: list[LeftOut],
) -> None:
    """Leave out what could only be put where a file of the user's lies; a made piece that the user changed stays."""
    for name, folder in list(folders.items()):
        if records.pieces[name].folder != folder and (file := records.in_the_way(name, folder)):
            left_out.append(LeftOut(name, sources[name].origin, "a file of yours is in the way", str(file)))
            del folders[name]


def _place(records: Records, sources: dict[str, Source], folders: dict[str, str], options: BuildOptions) -> int:
    """Move every piece where it belongs -> how many pieces of earlier builds were removed from the sets."""
    removed = 0
    for name, record in records.pieces.items():
        if name in folders:
            records.move(name, folders[name])
        elif name in sources:
            records.move(name, "")
        elif options.split is not None and record.folder.startswith(f"{options.name}_"):
            records.move(name, "")
            removed += 1
    records.save()
    making = options.destination / _MAKING
    if making.is_dir() and not any(making.iterdir()):
        making.rmdir()
    return removed


def _write_left_out(path: Path, left_out: list[LeftOut]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("name", "source", "reason", "detail"))
        writer.writerows((row.name, row.origin, row.reason, row.detail) for row in left_out)


def _draw_checks(records: Records, folders: dict[str, str], folder: Path) -> None:
    make_folder(folder)
    for name in tqdm(sorted(folders), unit="piece", desc="check pictures", disable=None):
        picture = check_picture(read_score(records.files(name)[0]), records.pieces[name].facts.systems)
        with replacing(folder / f"{name}.png") as temporary:
            cv2.imwrite(str(temporary), picture)
