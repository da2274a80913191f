"""How fast a recording plays a score. The score is played at that speed before the two are compared note by note.

Time warping needs scores and recordings of similar speed: at more than about twice the speed the path derails.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.data_preparation.recordings.alignment import (
    COARSE_FPS,
    FPS,
    MOST_CELLS,
    Features,
    centred,
    pooled,
    whole_spans,
)

if TYPE_CHECKING:
    import pretty_midi

_ROUNDS = 3  # of playing the score at the speed that was found, and measuring again
_LONGEST = 1.1  # the score takes at most this share of the recording
_STEADY = 1.2  # a factor that small changes nothing


def speed_of(score: Features, recording: Features, most_cells: int = MOST_CELLS) -> float:
    """Recording seconds per score second.

    Tried are the score's own speed and the one by which both are equally long. Each is corrected by the tempo that the path
    shows, and the one whose path fits better counts.
    """
    found = []
    longest = _LONGEST * recording.frames / score.frames
    for factor in (min(1.0, longest), recording.frames / score.frames):
        for _ in range(_ROUNDS):
            tempo, fit = _on_coarse_path(score, recording, factor, most_cells)
            if 1 / _STEADY < tempo < _STEADY:
                break
            factor = min(factor * tempo, longest)
        found.append((fit, factor))
    return max(found)[1]


def _on_coarse_path(score: Features, recording: Features, factor: float, most_cells: int) -> tuple[float, float]:
    """The usual tempo along the path, relative to the factor, and how well the sounds agree along it, at most 1."""
    size = max(FPS / COARSE_FPS, float(np.sqrt(score.frames * factor * recording.frames / most_cells)))
    played, heard = pooled(score, size / factor), pooled(recording, size)
    path = whole_spans(played, heard).mean(axis=1)
    step = max(1, round(4 * FPS / size))
    tempo = np.median(path[step:] - path[:-step]) / step if len(path) > step else (path[-1] - path[0]) / len(path)
    fit = (centred(played.chroma) * centred(heard.chroma)[:, np.round(path).astype(int)]).sum(axis=0).mean()
    return max(float(tempo), 0.1), float(fit)


def at_speed(midi: pretty_midi.PrettyMIDI, factor: float) -> pretty_midi.PrettyMIDI:
    """The same music in `factor` times its time."""
    result = copy.deepcopy(midi)
    for part in result.instruments:
        for note in part.notes:
            note.start, note.end = factor * note.start, factor * note.end
        for event in (*part.control_changes, *part.pitch_bends):
            event.time *= factor
    return result
