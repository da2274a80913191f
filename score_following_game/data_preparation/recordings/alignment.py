"""Dynamic time warping of a score's audio onto a recording; arrays only, no files.

There are two levels: coarse frames over the whole piece, then fine frames around the coarse path, one stretch of the score at a
time, so that memory does not grow with the square of the length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from score_following_game.data_processing.audio import set_peak
from score_following_game.data_processing.spectrogram import BANDS_PER_OCTAVE, LOWEST, REFERENCE, compute_spectrogram

FPS = 50
COARSE_FPS = 10
MOST_CELLS = 12_000_000  # of one cost matrix; librosa needs about 20 bytes per cell
_LEVEL = 3.0  # peak of the samples before the logarithm; a higher level emphasises noise and reverberation
_ONSET_WEIGHT = 0.5  # weight of the onsets' distance, relative to that of the chroma
_DECAY = 0.85  # of an onset per frame; an onset then attracts the path from 100 ms away
_STRETCH, _MARGIN = 12.0, 2.0  # seconds of score per fine alignment, and margin on both sides that is discarded
_SKIP = 1.5  # cost of a recording frame outside the score, relative to the median cost of the best matches
_LONGEST_STOP = 8  # a stretch takes at most this many times its length in the recording; slower ones are refused anyway
_REACH = 3  # frames; an onset is searched within this distance of its place on the path
_NEIGHBOURS, _FEWEST = 6, 4  # onsets on each side of a run that predict its place; minimum number
_LONGEST_RUN = 3  # onsets that are corrected together
_AGREED, _MISPLACED = 0.12, 0.25  # seconds: largest difference of the two predictions; least error of a misplaced run
_JUMP = 1.5  # factor of the usual tempo at one end of a misplaced run, and its inverse at the other end
_HEARD_TOO = 0.5  # least rise at the corrected place, relative to that at the old place
_HEARD_NEAR = 4  # frames on both sides of a place that count as heard there
_LOWEST_STEP = int(np.ceil(BANDS_PER_OCTAVE * np.log2(LOWEST / REFERENCE)))  # semitone of the first filter corner, A4 = 0


@dataclass(frozen=True)
class Features:
    """Features of n frames; frame k is centred on second k / FPS.

    chroma: float32 (12, n), columns of length 1, 0 in silence.
    onsets: float32 (12, n), rise of each pitch class, decaying over time.
    rises: float32 (bands, n), rise of each band of the spectrogram.
    """

    chroma: np.ndarray
    onsets: np.ndarray
    rises: np.ndarray

    @property
    def frames(self) -> int:
        return self.chroma.shape[1]


def band_of(pitch: int | np.ndarray) -> np.ndarray:
    """Spectrogram band of a MIDI pitch; it may lie outside the spectrogram."""
    return np.asarray(pitch) - 69 - _LOWEST_STEP - 1


def compute_features(samples: np.ndarray) -> Features:
    """Features of audio at FPS. samples: float32 (n,), mono, 22 050 Hz, not empty."""
    spectrogram = compute_spectrogram(set_peak(samples, _LEVEL), fps=FPS)
    rises = np.zeros_like(spectrogram)
    rises[:, 1:-1] = np.maximum(spectrogram[:, 2:] - spectrogram[:, :-2], 0)
    fold = (np.arange(12)[:, None] == np.arange(len(spectrogram)) % 12).astype(np.float32)
    chroma = fold @ spectrogram
    chroma -= chroma.min(axis=0)
    length = np.linalg.norm(chroma, axis=0)
    chroma = np.where(length > 1e-2 * length.max(), chroma, 0) / np.maximum(length, 1e-9)
    return Features(chroma.astype(np.float32), _decaying(fold @ rises), rises)


def _decaying(rises: np.ndarray) -> np.ndarray:
    """Scale each onset by the strongest one within half a second and let it decay. rises, result: float32 (12, n)."""
    length = np.linalg.norm(rises, axis=0)
    nearby = maximum_filter1d(length, FPS)
    onsets = rises / np.maximum(nearby, 0.2 * length.max() + 1e-9)
    for frame in range(1, onsets.shape[1]):
        onsets[:, frame] = np.maximum(onsets[:, frame], _DECAY * onsets[:, frame - 1])
    return onsets.astype(np.float32)


def warp(score: Features, recording: Features, most_cells: int = MOST_CELLS) -> np.ndarray:
    """Match the whole score with a part of the recording.

    most_cells: limit for the size of a cost matrix, and so for the memory.
    Returns int64 (score frames, 2): the first and last recording frame matched with each score frame.
    """
    pool = max(FPS // COARSE_FPS, int(np.ceil(np.sqrt(score.frames * recording.frames / most_cells))))
    coarse = (_spans(_path(pooled(score, pool), pooled(recording, pool), free_ends=True)).mean(axis=1) + 0.5) * pool
    middles = (np.arange(len(coarse)) + 0.5) * pool
    step, margin = int(_STRETCH * FPS), int(_MARGIN * FPS)
    spans = []
    for first in range(0, score.frames, step):
        last = min(first + step, score.frames)
        top, bottom = max(first - margin, 0), min(last + margin, score.frames)
        left, right = (round(float(np.interp(edge, middles, coarse))) for edge in (top, bottom))
        left, right = max(left - margin * (top == 0), 0), min(right + margin * (bottom == score.frames), recording.frames)
        left = max(min(left, recording.frames - 2), 0)
        right = min(max(right, left + 2), left + _LONGEST_STOP * (bottom - top))
        path = _path(_cut(score, top, bottom), _cut(recording, left, right), top == 0 or bottom == score.frames)
        spans.append(_spans(path)[first - top : last - top] + left)
    return np.maximum.accumulate(np.concatenate(spans))


def _path(score: Features, recording: Features, free_ends: bool) -> np.ndarray:
    """Warping path, int64 (steps, 2): (score frame, recording frame). free_ends: match only a part of the recording."""
    import librosa  # slow to import

    # An extra row before and after the score absorbs the rest of the recording, at about the cost of a matched frame. If it
    # were free, as with librosa's `subseq`, the path would compress the first notes. (`subseq` also swaps score and recording
    # when the score is longer.)
    cost = _cost(score, recording)
    if free_ends:
        cost = np.pad(cost, ((1, 1), (0, 0)), constant_values=_SKIP * float(np.median(cost.min(axis=0))))
    path = librosa.sequence.dtw(C=cost)[1][::-1] - (int(free_ends), 0)
    return path[(path[:, 0] >= 0) & (path[:, 0] < score.frames)]


def _cost(score: Features, recording: Features) -> np.ndarray:
    """float32 (score frames, recording frames): cosine distance of the chroma + weighted Euclidean distance of onsets."""
    cost = (score.onsets**2).sum(axis=0)[:, None] + (recording.onsets**2).sum(axis=0) - 2 * score.onsets.T @ recording.onsets
    np.sqrt(np.maximum(cost, 0, out=cost), out=cost)  # in place: this is a large array
    cost *= _ONSET_WEIGHT
    cost += 1
    cost -= score.chroma.T @ recording.chroma
    return cost


def _spans(path: np.ndarray) -> np.ndarray:
    """int64 (score frames, 2): first and last recording frame of each score frame on the path."""
    first = np.unique(path[:, 0], return_index=True)[1]
    last = np.append(first[1:], len(path)) - 1
    return path[np.stack([first, last], axis=1), 1]


def locate(
    onsets: np.ndarray,
    pitches: list[np.ndarray],
    spans: np.ndarray,
    score: Features,
    recording: Features,
) -> np.ndarray:
    """Locate each onset in the recording: where its pitches rise most steeply near the path.

    The systematic error of this search, measured on the score itself, is subtracted. Afterwards `mend` corrects outliers.

    onsets: float64 (n,), seconds in the score.  pitches: MIDI pitches of each onset.  spans: result of `warp`.
    Returns float64 (n,), seconds in the recording, never decreasing.
    """
    own = np.arange(score.frames)[:, None] + (0, 0)
    frames = np.round(onsets * FPS).astype(np.int64)
    found = [
        [_steepest(chord, frame, where, features) for chord, frame in zip(pitches, frames)]
        for where, features in ((own, score), (spans, recording))
    ]
    bias = np.median(np.array(found[0]) / FPS - onsets)
    return mend(onsets, pitches, never_falling(np.array(found[1]) / FPS - bias), recording.rises)


def never_falling(values: np.ndarray) -> np.ndarray:
    """Replace values that decrease by the mean of the largest value before and the smallest value after them."""
    return (np.maximum.accumulate(values) + np.minimum.accumulate(values[::-1])[::-1]) / 2


def mend(onsets: np.ndarray, pitches: list[np.ndarray], places: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """Correct misplaced runs of up to three onsets. Returns the corrected places.

    A run is misplaced when the lines through the onsets before and after it agree on places far away from it, the tempo jumps
    in opposite directions at its two ends, and its pitches rise at the predicted places too. The jumps are needed since a
    pause or a ritardando jumps in one direction only: the lines alone would move more right notes than wrong ones in a rubato.

    onsets: float64 (n,), seconds in the score.  places: float64 (n,), seconds in the recording, never decreasing.
    """
    places = places.copy()
    for size in range(1, _LONGEST_RUN + 1):
        for first in range(_FEWEST, len(onsets) - size - _FEWEST + 1):
            run = slice(first, first + size)
            if not _jumps(onsets, places, run):
                continue
            sides = [
                _extrapolated(onsets[side], places[side], onsets[run])
                for side in (slice(max(first - _NEIGHBOURS, 0), first), slice(run.stop, run.stop + _NEIGHBOURS))
            ]
            agreed = (sides[0] + sides[1]) / 2
            if (
                np.abs(sides[0] - sides[1]).max() < _AGREED
                and np.abs(places[run] - agreed).min() > _MISPLACED
                and all(
                    _heard(chord, there, rises) >= _HEARD_TOO * _heard(chord, here, rises)
                    for chord, here, there in zip(pitches[run], places[run], agreed)
                )
            ):
                places[run] = agreed
    return never_falling(places)


def _jumps(onsets: np.ndarray, places: np.ndarray, run: slice) -> bool:
    """Returns True if the tempo is far above the usual one at one end of the run and far below it at the other."""
    near = slice(max(run.start - _NEIGHBOURS, 0), run.stop + _NEIGHBOURS)
    usual = max(float(np.median(np.diff(places[near]) / np.diff(onsets[near]))), 1e-3)
    ends = [(places[end] - places[end - 1]) / (onsets[end] - onsets[end - 1]) / usual for end in (run.start, run.stop)]
    return min(ends) < 1 / _JUMP and max(ends) > _JUMP


def _extrapolated(onsets: np.ndarray, places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Predict the places of other onsets by the Theil-Sen line (median slope and intercept) through these."""
    first, last = np.triu_indices(len(onsets), 1)
    slope = np.median((places[last] - places[first]) / (onsets[last] - onsets[first]))
    return np.median(places - slope * onsets) + slope * others


def _heard(pitches: np.ndarray, place: float, rises: np.ndarray) -> float:
    """Largest rise of the pitches near a place (second) in the recording."""
    frame = max(round(place * FPS), 0)
    return float(rise_of(pitches, rises[:, max(frame - _HEARD_NEAR, 0) : frame + _HEARD_NEAR + 1]).max(initial=0.0))


def _steepest(pitches: np.ndarray, frame: int, spans: np.ndarray, features: Features) -> float:
    """Fractional recording frame of the steepest rise near a score frame."""
    near = spans[max(frame - _REACH, 0) : frame + _REACH + 1]
    low, high = int(near[0, 0]), int(near[-1, 1])
    first, last = max(low - _REACH, 0), min(high + _REACH, features.frames - 1)
    rise = rise_of(pitches, features.rises[:, first : last + 1]) + 1e-6
    candidates = np.arange(first, last + 1)
    outside = np.maximum(np.maximum(low - candidates, candidates - high), 0)
    peak = int(np.argmax(rise * (1 - 0.5 * outside / (_REACH + 1))))
    around = slice(max(peak - 1, 0), peak + 2)
    return float(np.average(candidates[around], weights=rise[around]))


def rise_of(pitches: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """float32 (n,): sum of the rises (bands, n) in the bands of the pitches and of their next two partials."""
    bands = (band_of(pitches)[:, None] + (0, 12, 19)).ravel()
    return rises[bands[(bands >= 0) & (bands < len(rises))]].sum(axis=0)


def _cut(features: Features, first: int, last: int) -> Features:
    return Features(features.chroma[:, first:last], features.onsets[:, first:last], features.rises[:, first:last])


def pooled(features: Features, size: int) -> Features:
    """Pool groups of `size` frames: mean chroma, strongest onsets."""
    starts = np.arange(0, features.frames, size)
    chroma = np.add.reduceat(features.chroma, starts, axis=1)
    chroma /= np.maximum(np.linalg.norm(chroma, axis=0), 1e-9)
    return Features(chroma, np.maximum.reduceat(features.onsets, starts, axis=1), features.rises[:, starts])
