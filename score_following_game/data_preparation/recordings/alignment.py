"""Dynamic time warping of a score's audio onto a recording; arrays only, no files.

There are two levels: coarse frames over the whole piece, then fine frames around the coarse path, one stretch of the score at a
time, so that memory does not grow with the square of the length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from score_following_game.data_processing.level import gain_for
from score_following_game.data_processing.spectrogram import (
    BANDS_PER_OCTAVE,
    LOWEST,
    REFERENCE,
    SAMPLE_RATE,
    band_magnitudes,
    compress,
)

FPS = 50
COARSE_FPS = 10
MOST_CELLS = 12_000_000  # of one cost matrix; librosa needs about 20 bytes per cell
_LEVEL = 3.0  # peak of the music before the logarithm; a higher level emphasises noise and reverberation
_SMOOTH = 9  # frames
_FLAT, _WEAK = 0.55, 0.35  # noise: least by largest class above this; strength, as a share of that of loud frames, below this
_FAINT = 0.01  # the same for silence
_ONSET_WEIGHT = 0.5  # weight of the onsets' distance, relative to that of the chroma
_DECAY = 0.85  # of an onset per frame; an onset then attracts the path from 100 ms away
_STRETCH, _MARGIN = 12.0, 2.0  # seconds of score per fine alignment, and margin on both sides that is discarded
_SKIP = 1.5  # cost of a recording frame outside the score, relative to the median cost of the best matches
_ALIKE, _SKIP_ALIKE = 1.5, 3.0  # the same for frames that resemble a part of the score: their cost is below this; their cost
_LONGEST_STOP = 8  # a stretch takes at most this many times its length in the recording; slower ones are refused anyway
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
    magnitudes = band_magnitudes(samples, fps=FPS)
    spectrogram = compress(magnitudes * np.float32(gain_for(_LEVEL, samples, magnitudes, SAMPLE_RATE / FPS)))
    rises = np.zeros_like(spectrogram)
    rises[:, 1:-1] = np.maximum(spectrogram[:, 2:] - spectrogram[:, :-2], 0)
    fold = (np.arange(12)[:, None] == np.arange(len(spectrogram)) % 12).astype(np.float32)
    chroma = fold @ spectrogram
    silent = _silent(chroma)
    chroma -= chroma.min(axis=0)
    chroma = np.where(silent, 0, chroma) / np.maximum(np.linalg.norm(chroma, axis=0), 1e-9)
    return Features(chroma.astype(np.float32), _decaying(fold @ rises), rises)


def _silent(chroma: np.ndarray) -> np.ndarray:
    """bool (n,): frames without music, whose chroma would attract the path at random. chroma: float32 (12, n).

    The chroma of noise, averaged over some frames, is flat.
    """
    smooth = uniform_filter1d(chroma, _SMOOTH, axis=1)
    least = smooth.min(axis=0)
    strength = np.linalg.norm(smooth - least, axis=0)
    loud = np.percentile(strength, 95)
    noise = (least > _FLAT * smooth.max(axis=0)) & (strength < _WEAK * loud)
    return noise | (strength <= _FAINT * loud)


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
    coarse = (whole_spans(pooled(score, pool), pooled(recording, pool)).mean(axis=1) + 0.5) * pool
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
        path = _path(_cut(score, top, bottom), _cut(recording, left, right), top == 0, bottom == score.frames)
        spans.append(_spans(path)[first - top : last - top] + left)
    return np.maximum.accumulate(np.concatenate(spans))


def whole_spans(score: Features, recording: Features) -> np.ndarray:
    """`warp` in one go: int64 (score frames, 2), first and last recording frame of each score frame."""
    return _spans(_path(score, recording))


def _path(score: Features, recording: Features, free_start: bool = True, free_end: bool = True) -> np.ndarray:
    """Warping path, int64 (steps, 2): (score frame, recording frame). A free end may leave out a part of the recording."""
    import librosa  # slow to import

    # An extra row before and after the score absorbs the rest of the recording, at about the cost of a matched frame. If it
    # were free, as with librosa's `subseq`, the path would compress the first notes. (`subseq` also swaps score and recording
    # when the score is longer.) Sound that resembles the score costs more: else long last notes would be left out.
    cost = _cost(score, recording)
    least = cost.min(axis=0)
    usual = float(np.median(least))
    skip = np.where(least < _ALIKE * usual, _SKIP_ALIKE * usual, _SKIP * usual)[None].astype(cost.dtype)
    cost = np.concatenate([*[skip] * free_start, cost, *[skip] * free_end])
    path = librosa.sequence.dtw(C=cost)[1][::-1] - (int(free_start), 0)
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


def rise_of(pitches: np.ndarray, rises: np.ndarray) -> np.ndarray:
    """float32 (n,): sum of the rises (bands, n) in the bands of the pitches and of their next two partials."""
    bands = (band_of(pitches)[:, None] + (0, 12, 19)).ravel()
    return rises[bands[(bands >= 0) & (bands < len(rises))]].sum(axis=0)


def _cut(features: Features, first: int, last: int) -> Features:
    return Features(features.chroma[:, first:last], features.onsets[:, first:last], features.rises[:, first:last])


def centred(chroma: np.ndarray) -> np.ndarray:
    """Columns scaled to mean 0 and length 1, so that products are correlations. The flat chroma of noise resembles nothing."""
    chroma = chroma - chroma.mean(axis=0)
    return chroma / np.maximum(np.linalg.norm(chroma, axis=0), 1e-6)


def pooled(features: Features, size: float) -> Features:
    """Pool groups of `size` frames: mean chroma, strongest onsets."""
    starts = (size * np.arange(int(np.ceil(features.frames / size)))).astype(np.int64).clip(max=features.frames - 1)
    chroma = np.add.reduceat(features.chroma, starts, axis=1)
    chroma /= np.maximum(np.linalg.norm(chroma, axis=0), 1e-9)
    return Features(chroma, np.maximum.reduceat(features.onsets, starts, axis=1), features.rises[:, starts])
