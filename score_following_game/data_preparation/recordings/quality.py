"""The quality of an alignment of a recording with a score, and the rules by which a recording is refused.

The limits separate two groups of recordings of known timing (benchmarks/alignment.py). Accepted: other instruments, speeds and
velocities, rubato, pauses, ornaments, reverberation, noise, applause, tuning off by 40 cents, static harmony. Refused: another
piece, a transposition by a semitone, other music above the score's drone, a third of the piece left out or repeated, other
music in between, noise, silence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from score_following_game.data_preparation.recordings.alignment import FPS, Features, centred, pooled, rise_of
from score_following_game.data_preparation.recordings.placing import onset_strength

_NEAR = 0.1  # seconds; a note counts as heard if it starts within this distance of its place
_EXPLAINED = 0.15  # seconds; an onset of the recording within this distance belongs to a note
_LOUD = 0.25  # a rise counts as an onset above this share of the pitch's strongest rises (99th percentile)
_SHIFTS = (2.0, 3.1, 5.3, 8.2)  # seconds; shifts of the path, in both directions, that give the similarity by chance
_STRETCHES, _STRETCH_NOTES, _STRETCH_SECONDS = 6, 16, 4.0  # length of the weakest stretch: a sixth, but at least so much
_IN_A_ROW = 4  # sound counts as music of the score if this many half seconds in a row resemble it,
_LIKE_MUSIC = 0.68  # with at least this mean correlation; of noise, 3 of 4 were below 0.66 and 19 of 20 below 0.71
_NEARLY_ALWAYS = 20  # percentile
_WAITS = 1.5, 0.5  # the sheet stands still between two onsets this many times as far apart as usual, plus so many seconds

REPEATS = " (each section is played once; --repeats written plays repeats as the score has them, --order those that are played)"
_LEAST_SIMILARITY = 0.7
_LEAST_ABOVE_CHANCE = 0.3  # similarity - chance_similarity, as a share of 1 - own_similarity
_LEAST_IN_STRETCH = 0.3  # weak_similarity
_LEAST_HITS = 0.5  # as a share of the range from chance_hits to 1
_WEAKEST_AND_FASTEST = 1.1  # weakest + fastest; less means a stretch that is passed quickly and not heard
_SAME_CHORD = 0.4  # least correlation of the chroma of a held chord with its own
_STATIC = 0.9  # least weakest by own_similarity: where the harmony is static, only the notes show where the music is
_SLOWEST = 6.0
_STANDING = 4.0, 0.05  # seconds, or this share of the played part if that is longer
_MUSIC_OUTSIDE = 4.0, 0.12  # the same


@dataclass(frozen=True)
class Quality:
    """Measurements of an alignment; shares are 0 .. 1, correlations -1 .. 1.

    similarity: median correlation of the chroma along the path, where there is sound.
    chance_similarity: the same for the path shifted by some seconds.
    own_similarity: that of the score with itself, shifted in this way: high for static harmony.
    weak_similarity: similarity in the weakest sixth of the piece.
    hits: share of the notes whose pitch rises within 100 ms of its place.
    chance_hits: the same for any place.
    weakest: hits in the weakest sixth of the piece.
    tempo_low, tempo, tempo_high: 5th, 50th and 95th percentile of recording seconds per score second, in stretches of 4 s.
    fastest, slowest: the extremes of these, relative to the median.
    seconds: of the recording, from the first note to the last.
    standing: seconds of other music during which the sheet stands still.
    music_outside: seconds of the recording before and after these that sound like a part of the score.
    """

    similarity: float
    chance_similarity: float
    own_similarity: float
    weak_similarity: float
    hits: float
    chance_hits: float
    weakest: float
    tempo_low: float
    tempo: float
    tempo_high: float
    fastest: float
    slowest: float
    seconds: float
    standing: float
    music_outside: float

    def refusal(self) -> str:
        """The first rule that is broken, with its measurements; "" if this is a recording of the score."""
        other_music = "the recording has music that is not in the score: "
        rules = [
            (
                self.similarity < _LEAST_SIMILARITY
                or self.similarity - self.chance_similarity < _LEAST_ABOVE_CHANCE * (1 - max(self.own_similarity, 0.0)),
                f"the harmony differs: similarity {self.similarity:.2f}, {self.chance_similarity:.2f} by chance",
            ),
            (
                self.hits - self.chance_hits < _LEAST_HITS * (1 - self.chance_hits) or self.chance_hits == 1,
                f"{self.hits:.0%} of the notes are heard where expected, {self.chance_hits:.0%} by chance",
            ),
            (
                self.weakest + self.fastest < _WEAKEST_AND_FASTEST,
                f"a part of the score is not played: in one stretch {self.weakest:.0%} of the notes are heard where expected, "
                f"and 4 s of score take {self.fastest:.0%} of the usual time",
            ),
            (
                self.weakest < _STATIC * self.own_similarity,
                f"the harmony hardly changes, and in one stretch only {self.weakest:.0%} of the notes are heard where expected",
            ),
            (
                self.weak_similarity < _LEAST_IN_STRETCH,
                f"in a part of the score the harmony differs: similarity {self.weak_similarity:.2f}",
            ),
            (
                self.standing > _limit(_STANDING, self.seconds),
                other_music + f"{self.standing:.0f} s during which the score has no note" + REPEATS,
            ),
            (
                self.slowest > _SLOWEST,
                other_music + f"4 s of score take {self.slowest:.1f} times as long as usual" + REPEATS,
            ),
            (
                self.music_outside > _limit(_MUSIC_OUTSIDE, self.seconds),
                other_music + f"{self.music_outside:.0f} s before or after it" + REPEATS,
            ),
        ]
        return next((text for broken, text in rules if broken), "")


def _limit(seconds_or_share: tuple[float, float], seconds: float) -> float:
    least, share = seconds_or_share
    return max(least, share * seconds)


def measure(
    score: Features,
    recording: Features,
    spans: np.ndarray,
    onsets: np.ndarray,
    pitches: list[np.ndarray],
    places: np.ndarray,
    tempo: np.ndarray,
) -> Quality:
    """Measure an alignment.

    spans: result of `alignment.warp`.
    onsets, pitches, places: each onset of the score, seconds, its pitches and its second in the recording, never decreasing.
    tempo: float64 (n,), recording seconds per score second in stretches along the whole piece.
    """
    path = spans.mean(axis=1).astype(np.int64)
    hits, chance_hits = _hits(recording.rises[:, path[0] : path[-1] + 1], pitches, np.round(places * FPS) - path[0])
    size = max(len(hits) // _STRETCHES, min(_STRETCH_NOTES, len(hits)))
    weakest = np.convolve(hits, np.ones(size) / size, mode="valid").min()
    low, middle, high = np.percentile(tempo, (5, 50, 95))
    usual = max(middle, 1e-3)
    figures = (
        *_similarities(score, recording, path),
        hits.mean(),
        chance_hits,
        weakest,
        low,
        middle,
        high,
        tempo.min() / usual,
        tempo.max() / usual,
        places[-1] - places[0],
        _standing(score, recording, onsets, places, usual),
        music_outside(score, recording, path),
    )
    return Quality(*(round(float(figure), 3) for figure in figures))


def _similarities(score: Features, recording: Features, path: np.ndarray) -> tuple[float, float, float, float]:
    """Correlation of the chroma, the median where there is sound: along the path, along the path shifted within the played
    part, of the score with itself shifted by as much, and in the weakest stretch of the path.

    Of what is measured with and without the pitch classes that sound all the time the better counts: a drone dies away on a
    piano and not on an organ.
    """
    heard = np.where(recording.chroma.any(axis=0), _without_drone(recording.chroma, path), 0)
    pairs = (score.chroma, recording.chroma), (_without_drone(score.chroma), heard)
    return max(_similarities_of(centred(expected), centred(sound), path) for expected, sound in pairs)


def _without_drone(chroma: np.ndarray, frames: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Chroma (12, n) less what each class has nearly always in these frames."""
    return np.maximum(chroma - np.percentile(chroma[:, frames], _NEARLY_ALWAYS, axis=1, keepdims=True), 0)


def _similarities_of(expected: np.ndarray, heard: np.ndarray, path: np.ndarray) -> tuple[float, float, float, float]:
    def along(frames: np.ndarray, part: slice = slice(None)) -> float:
        there = heard[:, frames[part]]
        sounding = there.any(axis=0)
        return float(np.median((expected[:, part] * there).sum(axis=0)[sounding])) if sounding.any() else 0.0

    length = path[-1] - path[0] + 1
    shifts = [sign * round(shift * FPS) for shift in _SHIFTS for sign in (-1, 1)]
    chance = [along(path[0] + (path - path[0] + shift) % length) for shift in shifts]
    own = [float(np.median((expected * np.roll(expected, shift, axis=1)).sum(axis=0))) for shift in shifts]
    size = max(len(path) // _STRETCHES, round(_STRETCH_SECONDS * FPS))
    starts = range(0, max(len(path) - size, 0) + 1, max(size // 4, 1))
    weak = min(along(path, slice(start, start + size)) for start in starts)
    return along(path), float(np.mean(chance)), float(np.mean(own)), weak


def _standing(score: Features, recording: Features, onsets: np.ndarray, places: np.ndarray, usual: float) -> float:
    """Seconds of other music while the sheet waits for a note: the larger of two measurements.

    From the first to the last onset that is heard and belongs to no note, which instruments with soft attack hide; and how long
    the harmony is not that of the notes before, which a held note keeps. usual: recording by score seconds.
    """
    heard = np.flatnonzero(onset_strength(recording.rises, len(onsets))) / FPS
    expected, sound = centred(score.chroma), centred(recording.chroma)
    times, extra = _WAITS
    by_onsets = by_harmony = 0.0
    for wait in np.flatnonzero(np.diff(places) > times * usual * np.diff(onsets) + extra):
        first, last = places[wait] + _EXPLAINED, places[wait + 1] - _EXPLAINED
        own = heard[(heard > first) & (heard < last)]
        by_onsets += float(own[-1] - own[0]) if len(own) > 1 else 0.0
        begin, end = (int(onset * FPS) for onset in onsets[wait : wait + 2])
        chord = expected[:, begin : max(end, begin + 1)].mean(axis=1)
        there = sound[:, round(first * FPS) : round(last * FPS)]
        like = chord @ there / max(float(np.linalg.norm(chord)), 1e-6)
        by_harmony += float((there.any(axis=0) & (like < _SAME_CHORD)).sum()) / FPS
    return max(by_onsets, by_harmony)


def _hits(rises: np.ndarray, pitches: list[np.ndarray], frames: np.ndarray) -> tuple[np.ndarray, float]:
    """Return whether each note's pitch rises near its frame (float64 (notes,), by onset), and the share expected by chance."""
    frames = np.clip(frames, 0, rises.shape[1] - 1).astype(np.int64)
    width = 2 * round(_NEAR * FPS) + 1
    risen = {}
    for pitch in np.unique(np.concatenate(pitches)):
        rise = maximum_filter1d(rise_of(np.array([pitch]), rises), width)
        risen[pitch] = rise > _LOUD * np.percentile(rise, 99)
    hits = [risen[pitch][frame] for chord, frame in zip(pitches, frames) for pitch in chord]
    chance = [risen[pitch].mean() for chord in pitches for pitch in chord]
    return np.array(hits, dtype=np.float64), float(np.mean(chance))


def music_outside(score: Features, recording: Features, path: np.ndarray) -> float:
    """Seconds of the recording outside the path that resemble a part of the score about as well as the path itself does.

    path: int64 (score frames,), the recording frame of each score frame.
    """
    size = FPS // 2
    products = centred(pooled(score, size).chroma).T @ centred(pooled(recording, size).chroma)
    if min(products.shape) < _IN_A_ROW:
        return 0.0
    rows, columns = (length - _IN_A_ROW + 1 for length in products.shape)
    likeness = sum(products[k : k + rows, k : k + columns] for k in range(_IN_A_ROW)).max(axis=0) / _IN_A_ROW
    first, last = path[0] // size, path[-1] // size
    usual = np.percentile(likeness[min(first, columns - 1) : max(last - _IN_A_ROW, first) + 1], 25)
    outside = np.concatenate([likeness[: max(first - _IN_A_ROW, 0)], likeness[last + 1 :]])
    return float((outside >= max(usual, _LIKE_MUSIC)).sum() * size / FPS)
