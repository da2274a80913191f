"""The report of a build."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from score_following_game.command_line import command_name
from score_following_game.data_preparation.building.options import BuildOptions
from score_following_game.data_preparation.building.records import Records
from score_following_game.data_preparation.building.selection import LeftOut, Selection
from score_following_game.data_preparation.building.sources import Source
from score_following_game.data_preparation.building.split import SETS, GivenSplit, Split
from score_following_game.data_preparation.errors import STAVES
from score_following_game.data_processing.manifest import EVALUATION_ONLY
from score_following_game.errors import counted


@dataclass(frozen=True)
class BuildReport:
    """The result of a build.

    folders: piece name -> folder inside the destination.
    tried: number of sources.
    engraved: number of pieces made in this run.
    removed: number of pieces of earlier builds that were removed.
    changed: pieces with a file that was changed after it was made.
    related: see Selection.
    recorded: piece with a recording -> PieceFacts.recording.
    earlier: pieces of earlier builds that are still in the destination.
    empty: sets requested by --split that have no piece.
    missing: pieces named by a given split that have no source.
    unpaired: file names of recordings that belong to no piece.
    without_notes: pieces made of pages.  remarks: piece made of pages -> what is odd about it.
    evaluation_only: the sets may not train an agent.
    minutes, megabytes: total of the pieces.
    """

    folders: dict[str, str]
    left_out: list[LeftOut]
    tried: int
    engraved: int
    removed: int
    changed: list[str]
    related: dict[str, str]
    recorded: dict[str, dict[str, Any]]
    earlier: list[str]
    empty: list[str]
    missing: list[str]
    unpaired: list[str]
    without_notes: list[str]
    remarks: dict[str, list[str]]
    evaluation_only: bool
    minutes: float
    megabytes: float

    @property
    def refused(self) -> list[str]:
        """The pieces whose recordings do not fit; they are played from the score."""
        return sorted(name for name, recording in self.recorded.items() if "refused" in recording)

    def lines(self) -> list[str]:
        """The report as printed."""
        sets = Counter(self.folders.values())
        lines = [
            f"{counted(len(self.folders), 'piece')} from {counted(self.tried, 'source')} ({self.engraved} engraved in this "
            f"run), "
            f"{self.minutes:.1f} minutes of music, {self.megabytes:.1f} MB"
        ]
        lines += [f"  {count:5d}  {folder}" for folder, count in sorted(sets.items()) if folder != "."]
        lines += [f"      0  {folder}: too few works to fill this set" for folder in self.empty]
        if self.without_notes:
            lines.append(
                f"without notes, since {'it is' if len(self.without_notes) == 1 else 'they are'} made of pages: "
                f"{counted(len(self.without_notes), 'piece')} (the first: {self.without_notes[0]}); to be followed and filmed "
                f"with a recording (--audio), not trained or judged on"
            )
        lines += [f"{name}: {remark}" for name, remarks in sorted(self.remarks.items()) for remark in remarks]
        if self.evaluation_only:
            lines.append(f"{EVALUATION_ONLY}: {command_name('sfg-train')} refuses them as --train_set")
        if self.removed:
            lines.append(f"removed, since they are not part of this build: {counted(self.removed, 'piece')} of an earlier one")
        if self.changed:
            lines.append(
                f"kept: {counted(len(self.changed), 'piece')} with files that were changed after they were made (the first: "
                f"{self.changed[0]}); remove such a file to have it made again"
            )
        if self.related:
            piece, other = next(iter(self.related.items()))
            lines.append(
                f"kept, since the split is given: {counted(len(self.related), 'piece')} similar to a piece of another set (the "
                f"first: {piece} to {other})"
            )
        if self.missing:
            lines.append(f"{counted(len(self.missing), 'piece')} of the split without a source (the first: {self.missing[0]})")
        lines += [_recording_line(name, recording) for name, recording in sorted(self.recorded.items())]
        if self.unpaired:
            lines.append(f"recordings that belong to no piece: {', '.join(self.unpaired)}")
        if self.earlier:
            lines.append(f"kept: {counted(len(self.earlier), 'piece')} of earlier builds (the first: {self.earlier[0]})")
        lines.append(f"{len(self.left_out)} left out" + (":" if self.left_out else ""))
        reasons = Counter(piece.reason for piece in self.left_out)
        lines += [f"  {count:5d}  {reason}" for reason, count in sorted(reasons.items(), key=lambda row: (-row[1], row[0]))]
        if reasons[STAVES]:
            lines.append(
                f"{STAVES}: --style nottingham takes scores with one staff, --style msmd scores with two (build each kind into "
                "a destination of its own); --part NAME takes one part of a score, --part piano that of the pianist"
            )
        return lines


def _recording_line(name: str, recording: dict[str, Any]) -> str:
    if "refused" in recording:
        return f"{name}: recording not used, the score is played instead: {recording['refused']}"
    quality = recording["quality"]
    return (
        f"{name}: uses its recording; {quality['hits']:.0%} of the notes found where expected "
        f"({quality['chance_hits']:.0%} by chance), similarity {quality['similarity']:.2f} "
        f"({quality['chance_similarity']:.2f} by chance), {quality['tempo']:.2f} times as long as the score"
        + "".join(f"; {remark}" for remark in recording.get("remarks", ()))
    )


def make_report(
    records: Records,
    sources: dict[str, Source],
    chosen: Selection,
    options: BuildOptions,
    engraved: int,
    removed: int,
    unpaired: list[str],
) -> BuildReport:
    """Collect the report. engraved, removed, unpaired: see BuildReport."""
    files = {name: records.files(name) for name in chosen.folders}
    changed = [name for name in chosen.folders if not all(records.is_ours(name, file) for file in files[name])]
    named = options.split.sets if isinstance(options.split, GivenSplit) else ()
    facts = {name: records.pieces[name].made for name in chosen.folders}
    recorded = {name: its.recording for name, its in facts.items() if its.recording}
    times = sum(1 / tempo for tempo in options.performances.tempi)
    seconds = sum(its.seconds * (1.0 if ".wav" in its.files else times) for its in facts.values())
    earlier = [name for name, record in records.pieces.items() if record.folder == "." and name not in chosen.folders]
    size = sum(file.stat().st_size for own in files.values() for file in own)
    return BuildReport(
        chosen.folders,
        chosen.left_out,
        len(sources),
        engraved,
        removed,
        changed,
        chosen.related,
        recorded,
        earlier,
        _empty_sets(chosen, options),
        sorted(set(named) - set(sources)),
        unpaired,
        sorted(name for name, its in facts.items() if not its.notes),
        {name: its.remarks for name, its in facts.items() if its.remarks},
        options.evaluation_only,
        seconds / 60,
        size / 1e6,
    )


def _empty_sets(chosen: Selection, options: BuildOptions) -> list[str]:
    """Sets requested by --split that have no piece."""
    sizes = options.split.sizes if isinstance(options.split, Split) else (0, 0, 0)
    names = [f"{options.name}_{part}" for part, size in zip(SETS, sizes) if size]
    return [name for name in names if name not in chosen.folders.values()]
