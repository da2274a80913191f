"""Where the first note of a system may be: after the clef, the key and the time signature."""

from __future__ import annotations

import numpy as np

from score_following_game.data_preparation.pages.paper import Paper
from score_following_game.data_preparation.pages.systems import System

_CLEF = 6.5  # staff spaces from the left end: a clef, a small key and a time signature
_LATEST = 14.0
_USUAL = 8.0  # where no gap says more
_GAP = 0.9  # staff spaces: signs before the notes are closer together


def first_note(paper: Paper, system: System) -> float:
    """Staff spaces from the left end of a system to what is probably its first note."""
    staff = system.staves[0]
    columns = np.arange(int(staff.left), int(min(staff.right, staff.left + (_LATEST + 3) * staff.space)))
    offsets = np.concatenate([np.linspace(number + 0.3, number + 0.7, 3) for number in range(-3, 3)]) * staff.space
    rows = np.round(staff.middle(columns) + offsets[:, None]).astype(int)
    ink = (
        paper.image[np.clip(rows, 0, len(paper.image) - 1), np.clip(columns, 0, paper.image.shape[1] - 1)] < paper.darkest_paper
    ).any(0)
    if not len(columns):
        return 0.0
    begins = np.flatnonzero(np.diff(np.pad(ink.astype(np.int8), 1)) == 1)
    ends = np.flatnonzero(np.diff(np.pad(ink.astype(np.int8), 1)) == -1)
    for begin, before in zip(begins[1:], ends):
        at = begin / staff.space
        if at > _CLEF and begin - before >= _GAP * staff.space and at <= _LATEST:
            return float(at + 0.6)  # the middle of a notehead
    return _USUAL
