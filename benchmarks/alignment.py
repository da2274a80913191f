#!/usr/bin/env python
"""Judge the alignment of recordings (--audio) on synthesised performances whose onsets are known.

    python benchmarks/alignment.py DATA/tunes DATA/songs --font FluidR3_GM.sf2 --performances DATA/performances
    python benchmarks/alignment.py DATA/tunes --kinds fermatas repeats --json alignment.json --cache /tmp/performances

Each kind of performance is either to be accepted (a table of the errors of its onsets) or to be refused. --performances is a set
made by `prepare_game_data.py performances`, of human performances of the scores that stand in the same folder as SCORE.mid.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from score_following_game.command_line import Parser, script
from score_following_game.data_preparation.building.naming import slug
from score_following_game.data_preparation.recordings.retiming import Alignment, align
from score_following_game.data_processing.acoustics.channel import retuned, with_drifting_gain
from score_following_game.data_processing.acoustics.noises import with_noise
from score_following_game.data_processing.acoustics.performing import Notes, perform
from score_following_game.data_processing.acoustics.rooms import draw_room, in_room
from score_following_game.data_processing.midi_files import read_midi
from score_following_game.data_processing.score_npz import read_score
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.data_processing.synthesis import synthesise
from score_following_game.errors import UserError
from score_following_game.evaluation.report import write_json
from score_following_game.files import require_writable

PROGRAMS = (0, 6, 11, 19, 24, 40, 42, 48, 68, 71, 73)
SLOW = (40, 42, 48, 50, 52, 73, 89)  # instruments whose tones begin softly
CHORDS = ((48, 55, 64, 72), (53, 57, 65, 72), (43, 59, 62, 67), (45, 57, 60, 64), (50, 57, 62, 65), (55, 59, 62, 71))
MISPLACED = 0.25  # seconds


@dataclass(frozen=True)
class Case:
    """A score, a performance of it or of something else, and what to expect.

    samples: float32 (n,).  truth: float64 (k,), seconds of the score's distinct onsets, NaN where unknown; None: to be refused.
    """

    kind: str
    detail: str
    score: Notes
    samples: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True)
class Stage:
    """What a performance is made with; `random` belongs to the case."""

    random: np.random.Generator
    font: Path | None

    def play(
        self, notes: Notes, program: int | None = None, noise: float = 45.0, around: float = 1.0
    ) -> tuple[np.ndarray, float]:
        """Samples, and the seconds before the music. around: seconds of noise before and after. noise: dB below the music."""
        program = int(self.random.choice(PROGRAMS)) if program is None else program
        sound = synthesise(notes.midi(program), self.font)
        sound = np.pad(sound / np.abs(sound).max(), round(around * SAMPLE_RATE))
        return with_noise(sound, "pink", noise, SAMPLE_RATE, self.random), around


def in_time(notes: Notes, course: Callable[[np.ndarray], np.ndarray]) -> Notes:
    """The notes at other times. course: second of the score -> second of the performance."""
    return replace(notes, start=course(notes.start), end=np.maximum(course(notes.end), course(notes.start) + 0.05))


def at_speed(notes: Notes, factor: float) -> Notes:
    """factor: performed seconds per second of the score."""
    return in_time(notes, lambda seconds: seconds * factor)


def paused(notes: Notes, random: np.random.Generator, count: int, seconds: tuple[float, float], ring: bool) -> Notes:
    """Notes held for longer, the last of a group; ring: they sound until the next one, else silence follows."""
    onsets = np.unique(notes.start)
    gaps = np.diff(onsets)
    likely = np.flatnonzero(gaps >= np.median(gaps))
    likely = likely[(likely > 2) & (likely < len(gaps) - 2)]
    after = onsets[1 + random.choice(likely, min(count, len(likely)), replace=False)]
    lengths = random.uniform(*seconds, len(after))

    def course(times: np.ndarray, last: bool) -> np.ndarray:
        return times + ((times[:, None] >= after - 1e-6 if last else times[:, None] > after + 1e-6) * lengths).sum(axis=1)

    return replace(notes, start=course(notes.start, True), end=course(notes.end, ring))


def passages(notes: Notes, *parts: tuple[float, float]) -> Notes:
    """Passages one after the other, each from and to a share of the length; they begin and end at onsets."""
    onsets = np.unique(notes.start)
    end = notes.end.max()
    columns, offset = [], 0.0
    for first, last in parts:
        begin = onsets[min(int(first * len(onsets)), len(onsets) - 1)]
        stop = onsets[int(last * len(onsets))] if last < 1 else end + 1e-3
        chosen = (notes.start >= begin) & (notes.start < stop)
        columns.append((notes.start[chosen] - begin + offset, np.minimum(notes.end[chosen], stop) - begin + offset, chosen))
        offset += min(stop, end) - begin
    numbers = np.concatenate([np.flatnonzero(chosen) for _, _, chosen in columns])
    start, stop = (np.concatenate([column[k] for column in columns]) for k in (0, 1))
    return Notes(start, stop, notes.pitch[numbers], notes.velocity[numbers])


def joined(*performances: Notes) -> Notes:
    """One after the other."""
    offset, columns = 0.0, []
    for notes in performances:
        columns.append((notes.start + offset, notes.end + offset, notes.pitch, notes.velocity))
        offset += notes.end.max()
    return Notes(*(np.concatenate(column) for column in zip(*columns)))


def with_ornaments(notes: Notes, random: np.random.Generator) -> Notes:
    """Trills on a tenth of the long notes, and mordents on a tenth of the others, which the score does not have."""
    long = notes.end - notes.start > np.percentile(notes.end - notes.start, 70)
    extra = []
    for index in np.flatnonzero(random.random(len(long)) < 0.1):
        count = int((notes.end[index] - notes.start[index]) / 0.09) if long[index] else 2
        for number in range(1, min(count, 16)):
            begin = notes.start[index] + 0.09 * number
            extra.append((begin, begin + 0.085, notes.pitch[index] + 2 * (number % 2), notes.velocity[index]))
    columns = zip((notes.start, notes.end, notes.pitch, notes.velocity), np.array(extra, float).reshape(-1, 4).T)
    start, end, pitch, velocity = (np.concatenate(pair) for pair in columns)
    return Notes(start, end, pitch.astype(int), velocity.astype(int))


def held(*chords: tuple[int, float, int], drone: tuple[int, ...] = ()) -> Notes:
    """Static harmony: (number of the chord, seconds, times that it is struck), above pitches that sound all the time."""
    rows, now = [], 0.0
    for number, seconds, times in chords:
        for _ in range(times):
            rows += [(now, now + seconds - 0.01, pitch, 60) for pitch in CHORDS[number]]
            now += seconds
    rows += [(0.0, now, pitch, 60) for pitch in drone]
    start, end, pitch, velocity = np.array(sorted(rows)).T
    return Notes(start, end, pitch.astype(int), velocity.astype(int))


def melody_over(drone: tuple[int, ...], seed: int, beat: float) -> Notes:
    """A melody of a minute above a drone."""
    random = np.random.default_rng(seed)
    begins = np.arange(0, 60, beat)
    tune = [(at, at + beat - 0.01, int(random.choice([67, 69, 71, 72, 74, 76])), 60) for at in begins]
    start, end, pitch, velocity = np.array(sorted([*tune, *((0.0, 60.0, pitch, 60) for pitch in drone)])).T
    return Notes(start, end, pitch.astype(int), velocity.astype(int))


STATIC = {
    "whole": held(*((number, 4.0, 1) for number in (0, 1, 2, 0, 3, 1, 4, 2, 0, 1, 5, 0))),
    "long": held(*((number, 12.0, 1) for number in (0, 1, 0, 2, 0))),
    "repeated": held(*((number, 1.2, 4) for number in (0, 0, 1, 2, 0, 3, 4, 2, 0))),
    "repeated2": held(*((number, 0.8, 12) for number in (0, 1, 0, 2, 0))),
    "one chord": held((0, 2.5, 16)),
    "chorale": held(*((number, 2.0, 1) for number in (0, 1, 2, 0, 4, 5, 3, 3, 2, 0, 1, 1, 5, 2, 0, 4, 2, 5, 0, 0))),
    "pedal": melody_over((43, 50), 1, 2.0),
    "bagpipe": melody_over((45, 57), 2, 0.5),
    "one pitch": replace(held((0, 1.0, 40)), pitch=np.full(160, 69)),
}
OTHER_STATIC = {"pedal": melody_over((43, 50), 7, 2.0), "bagpipe": melody_over((45, 57), 8, 0.5)}

REPEATS = {
    "AAB": ((0, 0.5), (0, 1)),
    "ABB": ((0, 1), (0.5, 1)),
    "AABB": ((0, 0.5), (0, 0.5), (0.5, 1), (0.5, 1)),
    "ABA": ((0, 1), (0, 0.5)),
    "ABAB": ((0, 1), (0, 1)),
    "quarters": ((0, 0.25), (0, 0.25), (0.25, 0.5), (0.25, 0.5), (0.5, 0.75), (0.5, 0.75), (0.75, 1), (0.75, 1)),
    "middle third": ((0, 2 / 3), (1 / 3, 1)),
}
LEFT_OUT = {"middle": ((0, 1 / 3), (2 / 3, 1)), "beginning": ((1 / 3, 1),), "end": ((0, 2 / 3),), "fifth": ((0, 0.4), (0.6, 1))}


Heard = tuple[np.ndarray, float]  # samples, seconds before the music


def _in_room(notes: Notes, stage: Stage) -> Heard:
    samples, before = stage.play(notes)
    return in_room(samples, draw_room(SAMPLE_RATE, stage.random, float(stage.random.uniform(1.5, 3)))), before


def _applauded(notes: Notes, stage: Stage) -> Heard:
    samples, _ = stage.play(notes, around=0)
    claps = 0.1 * stage.random.normal(size=(2, 12 * SAMPLE_RATE))
    return np.concatenate([claps[0], samples, claps[1]]).astype(np.float32), 12.0


def _retuned(notes: Notes, stage: Stage) -> Heard:
    samples, before = stage.play(at_speed(notes, 2 ** (40 / 1200)))
    samples, factor = retuned(samples, 40.0)
    return samples, before * factor


HEARD: dict[str, Callable[[Notes, Stage], Heard]] = {
    "expressive": lambda notes, stage: stage.play(notes),
    "slow attack": lambda notes, stage: stage.play(
        replace(notes, velocity=notes.velocity // 2), int(stage.random.choice(SLOW))
    ),
    "room": _in_room,
    "noise 12 dB": lambda notes, stage: stage.play(notes, noise=12.0),
    "drifting gain": lambda notes, stage: (with_drifting_gain(stage.play(notes)[0], 12.0, SAMPLE_RATE, stage.random), 1.0),
    "40 cents": _retuned,
    "applause": _applauded,
    "ornaments": lambda notes, stage: stage.play(with_ornaments(notes, stage.random)),
}
SPEEDS = (0.25, 1 / 3, 0.5, 2.0, 3.0, 4.0)
PAUSES = {
    "ring": ((0.7, 2.0), True),
    "stop": ((0.7, 2.0), False),
    "long ring": ((2.0, 5.0), True),
    "long stop": ((2.0, 5.0), False),
}


def _wrong(notes: Notes, other: Notes) -> dict[str, Notes]:
    """Performances of something else."""
    return {
        "other piece": other,
        "semitone": replace(notes, pitch=notes.pitch + 1),
        "backwards": replace(notes, pitch=notes.pitch[::-1]),
        "inserted": joined(passages(notes, (0, 0.5)), passages(other, (0, 0.4)), passages(notes, (0.5, 1))),
        "medley": joined(passages(notes, (0, 0.5)), passages(other, (0.5, 1))),
    }


def _drafts(scores: list[Notes]) -> Iterator[tuple[str, str, Notes, Notes, Callable[[Notes, Stage], Heard], bool]]:
    """(kind, detail, score, notes played, how they are heard, whether it is a performance of the score) of every case."""
    play = HEARD["expressive"]
    for number, score in enumerate(scores):
        other = scores[(number + 1) % len(scores)]
        for kind, heard in HEARD.items():
            yield kind, "", score, score, heard, True
        for k in (0, 3):
            speed = SPEEDS[(number + k) % len(SPEEDS)]
            yield f"speed {speed:.2f}", "", score, at_speed(score, speed), play, True
        for name, (seconds, ring) in PAUSES.items():
            random = np.random.default_rng(number)
            yield "pauses, " + name, "", score, paused(score, random, 3, seconds, ring), play, True
        tempo = (0.6, 1.0, 1.6)[number % 3]
        for name, parts in list(REPEATS.items())[number % 2 :: 2]:
            yield "repeats", name, score, at_speed(passages(score, *parts), tempo), play, False
        for name, parts in list(LEFT_OUT.items())[number % 2 :: 2]:
            yield "left out", name, score, at_speed(passages(score, *parts), tempo), play, False
        for name, notes in _wrong(score, other).items():
            yield "other music", name, score, notes, play, False
    for number, (name, score) in enumerate(STATIC.items()):
        other = OTHER_STATIC.get(name) or list(STATIC.values())[(number + 1) % len(STATIC)]
        for program in (0, 19, 48):
            soft = replace(score, velocity=np.full(len(score.start), 35))

            def quiet(notes: Notes, stage: Stage, program: int = program) -> Heard:
                return stage.play(notes, program, noise=25.0)

            yield "static harmony", f"{name} {program}", score, soft, quiet, True
        yield "other over static", name, score, other, play, False
        yield "other over static", f"{name}, semitone", score, replace(score, pitch=score.pitch + 1), play, False
        yield "other over static", f"{name}, a piece", score, scores[number % len(scores)], play, False


def cases(scores: dict[str, Notes], font: Path | None, kinds: list[str]) -> Iterator[Case]:
    """All synthesised cases of these kinds (all where there are none), each made when it is asked for."""
    for place, (kind, detail, score, notes, heard, right) in enumerate(_drafts(list(scores.values()))):
        if kinds and not any(kind.startswith(wanted) for wanted in kinds):
            continue
        random = np.random.default_rng([place, zlib.crc32(f"{kind} {detail}".encode())])
        played = perform(notes, random)
        samples, before = heard(played, Stage(random, font))
        truth = chord_times(score, played.start) + before if right else None
        yield Case(kind, detail, score, samples, truth)


def chord_times(score: Notes, times: np.ndarray) -> np.ndarray:
    """Mean of the notes' times for each distinct onset of the score, NaN where no note has one."""
    _, chord = np.unique(score.start, return_inverse=True)
    known = np.isfinite(times)
    count = np.bincount(chord[known], minlength=chord.max() + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(chord[known], times[known], minlength=len(count)) / count


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
    script(main)
