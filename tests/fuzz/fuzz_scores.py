"""Reads random edits of score files and reports those that end in neither a piece nor a reason.

python tests/fuzz/fuzz_scores.py --edits 1000 --seed 0 --output OUT FILES...

Each edit is read as a build would read it, in a child process. It ends in one of these ways:

agree:      a piece, so the engraver and the file's own arithmetic agree
reason:     one line that says why there is none
crash:      the engraver took its process down; a build reports that in one line as well
time:       more than --time_limit seconds; a build reports that as well
violation:  a traceback, a reason of several lines or without words, a piece without notes

Violations are written to OUT with the edited file. The exit code is 1 if there are any.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edits import HUMDRUM, XML, edited
from tqdm import tqdm

from score_following_game.data_preparation.building.make_piece import engrave_source
from score_following_game.data_preparation.building.sources import find_sources, score_text
from score_following_game.data_preparation.engraving.isolation import CRASHED, TIME_LIMIT, TaskOutcome, run_isolated
from score_following_game.data_preparation.engraving.playing import PIANO, WHOLE, WRITTEN, Playing
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.errors import STAVES, EngravingError
from score_following_game.errors import UserError

ENDS = ("agree", "reason", "crash", "time", "violation")
PLAYINGS = (WHOLE, WHOLE, Playing(repeats=WRITTEN), Playing(PIANO), Playing("1"))


@dataclass(frozen=True)
class Task:
    """An edited file. original: the file that was edited.  kind: of edit."""

    path: Path
    original: Path
    kind: str
    playing: Playing


@dataclass(frozen=True)
class End:
    """How reading an edited file ended. how: one of ENDS.  detail: the reason, or the traceback of a violation."""

    task: Task
    how: str
    detail: str


def read_edited(task: Task) -> tuple[str, str]:
    """Read a file in the style that fits its staves; runs in a child process. Returns an end and its detail."""
    try:
        for source in find_sources([task.path]):
            try:
                piece, _ = engrave_source(source, STYLES["msmd"], playing=task.playing)
            except EngravingError as error:
                if error.reason != STAVES:
                    raise
                piece, _ = engrave_source(source, STYLES["nottingham"], playing=task.playing)
            if not piece.notes or not all(note.end > note.onset >= 0 for note in piece.notes):
                return "violation", "a piece without notes, or with notes that do not last"
        return "agree", ""
    except EngravingError as error:
        return _reason(f"{error.reason}: {error.detail}" if error.reason else "")
    except UserError as error:
        return _reason(str(error))
    except MemoryError:
        raise
    except Exception:
        return "violation", traceback.format_exc()


def _reason(text: str) -> tuple[str, str]:
    is_good = bool(text.strip()) and len(text.splitlines()) == 1 and text.isprintable()
    return ("reason", text) if is_good else ("violation", f"not one line: {text!r}")


def fuzz(files: Sequence[Path], edits: int, seed: int, work: Path, jobs: int = 1, time_limit: float = 60.0) -> Iterator[End]:
    """Read `edits` edits of the files in turn. work: folder for the edited files; those of violations stay there."""
    for outcome in run_isolated(read_edited, _tasks(files, edits, seed, work), jobs, time_limit):
        end = End(outcome.task, *_ended(outcome))
        if end.how != "violation":
            end.task.path.unlink()
        yield end


def _tasks(files: Sequence[Path], edits: int, seed: int, work: Path) -> Iterator[Task]:
    for number in range(edits):
        rng = random.Random(f"{seed} {number}")
        original = files[number % len(files)]
        suffix = ".musicxml" if original.suffix.lower() == ".mxl" else original.suffix.lower()
        kind, text = edited(score_text(original), suffix, rng)
        path = work / f"{seed}_{number}_{original.stem}{suffix}"
        path.write_text(text, encoding="utf-8", errors="replace")
        yield Task(path, original, kind, rng.choice(PLAYINGS))


def _ended(outcome: TaskOutcome) -> tuple[str, str]:
    if outcome.value is not None:
        return outcome.value
    how = {CRASHED: "crash", TIME_LIMIT: "time"}.get(outcome.reason, "violation")
    return how, f"{outcome.reason}: {outcome.detail}"


def table(ends: Sequence[End]) -> list[str]:
    """A row for each format and kind of edit, and a sum."""
    counts = Counter((end.task.path.suffix[1:], end.task.kind, end.how) for end in ends)
    rows = sorted({(form, kind) for form, kind, _ in counts})
    lines = [f"{'format':10}{'edit':18}" + "".join(f"{how:>11}" for how in ENDS)]
    lines += [f"{form:10}{kind:18}" + "".join(f"{counts[form, kind, how]:11d}" for how in ENDS) for form, kind in rows]
    total = Counter(end.how for end in ends)
    return [*lines, f"{'all':28}" + "".join(f"{total[how]:11d}" for how in ENDS)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="MusicXML (also .mxl), MEI and Humdrum files")
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="child processes")
    parser.add_argument("--time_limit", type=float, default=60.0, help="seconds for an edit")
    parser.add_argument("--output", type=Path, default=None, help="folder for violations (default: a new temporary one)")
    arguments = parser.parse_args()
    if strange := [file for file in arguments.files if file.suffix.lower() not in {*XML, *HUMDRUM, ".mxl"}]:
        parser.error(f"{strange[0]}: not MusicXML, MEI or Humdrum")
    output = arguments.output or Path(tempfile.mkdtemp(prefix="fuzz-"))
    output.mkdir(parents=True, exist_ok=True)
    ends = []
    found = fuzz(arguments.files, arguments.edits, arguments.seed, output, arguments.jobs, arguments.time_limit)
    for end in tqdm(found, total=arguments.edits, unit="edit", disable=None):
        ends.append(end)
        if end.how != "agree" and end.how != "reason":
            task = end.task
            print(f"{end.how}: {task.path.name} ({task.kind}, {task.playing}): {end.detail.splitlines()[-1]}", flush=True)
        if end.how == "violation":
            end.task.path.with_suffix(".txt").write_text(f"{end.task}\n{end.detail}\n")
    print(*table(ends), sep="\n")
    reasons = Counter(end.detail.partition(":")[0] for end in ends if end.how == "reason")
    print("reasons:", ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(12)))
    violations = sum(end.how == "violation" for end in ends)
    print(f"{violations} violations" + (f", in {output}" if violations else ""))
    return int(violations > 0)


if __name__ == "__main__":
    sys.exit(main())
