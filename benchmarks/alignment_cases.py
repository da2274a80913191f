"""The cases of alignment.py: scores, performances of them and of something else, and where the notes are."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from score_following_game.data_processing.acoustics.channel import retuned, with_drifting_gain
from score_following_game.data_processing.acoustics.noises import with_noise
from score_following_game.data_processing.acoustics.performing import Notes, perform
from score_following_game.data_processing.acoustics.rooms import draw_room, in_room
from score_following_game.data_processing.spectrogram import SAMPLE_RATE
from score_following_game.data_processing.synthesis import synthesise

PROGRAMS = (0, 6, 11, 19, 24, 40, 42, 48, 68, 71, 73)
SLOW = (40, 42, 48, 50, 52, 73, 89)  # instruments whose tones begin softly
CHORDS = ((48, 55, 64, 72), (53, 57, 65, 72), (43, 59, 62, 67), (45, 57, 60, 64), (50, 57, 62, 65), (55, 59, 62, 71))


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


def held(*chords: tuple[int, float, int]) -> Notes:
    """Static harmony: (number of the chord, seconds, times that it is struck)."""
    rows, now = [], 0.0
    for number, seconds, times in chords:
        for _ in range(times):
            rows += [(now, now + seconds - 0.01, pitch, 60) for pitch in CHORDS[number]]
            now += seconds
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
