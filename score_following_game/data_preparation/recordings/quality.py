"""The quality of an alignment of a recording with a score, and the rules by which a recording is refused.

The limits separate two groups of recordings of known timing. Accepted: other instruments and velocities, rubato, pauses,
reverberation, noise, applause, tuning off by 20 cents. Refused: another piece, a transposition by a semitone, a third of the
piece left out or repeated, noise, silence. A known gap: a part played twice in a short tune that repeats itself may pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from score_following_game.data_preparation.recordings.alignment import FPS, Features, centred, pooled, rise_of

_NEAR = 0.1  # seconds; a note counts as heard if it starts within this distance of its place
_LOUD = 0.25  # a rise counts as an onset above this share of the pitch's strongest rises (99th percentile)
_SHIFTS = (2.0, 3.1, 5.3, 8.2)  # seconds; shifts of the path, in both directions, that give the similarity by chance
_STRETCHES, _STRETCH_NOTES = 6, 16  # length of the weakest stretch: a sixth of the notes, at least 16
_IN_A_ROW = 4  # sound counts as music of the score if this many half seconds in a row resemble it,
_LIKE_MUSIC = 0.68  # with at least this mean correlation; of noise, 3 of 4 were below 0.66 and 19 of 20 below 0.71

REPEATS = " (each section is played once; --repeats written plays repeats as the score has them)"
_LEAST_SIMILARITY = 0.7
_LEAST_ABOVE_CHANCE = 0.3  # similarity - chance_similarity
_LEAST_HITS = 0.5  # as a share of the range from chance_hits to 1
_WEAKEST_AND_FASTEST = 1.1  # weakest + fastest; less means a stretch that is passed quickly and not heard
_SLOWEST = 3.0
_MUSIC_OUTSIDE = 4.0, 0.12  # seconds, or this share of the played part if that is longer


@dataclass(frozen=True)
class Quality:
    """Measurements of an alignment; shares are 0 .. 1, correlations -1 .. 1.

    similarity: median correlation of the chroma along the path.
    chance_similarity: the same for the path shifted by some seconds.
    hits: share of the notes whose pitch rises within 100 ms of its place.
    chance_hits: the same for any place.
    weakest: hits in the weakest sixth of the piece.
    tempo_low, tempo, tempo_high: 5th, 50th and 95th percentile of recording seconds per score second, in stretches of 4 s.
    fastest, slowest: the extremes of these, relative to the median.
    seconds: of the recording, from the first note to the last.
    music_outside: seconds of the recording before and after these that sound like a part of the score.
    """

    similarity: float
    chance_similarity: float
    hits: float
    chance_hits: float
    weakest: float
    tempo_low: float
    tempo: float
    tempo_high: float
    fastest: float
    slowest: float
    seconds: float
    music_outside: float
    alike: float = 0.0
    transposed: float = 0.0
    unexplained: float = 0.0
    standing: float = 0.0
    onset_similarity: float = 0.0
    onset_chance: float = 0.0
    own_outside: float = 0.0

    def refusal(self) -> str:
        """The first rule that is broken, with its measurements; "" if this is a recording of the score."""
        longest, share = _MUSIC_OUTSIDE
        rules = [
            (
                self.similarity < _LEAST_SIMILARITY or self.similarity - self.chance_similarity < _LEAST_ABOVE_CHANCE,
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
                self.slowest > _SLOWEST,
                f"the recording has music that is not in the score: 4 s of score take {self.slowest:.1f} times as long as usual"
                + REPEATS,
            ),
            (
                self.music_outside > max(longest, share * self.seconds),
                f"the recording has music that is not in the score: {self.music_outside:.0f} s before or after it" + REPEATS,
            ),
        ]
        return next((text for broken, text in rules if broken), "")


def measure(
    score: Features, recording: Features, spans: np.ndarray, pitches: list[np.ndarray], places: np.ndarray, tempo: np.ndarray, onsets: np.ndarray
) -> Quality:
    """Measure an alignment.

    spans: result of `alignment.warp`.
    pitches, places: for each onset of the score its pitches and its second in the recording, never decreasing.
    tempo: float64 (n,), recording seconds per score second in stretches along the whole piece.
    """
    path = spans.mean(axis=1).astype(np.int64)
    similarity, chance_similarity = _similarity(score, recording, path)
    hits, chance_hits = _hits(recording.rises[:, path[0] : path[-1] + 1], pitches, np.round(places * FPS) - path[0])
    size = max(len(hits) // _STRETCHES, min(_STRETCH_NOTES, len(hits)))
    weakest = np.convolve(hits, np.ones(size) / size, mode="valid").min()
    low, middle, high = np.percentile(tempo, (5, 50, 95))
    usual = max(middle, 1e-3)
    figures = (
        similarity,
        chance_similarity,
        hits.mean(),
        chance_hits,
        weakest,
        low,
        middle,
        high,
        tempo.min() / usual,
        tempo.max() / usual,
        places[-1] - places[0],
        music_outside(score, recording, path),
        *_extra(score, recording, path, pitches, places, onsets, usual),
    )
    return Quality(*(round(float(figure), 3) for figure in figures))


def _similarity(score: Features, recording: Features, path: np.ndarray) -> tuple[float, float]:
    """Median correlation of the chroma along the path, and along the path shifted within the played part."""
    expected, heard = centred(score.chroma), centred(recording.chroma)

    def along(frames: np.ndarray) -> float:
        there = heard[:, frames]
        sounding = there.any(axis=0)
        return float(np.median((expected * there).sum(axis=0)[sounding])) if sounding.any() else 0.0

    length = path[-1] - path[0] + 1
    shifts = [sign * round(shift * FPS) for shift in _SHIFTS for sign in (-1, 1)]
    return along(path), float(np.mean([along(path[0] + (path - path[0] + shift) % length) for shift in shifts]))


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


def _extra(score, recording, path, pitches, places, onsets, usual):
    from score_following_game.data_preparation.recordings.placing import onset_strength
    expected, heard = centred(score.chroma), centred(recording.chroma)
    n = score.frames
    alike = []
    for shift in _SHIFTS:
        k = min(round(shift * FPS), n // 2)
        for sign in (k, -k):
            alike.append(np.median((expected * np.roll(expected, sign, axis=1)).sum(axis=0)))
    there = heard[:, path]
    sounding = there.any(axis=0)
    transposed = max(float(np.median((np.roll(expected, t, axis=0) * there).sum(axis=0)[sounding])) for t in range(1, 12))
    strength = onset_strength(recording.rises, len(onsets))
    frames = np.flatnonzero(strength)
    first, last = places[0] * FPS, places[-1] * FPS
    near = 0.15 * FPS
    inside = frames[(frames >= first - near) & (frames <= last + near)]
    spots = places * FPS
    nearest = np.array([int(np.argmin(np.abs(spots - f))) for f in inside], dtype=int)
    away = np.abs(spots[nearest] - inside) > near
    w = strength[inside]
    unexplained = float((w * away).sum() / max(w.sum(), 1e-9))
    standing = 0.0
    gaps = np.diff(places)
    expect = np.diff(onsets) * usual
    for k in np.flatnonzero(gaps > 1.5 * expect + 0.5):
        own = inside[away & (inside > spots[k]) & (inside < spots[k + 1])]
        if len(own) > 1:
            standing += (own[-1] - own[0]) / FPS
    fold = (np.arange(12)[:, None] == np.arange(len(score.rises)) % 12).astype(np.float32)
    rec = centred(fold @ np.maximum.reduce([recording.rises[:, np.clip(inside + d, 0, recording.frames - 1)] for d in (-1, 0, 1)]))
    own = np.clip(np.round(onsets * FPS).astype(int), 0, score.frames - 1)
    sc = centred(fold @ np.maximum.reduce([score.rises[:, np.clip(own + d, 0, score.frames - 1)] for d in (-1, 0, 1)]))
    match = np.where(away, 0, (rec * sc[:, nearest]).sum(axis=0))
    chance = np.mean([(w * (rec * sc[:, (nearest + d) % len(own)]).sum(axis=0) * ~away).sum() / max(w.sum(), 1e-9) for d in (5, -5, 11, -11, 17)])
    before = frames[(frames < first - near) | (frames > last + near)]
    return float(np.mean(alike)), transposed, unexplained, standing, float((w * match).sum() / max(w.sum(), 1e-9)), float(chance), float(strength[before].sum())
