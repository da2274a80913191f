"""Expressive performances: the notes of a score as a person might play them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from score_following_game.data_processing.midi_library import pretty_midi

SPEED = 0.3  # largest change of the overall tempo, as a logarithm
SLOW = 0.35, 1.2  # share of performances that are slower still, if asked for, and by how much at most, as a logarithm
PHRASE = (2.5, 7.0)  # seconds of the score
RUBATO = 0.26  # largest change of the local tempo within a performance, as a logarithm
WITH_FERMATAS = 0.35  # share of performances
FERMATA = (0.3, 1.5)  # seconds by which a note is longer
PAUSE, EVERY = (1.0, 3.0), (12.0, 20.0)  # seconds of a pause, and of music between two
ASYNCHRONY = 0.012  # standard deviation of an onset, seconds
SPREAD = 0.03  # largest time from the first to the last note of a chord, seconds
SHORTEST_GAP = 0.3  # of the time to the neighbouring onset, which an onset may move by
ARTICULATION = (0.55, 1.1)  # sounding by written duration
LOUDNESS, CONTOUR, TOUCH = 25, 18, 7  # MIDI velocities: of a performance, within a phrase, of a single note


@dataclass(frozen=True)
class Notes:
    """Notes in the order of their written onsets, (n,) each: start, end in float seconds; pitch and velocity, int."""

    start: np.ndarray
    end: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray

    @classmethod
    def of(cls, midi: pretty_midi.PrettyMIDI) -> Notes:
        """All notes of a MIDI file, ordered as `performance.note_onsets` orders them."""
        notes = sorted((note for part in midi.instruments for note in part.notes), key=lambda note: (note.start, note.pitch))
        columns = [(note.start, note.end, note.pitch, note.velocity) for note in notes]
        start, end, pitch, velocity = np.array(columns, float).reshape(-1, 4).T
        return cls(start, np.maximum(end, start + 0.02), pitch.astype(int), velocity.astype(int))

    def midi(self, program: int = 0, vibrato: int = 0) -> pretty_midi.PrettyMIDI:
        """One instrument that plays the notes. program: General MIDI, from 0. vibrato: of the modulation wheel, 0 to 127."""
        midi = pretty_midi.PrettyMIDI()
        part = pretty_midi.Instrument(program)
        part.notes = [
            pretty_midi.Note(int(velocity), int(pitch), float(start), float(end))
            for start, end, pitch, velocity in zip(self.start, self.end, self.pitch, self.velocity)
        ]
        if vibrato:
            part.control_changes.append(pretty_midi.ControlChange(1, vibrato, 0.0))
        midi.instruments.append(part)
        return midi


def perform(notes: Notes, random: np.random.Generator, slow: bool = False) -> Notes:
    """Play notes with another tempo, rubato, pauses, asynchrony, articulation and dynamics. Note numbers are kept.

    slow: some performances are up to 3.3 times as slow, so that notes last long.
    """
    written, phrases = np.unique(notes.start), _phrases(notes, random)
    course = _course(written, phrases, random)
    if slow and random.random() < SLOW[0]:
        course = written[0] + (course - written[0]) * np.exp(random.uniform(0, SLOW[1]))
    start = np.interp(notes.start, written, course)
    held = _times_of_ends(notes.end, written, course)
    start = _apart(start, notes.start, random)
    length = np.exp(random.uniform(*np.log(ARTICULATION))) * np.exp(random.normal(0, 0.08, len(start)))
    end = np.maximum(start + (held - np.interp(notes.start, written, course)) * length, start + 0.04)
    return replace(notes, start=start, end=end, velocity=_velocities(notes, phrases, random))


def with_pauses(notes: Notes, random: np.random.Generator) -> Notes:
    """Play notes with pauses before some onsets, one at least. Notes keep their durations, so that a pause is silent."""
    written = np.unique(notes.start)
    waits = np.zeros(len(written))
    at = written[0] + min(random.uniform(*EVERY), (written[-1] - written[0]) / 2)
    while at < written[-1]:
        waits[np.searchsorted(written, at)] = random.uniform(*PAUSE)
        at += random.uniform(*EVERY)
    later = waits.cumsum()[np.searchsorted(written, notes.start)]
    return replace(notes, start=notes.start + later, end=notes.end + later)


def _phrases(notes: Notes, random: np.random.Generator) -> np.ndarray:
    """Boundaries of phrases, float (m,) seconds of the score: the first onset, some onsets, the last one."""
    bounds, last = [notes.start[0]], notes.start[-1]
    while (next_bound := bounds[-1] + random.uniform(*PHRASE)) < last - PHRASE[0]:
        bounds.append(notes.start[np.searchsorted(notes.start, next_bound)])
    return np.unique([*bounds, last])


def _course(written: np.ndarray, phrases: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The times, seconds, at which the written onsets, float (k,) seconds, are played."""
    overall = np.exp(random.uniform(-SPEED, SPEED))
    rubato = random.uniform(0, RUBATO)
    middle = (written[:-1] + written[1:]) / 2
    phrase = np.searchsorted(phrases, middle, side="right").clip(1, max(1, len(phrases) - 1))
    first, last = phrases[phrase - 1], phrases[phrase.clip(max=len(phrases) - 1)]
    within = (middle - first) / np.maximum(last - first, 1e-3)
    arch = np.sin(np.pi * within.clip(0, 1)) - 0.5  # faster in the middle of a phrase, slower at its ends
    walk = random.normal(0, 0.5, len(phrases) + 1)[phrase]
    speed = overall * np.exp((rubato * (arch + walk)).clip(-SPEED, SPEED))
    steps = np.diff(written) / speed
    if random.random() < WITH_FERMATAS and len(steps):
        for place in random.choice(len(steps), size=min(len(steps), int(random.integers(1, 4))), replace=False):
            steps[place] += random.uniform(*FERMATA)
    return written[0] + np.concatenate([[0], np.cumsum(steps)])


def _times_of_ends(ends: np.ndarray, written: np.ndarray, course: np.ndarray) -> np.ndarray:
    """When notes with these written ends end; after the last onset time goes on at the score's tempo."""
    return np.interp(ends, [*written, written[-1] + 60], [*course, course[-1] + 60])


def _apart(start: np.ndarray, written: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move onsets by some milliseconds, and spread chords; the order of different written onsets stays."""
    moved = start + random.normal(0, ASYNCHRONY, len(start)) * random.uniform(0, 1.5)
    spread = random.uniform(0, SPREAD)
    _, chord, sizes = np.unique(written, return_inverse=True, return_counts=True)
    rank = np.arange(len(start)) - np.concatenate([[0], np.cumsum(sizes)])[chord]
    moved += spread * rank / np.maximum(sizes[chord] - 1, 1)
    heard = start[np.concatenate([[0], np.cumsum(sizes)[:-1]])]  # of each chord
    gaps = np.diff(heard, prepend=heard[0] - 1, append=heard[-1] + 1) * SHORTEST_GAP
    return np.clip(moved, (heard - gaps[:-1])[chord], (heard + gaps[1:])[chord]).clip(min=0)


def _velocities(notes: Notes, phrases: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Velocities, int (n,): the written ones, louder or softer as a whole, in phrases and note by note."""
    knots = random.normal(0, 1, len(phrases) + 1)
    contour = CONTOUR * np.interp(notes.start, phrases, knots[: len(phrases)])
    top = (notes.pitch - notes.pitch.mean()) * random.uniform(0, 0.5)
    changed = notes.velocity + random.uniform(-LOUDNESS, LOUDNESS) + contour + top + random.normal(0, TOUCH, len(notes.start))
    return changed.round().clip(20, 127).astype(int)
