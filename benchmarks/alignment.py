#!/usr/bin/env python
"""Judge the alignment of recordings (--audio) on synthesised performances whose onsets are known.

    python benchmarks/alignment.py DATA/tunes DATA/songs --font FluidR3_GM.sf2 --performances DATA/performances_test
    python benchmarks/alignment.py DATA/tunes --kinds pauses repeats --json alignment.json

The scores are the MIDI files of sets that prepare_game_data.py made. Each kind of performance is either to be accepted, and the
errors of its onsets are shown, or to be refused. --performances is a set made by `prepare_game_data.py performances`: human
performances of scores that are among the sets, in the style msmd.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import numpy as np
from alignment_cases import Case, Stage, cases, chord_times
from tqdm import tqdm

from score_following_game.command_line import Parser, script
from score_following_game.data_preparation.building.naming import slug
from score_following_game.data_preparation.recordings.retiming import Alignment, align
from score_following_game.data_processing.acoustics.performing import Notes
from score_following_game.data_processing.midi_files import read_midi
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError
from score_following_game.evaluation.report import write_json
from score_following_game.files import require_writable

MISPLACED = 0.25  # seconds


def human(folder: Path, scores: dict[str, Notes], places: dict[str, Path], font: Path | None, limit: int) -> Iterator[Case]:
    """Human performances: notes of a performance and of the score belong together if they have the same head on the sheet."""
    for number, path in enumerate(sorted(folder.glob("*.npz"))[:: max(1, 88 // max(limit, 1))]):
        name = max((name for name in scores if slug(path.stem).startswith(slug(name))), key=len, default=None)
        if name is None:
            raise UserError(f"{path}: a performance of none of the scores; add the folder of its score's MIDI file")
        score, performed = scores[name], Notes.of(read_midi(path.with_suffix(".mid")))
        sheets = [read_score(file) for file in (path, places[name].with_suffix(".npz"))]
        of_head = {tuple(sheets[0].coords[head].round(1)): performed.start[note] for head, note in sheets[0].coord2onset}
        times = np.full(len(score.start), np.nan)
        for head, note in sheets[1].coord2onset:
            times[note] = of_head.get(tuple(sheets[1].coords[head].round(1)), times[note])
        samples, before = Stage(np.random.default_rng(number), font).play(performed, program=0)
        yield Case("human", path.stem, score, samples, chord_times(score, times) + before)


def judge(case: Case) -> dict[str, object]:
    """What became of a case. errors: seconds, of the onsets of a performance of the score, whether it was accepted or not."""
    found: Alignment = align(case.samples, case.score.midi())
    errors = [] if case.truth is None else found.recording_seconds[:-1] - case.truth
    known = [round(float(error), 4) for error in errors if np.isfinite(error)]
    facts = {"kind": case.kind, "detail": case.detail, "right": case.truth is not None, "refusal": found.refusal()}
    return facts | {"errors": known, "quality": asdict(found.quality)}


def table(results: list[dict]) -> str:
    """A row for each kind: decisions, and the errors of all onsets pooled."""
    lines = [f"{'kind':22} {'cases':>5} {'accepted':>8} {'onsets':>7} {'median':>7} {'95 %':>7} {'largest':>8} {'> 0.25 s':>8}"]
    for kind in dict.fromkeys(result["kind"] for result in results):
        own = [result for result in results if result["kind"] == kind]
        line = f"{kind:22} {len(own):5} {sum(not result['refusal'] for result in own):8}"
        if errors := [error for result in own if result["right"] for error in result["errors"]]:
            size = np.abs(errors)
            median, high = np.percentile(size, (50, 95))
            line += f" {len(size):7} {median:6.3f}s {high:6.3f}s {size.max():7.2f}s {(size > MISPLACED).mean():8.2%}"
        lines.append(line if errors else line + "   to be refused")
    wrong = [result for result in results if result["right"] == bool(result["refusal"])]
    lines += [f"wrong: {result['kind']} ({result['detail']}): {result['refusal'] or 'accepted'}" for result in wrong]
    return "\n".join(lines)


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET", help="folders of pieces made from scores")
    parser.add_argument("--performances", type=Path, metavar="SET", help="a set of human performances of these scores")
    parser.add_argument("--font", type=Path, metavar="FILE.sf2", help="SoundFont of the performances (default: pretty_midi's)")
    parser.add_argument("--kinds", nargs="*", default=[], help="only kinds that begin so (default: all)")
    parser.add_argument("--limit", type=int, default=22, help="human performances (default %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write every case's errors, quality and refusal")
    arguments = parser.parse_args()
    require_writable(arguments.json)
    if arguments.font:
        require_sound_font(arguments.font)
    places = {path.stem: path for folder in arguments.sets for path in sorted(folder.glob("*.mid"))}
    if not places:
        raise UserError(f"{', '.join(map(str, arguments.sets))}: no MIDI file in these folders; expected sets of pieces")
    scores = {name: Notes.of(read_midi(path)) for name, path in places.items()}
    made = cases(scores, arguments.font, arguments.kinds)
    if arguments.performances:
        made = chain(human(arguments.performances, scores, places, arguments.font, arguments.limit), made)
    results = [judge(case) for case in tqdm(made, unit="case", disable=None)]
    print(table(results))
    if arguments.json:
        write_json(arguments.json, {"about": {"command": shlex.join(sys.argv)}, "cases": results})


if __name__ == "__main__":
    with script():
        main()
