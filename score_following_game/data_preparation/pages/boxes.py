"""Systems that a person has marked by boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from score_following_game.data_preparation.pages.corrections import Box, Corrections
from score_following_game.data_preparation.pages.paper import Paper
from score_following_game.data_preparation.pages.staff import Staff
from score_following_game.data_preparation.pages.systems import System

_LEAST_INSIDE = 2.0  # staff spaces of a staff's length in a box


def systems_in_boxes(paper: Paper, found: Sequence[System], page: int, corrections: Corrections) -> list[System]:
    """The staves of each box as a system, cut at its sides, in the order of the boxes. found: the systems of the whole page.

    Raises UserError for a box without a staff.
    """
    staves = [staff for system in found for staff in system.staves]
    systems = []
    for number, box in enumerate(corrections.boxes[page], 1):
        inside = [part for staff in staves if (part := _part_in(paper, staff, box)) is not None]
        if not inside:
            corrections.refuse("boxes", f"page {page}, box {number}: no staff was found in it; see the check picture")
        systems.append(System(tuple(sorted(inside, key=lambda staff: staff.top))))
    return systems


def _part_in(paper: Paper, staff: Staff, box: Box) -> Staff | None:
    """The part of a staff whose middle line is in the box."""
    x = np.arange(staff.left, staff.right + 1)
    page_x, page_y = paper.to_page(x, staff.middle(x))
    left, top, right, bottom = box
    inside = x[(page_x >= left) & (page_x <= right) & (page_y >= top) & (page_y <= bottom)]
    if len(inside) < _LEAST_INSIDE * staff.space:
        return None
    return replace(staff, left=float(inside[0]), right=float(inside[-1]))
