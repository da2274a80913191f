"""Check pictures: the sheet enlarged and wrapped into lines, with a marker on every notehead, for inspection by eye."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from score_following_game.data_processing.score_npz import Score
from score_following_game.opencv import cv2

_ENLARGED = 3
_GAP = 4  # rows of grey between lines, before enlargement
_RED = (0, 0, 255)
_HEIGHT_PER_RADIUS = 28  # sheet rows per row of radius: markers are about as large as noteheads in both styles


def check_picture(score: Score, systems: Sequence[int]) -> np.ndarray:
    """Draw a piece. systems: first sheet column of each line, beginning with 0. Returns uint8 (rows, columns, 3), BGR."""
    height, width = score.sheet.shape
    starts = [*systems, width]
    longest = max(end - start for start, end in itertools.pairwise(starts))
    lines = [
        np.pad(score.sheet[:, start:end], ((0, _GAP), (0, longest - (end - start))), constant_values=200)
        for start, end in itertools.pairwise(starts)
    ]
    picture = cv2.resize(np.vstack(lines), None, fx=_ENLARGED, fy=_ENLARGED, interpolation=cv2.INTER_NEAREST)
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    radius, thickness = _ENLARGED * max(1, height // _HEIGHT_PER_RADIUS), max(1, height // 80)
    for y, x in score.coords:
        line = int(np.searchsorted(starts[1:-1], x, side="right"))
        row, column = y + line * (height + _GAP), x - starts[line]
        centre = round((column + 0.5) * _ENLARGED), round((row + 0.5) * _ENLARGED)
        cv2.circle(picture, centre, radius, _RED, thickness, cv2.LINE_AA)
    return picture
