"""Staves: five level lines at equal distances, followed from left to right, however the paper bends."""

from __future__ import annotations

import numpy as np

from score_following_game.data_preparation.pages.measuring import measured
from score_following_game.data_preparation.pages.paper import SPACE, Paper
from score_following_game.data_preparation.pages.staff import Staff
from score_following_game.data_preparation.pages.staff_lines import line_map
from score_following_game.data_preparation.pages.tracks import (
    STEP,
    Track,
    column_scores,
    erase,
    follow,
    is_staff,
    join,
    length,
    overlap,
)
from score_following_game.opencv import cv2

SIZES = 1.0, 0.9, 1.1, 0.8, 0.72  # of the page's staff space: singers' and cue staves are smaller
_SHORTEST_OTHER = 0.4  # of the usual staff's length, for a staff of another size: text looks like short small staves
_HIDDEN = 4.0  # staff spaces between two parts of a staff; two staves of one height are further apart


def find_staves(paper: Paper) -> list[Staff]:
    """The staves of a page, from top to bottom and from left to right."""
    lines = line_map(paper.image, SPACE, paper.contrast)
    tolerant = cv2.dilate(lines, np.ones((3, 1), np.uint8))[:, ::STEP]
    ink = cv2.dilate((paper.image < paper.darkest_paper).astype(np.uint8), np.ones((3, 1), np.uint8))[:, ::STEP]
    accepted: list[Track] = []
    for size in SIZES:
        usual = np.median([length(track) for track in accepted]) if accepted else 0
        for track in sorted(follow(column_scores(tolerant, size * SPACE), size), key=lambda track: -track.score):
            long_enough = size == 1 or length(track) >= _SHORTEST_OTHER * usual
            if long_enough and is_staff(track, tolerant, ink) and not any(overlap(track, other) for other in accepted):
                accepted.append(track)
                erase(tolerant, track)
    joined = join(sorted(accepted, key=lambda track: track.columns[0]))
    staves = [staff for track in joined if (staff := measured(track, lines, paper)) is not None]
    distinct: list[Staff] = []
    for staff in sorted(staves, key=lambda staff: staff.left - staff.right):
        if not any(_same(staff, other) for other in distinct):
            distinct.append(staff)
    return sorted(_whole(distinct), key=lambda staff: (staff.top, staff.left))


def _whole(staves: list[Staff]) -> list[Staff]:
    """Join staves that continue one another across a place where the lines cannot be seen."""
    whole: list[Staff] = []
    for staff in sorted(staves, key=lambda staff: staff.left):
        for place, other in enumerate(whole):
            between = (other.right + staff.left) / 2
            off = abs(float(staff.middle(between) - other.middle(between)))
            if staff.left - other.right < _HIDDEN * staff.space and off < staff.space / 2:
                lengths = other.right - other.left, staff.right - staff.left
                x, y = np.concatenate([other.x, staff.x]), np.concatenate([other.y, staff.y])
                space = float(np.average([other.space, staff.space], weights=lengths))
                whole[place] = Staff(other.left, max(staff.right, other.right), space, x[x.argsort()], y[x.argsort()])
                break
        else:
            whole.append(staff)
    return whole


def _same(staff: Staff, other: Staff) -> bool:
    """Whether two staves have lines in common: the ends of both were found further out, where the other's are."""
    begin, end = max(staff.left, other.left), min(staff.right, other.right)
    return end > begin and abs(float(staff.middle((begin + end) / 2) - other.middle((begin + end) / 2))) < 2 * SPACE
