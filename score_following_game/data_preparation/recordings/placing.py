"""Placing each onset of a score in a recording: where its pitches rise, near the warping path, at a steady tempo.

The path alone may put the note after a pause into the silence before it, stay a note behind where a note is repeated, and
wander where a harmony is held. So all onsets are placed together, each at one of the rises near the path (Viterbi search).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d, median_filter

from score_following_game.data_preparation.recordings.alignment import FPS, Features, rise_of

_REACH = 3  # frames; the path is that vague
_WIDER = 2  # onsets on both sides up to whose places on the path a rise is considered,
_LEAST, _MOST = 2.5, 6.0  # but at least and at most so many seconds
_CANDIDATES = 24  # of an onset
_NOT_HEARD = 0.05  # a rise of this share of the strongest near by is as good as none
_USUAL_RISE = 0.3  # the strongest rise counts as at least this share of the usual one of these pitches
_STEADY = 1.5  # weight of a gap's deviation from the local tempo (its logarithm), relative to that of a rise
_PAUSE, _RUSH = np.log(3.0), np.log(8.0)  # deviations beyond these cost no more: a pause may be of any length
_VAGUE = 0.05  # seconds added to gaps before they are compared: chords are spread, and ornaments are played freely
_AWAY = 0.3, 0.1, 3.0  # cost of a second away from the path: this by the usual gap between onsets (seconds), from, to
_FARTHEST = 3.0  # largest cost of that kind
_AROUND = 9  # onsets whose gaps give the usual one
_APART = 3  # frames; what begins closer together is one onset
_WEAK = 0.3  # an onset is at least this share of the usual one, and so many times as strong as the fluctuations between them
_ABOVE_NOISE = 4.0
_MISSED = 0.5  # cost of an onset heard between two that follow each other in the score
_TEMPO_ONSETS = 12  # gaps on each side whose median is the local tempo
_ROUNDS = 2  # the tempo is measured on the path first, then on the places


def locate(
    onsets: np.ndarray,
    pitches: list[np.ndarray],
    spans: np.ndarray,
    score: Features,
    recording: Features,
) -> np.ndarray:
    """Locate each onset in the recording. The systematic error of a rise, measured on the score itself, is subtracted.

    onsets: float64 (n,), seconds in the score.  pitches: MIDI pitches of each onset.  spans: result of `warp`.
    Returns float64 (n,), seconds in the recording, never decreasing.
    """
    frames = np.clip(np.round(onsets * FPS).astype(np.int64), 0, score.frames - 1)
    rises = [_normal(rise_of(chord, score.rises)) for chord in pitches]
    own = [_exact(rise, _peak(rise, frame - _REACH, frame + _REACH + 1)) for rise, frame in zip(rises, frames)]
    bias = np.median(np.array(own) / FPS - onsets)
    rises = [_normal(rise_of(chord, recording.rises)) for chord in pitches]
    low = spans[np.maximum(frames - _REACH, 0), 0] / FPS
    high = spans[np.minimum(frames + _REACH, score.frames - 1), 1] / FPS
    on_path = spans[frames].mean(axis=1) / FPS
    by, least, most = _AWAY
    away = np.clip(by / np.maximum(median_filter(np.diff(on_path, append=on_path[-1] + 1), _AROUND), 1e-3), least, most)
    edges = np.stack([low, high], axis=1)
    found = [
        _candidates(rise, window, edge, weight)
        for rise, window, edge, weight in zip(rises, _windows(on_path, low, high), edges, away)
    ]
    candidates, evidence = [frames for frames, _ in found], [heard for _, heard in found]
    seconds = [np.array([_exact(rise, peak) for peak in frames]) / FPS for rise, frames in zip(rises, candidates)]
    heard = np.append(0, np.cumsum(onset_strength(recording.rises, len(onsets))))  # up to each frame
    places = on_path
    for _ in range(_ROUNDS):
        places = _best(onsets, candidates, seconds, evidence, _local_tempo(onsets, places), heard)
    return never_falling(places - bias)


def never_falling(values: np.ndarray) -> np.ndarray:
    """Replace values that decrease by the mean of the largest value before and the smallest value after them."""
    return (np.maximum.accumulate(values) + np.minimum.accumulate(values[::-1])[::-1]) / 2


def _normal(rise: np.ndarray) -> np.ndarray:
    """A rise as a share of the usual strong one of these pitches."""
    return rise / max(float(np.percentile(rise, 99)), 1e-6)


def _windows(on_path: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """float64 (n, 2), seconds: from where to where each onset is searched."""
    padded = np.pad(on_path, _WIDER, mode="edge")
    first = np.clip(padded[: -2 * _WIDER], low - _MOST, low - _LEAST)
    last = np.clip(padded[2 * _WIDER :], high + _LEAST, high + _MOST)
    return np.stack([first, last], axis=1)


def _candidates(rise: np.ndarray, window: np.ndarray, edges: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """The best local peaks in a window and the strongest frame on the path, int64 (m,), and their evidence, float64 (m,).

    window, edges: first and last second, of the search and of the path.  weight: cost of a second away from the path. The
    evidence says how well the onset is heard there, 0 at best.
    """
    start, stop = max(round(window[0] * FPS), 1), min(round(window[1] * FPS) + 1, len(rise) - 1)
    near = np.arange(start, stop)
    low, high = np.round(edges * FPS).astype(np.int64)
    peaks = near[(rise[near] > 0) & (rise[near] >= rise[near - 1]) & (rise[near] > rise[near + 1])]
    peaks = np.unique(np.append(peaks, _peak(rise, low, high + 1)))
    heard = rise[peaks] / max(rise[peaks].max(), _USUAL_RISE)
    away = np.maximum(np.maximum(low - peaks, peaks - high), 0) / FPS
    evidence = np.log(_NOT_HEARD + heard) - np.minimum(weight * away, _FARTHEST)
    best = np.sort(np.argsort(-evidence, kind="stable")[:_CANDIDATES])
    return peaks[best], evidence[best]


def _peak(rise: np.ndarray, first: int, last: int) -> int:
    first = max(min(first, len(rise) - 1), 0)
    return first + int(np.argmax(rise[first : max(last, first + 1)]))


def _exact(rise: np.ndarray, peak: int) -> float:
    """The peak as a fractional frame."""
    around = np.arange(max(peak - 1, 0), min(peak + 2, len(rise)))
    return float(np.average(around, weights=rise[around] + 1e-6))


def _local_tempo(onsets: np.ndarray, places: np.ndarray) -> np.ndarray:
    """float64 (n - 1,): recording seconds per score second at each gap: the median of those around, by their length."""
    gaps = np.diff(onsets)
    tempi = np.diff(places) / gaps
    result = np.empty(len(gaps))
    for gap in range(len(gaps)):
        near = slice(max(gap - _TEMPO_ONSETS, 0), gap + _TEMPO_ONSETS + 1)
        order = np.argsort(tempi[near], kind="stable")
        weights = np.cumsum(gaps[near][order])
        result[gap] = tempi[near][order][np.searchsorted(weights, weights[-1] / 2)]
    return np.maximum(result, 1e-2)


def onset_strength(rises: np.ndarray, count: int) -> np.ndarray:
    """float64 (n,): at the moments at which something begins, its strength as a share of the usual one, at most 1; else 0.

    count: about as many onsets as there are.
    """
    total = rises.sum(axis=0, dtype=np.float64)
    peaks = total == maximum_filter1d(total, 2 * _APART + 1)
    usual = max(float(np.median(np.sort(total[peaks])[-count:])), 1e-6)
    least = max(_WEAK * usual, _ABOVE_NOISE * float(np.percentile(total[peaks], 20)))
    return np.where(peaks & (total > least), np.minimum(total / usual, 1), 0)


def _best(
    onsets: np.ndarray,
    candidates: list[np.ndarray],
    seconds: list[np.ndarray],
    evidence: list[np.ndarray],
    tempo: np.ndarray,
    heard: np.ndarray,
) -> np.ndarray:
    """float64 (n,): the candidates with the best sum of evidence and steadiness."""
    before = heard[np.maximum(candidates[0] - _APART, 0)]
    total, back = evidence[0] - _MISSED * (before - before.min()), []
    for number in range(1, len(onsets)):
        expected = tempo[number - 1] * (onsets[number] - onsets[number - 1])
        gaps = seconds[number][:, None] - seconds[number - 1]
        deviation = np.log((np.maximum(gaps, 0) + _VAGUE) / (expected + _VAGUE))
        cost = _STEADY * np.clip(np.abs(deviation), 0, np.where(deviation > 0, _PAUSE, _RUSH))
        begins, ends = candidates[number - 1] + _APART, np.maximum(candidates[number] - _APART, 0)
        cost += _MISSED * np.maximum(heard[ends][:, None] - heard[np.minimum(begins, len(heard) - 1)], 0)
        sums = total - np.where(gaps > 0, cost, 1e3 - gaps)
        back.append(np.argmax(sums, axis=1))
        total = sums.max(axis=1) + evidence[number]
    after = heard[np.minimum(candidates[-1] + _APART, len(heard) - 1)]
    chosen = [int(np.argmax(total - _MISSED * (after.max() - after)))]
    for best in back[::-1]:
        chosen.append(int(best[chosen[-1]]))
    return np.array([found[index] for found, index in zip(seconds, chosen[::-1])])
