"""What a build tells a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from score_following_game.data_preparation.building.options import BuildOptions
from score_following_game.data_preparation.building.records import Records
from score_following_game.data_preparation.building.selection import LeftOut, Selection
from score_following_game.data_preparation.building.sources import Source
from score_following_game.data_preparation.building.split import SETS, GivenSplit, Split
from score_following_game.data_preparation.errors import STAVES


@dataclass(frozen=True)
class BuildReport:
    """folders: piece name -> folder inside the destination.  tried: how many sources.  engraved: how many were made in this
    run.  changed: pieces with a file that is not as it was made.  related: see Selection.  recorded: pieces with a recording,
    and how well it fits (PieceFacts.recording).  earlier: pieces of earlier builds that are still there.  empty: sets that
    --split asks for and that got no piece.  missing: pieces that a given split names and that have no source.  unpaired:
    recordings of no piece.  minutes, megabytes: of the pieces."""

    folders: dict[str, str]
    left_out: list[LeftOut]
    tried: int
    engraved: int
    removed: int
    changed: list[str]
    related: dict[str, str]
    recorded: dict[str, dict]
    earlier: list[str]
    empty: list[str]
    missing: list[str]
    unpaired: list[str]
    minutes: float
    megabytes: float

    def lines(self) -> list[str]:
        """The report as printed."""
        sets = Counter(self.folders.values())
        lines = [
            f"{len(self.folders)} pieces of {self.tried} sources ({self.engraved} engraved in this run), "
            f"{self.minutes:.1f} minutes of music, {self.megabytes:.1f} MB"
        ]
        lines += [f"  {count:5d}  {folder}" for folder, count in sorted(sets.items()) if folder != "."]
        lines += [f"      0  {folder}: the works of so few pieces do not divide so" for folder in self.empty]
        if self.removed:
            lines.append(f"{self.removed} pieces of an earlier build were removed: they are not in this one")
        if self.changed:
            lines.append(
                f"{len(self.changed)} pieces have files that were changed since (the first: {self.changed[0]}) and "
                "are kept; remove such a file to have it made again"
            )
        if self.related:
            piece, other = next(iter(self.related.items()))
            lines.append(
                f"{len(self.related)} pieces have much in common with one of another set (the first: {piece} with "
                f"{other}); the split is given, so they stay"
            )
        if self.missing:
            lines.append(f"{len(self.missing)} pieces of the split have no source (the first: {self.missing[0]})")
        lines += [_told(name, recording) for name, recording in sorted(self.recorded.items())]
        if self.unpaired:
            lines.append(f"no piece has the name of {', '.join(self.unpaired)}")
        if self.earlier:
            lines.append(f"{len(self.earlier)} pieces of earlier builds are kept beside these (the first: {self.earlier[0]})")
        lines.append(f"{len(self.left_out)} left out" + (":" if self.left_out else ""))
        reasons = Counter(piece.reason for piece in self.left_out)
        lines += [f"  {count:5d}  {reason}" for reason, count in sorted(reasons.items(), key=lambda row: (-row[1], row[0]))]
        if reasons[STAVES]:
            lines.append(
                f"{STAVES}: --style nottingham takes scores of one staff, --style msmd those of two; make each into a "
                "folder of its own"
            )
        return lines


def _told(name: str, recording: dict) -> str:
    """A line on a recording."""
    if "refused" in recording:
        return f"{name}: its recording is not heard, the score is: {recording['refused']}"
    quality = recording["quality"]
    return (
        f"{name}: heard from its recording; {quality['hits']:.0%} of the notes found in their place "
        f"({quality['chance_hits']:.0%} by chance), similarity {quality['similarity']:.2f} "
        f"({quality['chance_similarity']:.2f} by chance), {quality['tempo']:.2f} times as long"
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
    """What became of a build."""
    files = {name: records.files(name) for name in chosen.folders}
    changed = [name for name in chosen.folders if not all(records.is_ours(name, file) for file in files[name])]
    named = options.split.sets if isinstance(options.split, GivenSplit) else ()
    facts = {name: records.pieces[name].facts for name in chosen.folders}
    recorded = {name: its.recording for name, its in facts.items() if its.recording}
    times = sum(1 / tempo for tempo in options.performances.tempi)
    seconds = sum(its.seconds * (1 if ".wav" in its.files else times) for its in facts.values())
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
        seconds / 60,
        size / 1e6,
    )


def _empty_sets(chosen: Selection, options: BuildOptions) -> list[str]:
    """Sets that --split asks for and that got no piece."""
    wanted = options.split.sizes if isinstance(options.split, Split) else (0, 0, 0)
    names = [f"{options.name}_{part}" for part, size in zip(SETS, wanted) if size]
    return [name for name in names if name not in chosen.folders.values()]
