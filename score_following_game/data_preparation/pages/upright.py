"""Whether a page is upside down: staves begin with clefs, which are alike, and end with whatever notes they end with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from score_following_game.data_preparation.pages.paper import SPACE, Paper
from score_following_game.data_preparation.pages.staff import Staff
from score_following_game.opencv import cv2

_WIDE, _HIGH = 4.0, 4.0  # staff spaces from the end of a staff inwards, and above and below its middle
_CELL = 4  # pixels whose mean stands for them: clefs of two staves never lie on the same pixels
_MANY, _FEWEST = 6, 3  # staves. With many, each clef has two of its kind beside it; treble and bass take turns. With few, one
_LEAST, _MARGIN = 0.75, 0.1  # correlation at the right ends, and by how much more than at the left ends


def is_upside_down(paper: Paper, staves: Sequence[Staff]) -> bool:
    """Whether the right ends of a page's staves are alike, as clefs are, and the left ends are not."""
    if len(staves) < _FEWEST:
        return False
    begins = _likeness([_end(paper, staff, staff.left + _WIDE / 2 * SPACE) for staff in staves])
    ends = _likeness([_end(paper, staff, staff.right - _WIDE / 2 * SPACE) for staff in staves])
    return ends > _LEAST and ends > begins + _MARGIN


def _end(paper: Paper, staff: Staff, x: float) -> np.ndarray:
    """The ink around a place of a staff, coarsely, float32 (n,)."""
    size = round(_WIDE * SPACE), round(2 * _HIGH * SPACE)
    part = cv2.getRectSubPix(255 - paper.image, size, (float(x), float(staff.middle(x))))
    return cv2.resize(part, (size[0] // _CELL, size[1] // _CELL), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)


def _likeness(ends: Sequence[np.ndarray]) -> float:
    """The median over ends of the mean correlation with the others that are most like it."""
    alike = np.nan_to_num(np.corrcoef(ends))
    np.fill_diagonal(alike, -1)
    likest = 2 if len(ends) >= _MANY else 1
    return float(np.median(np.sort(alike, axis=1)[:, -likest:].mean(axis=1)))
