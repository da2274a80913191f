"""Thickness and distance of staff lines from run lengths, and a map of where thin level lines are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from score_following_game.opencv import cv2

SPACES = 3.5, 80.0  # pixels between two staff lines that can be read
_LEAST_EVIDENCE = 300  # columns of three lines at equal distances; a short staff has this many
BLUR = 2.0  # staff spaces along the lines
_AWAY = 0.3  # staff spaces from the middle of a line to paper
_FULL = 0.27  # of the contrast between ink and paper: a line so dark counts fully


@dataclass(frozen=True)
class StaffLines:
    """thickness: of a line, space: between the middles of two lines, in pixels."""

    thickness: float
    space: float


def measure(dark: np.ndarray) -> StaffLines | None:
    """Measure the staff lines on a page, bool (H, W), from its vertical runs of ink and paper. None where there are none.

    A line and the gap below it are about as high together as the next line and gap: this tells staff lines from text.
    """
    height = dark.shape[0]
    columns = np.zeros((dark.shape[1], height + 2), np.int8)
    columns[:, 1:-1] = dark.T
    changes = np.flatnonzero(np.diff(columns.ravel()))  # a column begins and ends with paper, so runs alternate
    begins, ends = changes[::2], changes[1::2]
    if len(begins) < 3:
        return None
    black, pitch = ends - begins, np.diff(begins)
    same_column = begins[:-2] // (height + 2) == begins[2:] // (height + 2)
    first, second = pitch[:-1], pitch[1:]
    thin = (2 * black[:-2] < first) & (2 * black[1:-1] < second) & (2 * black[2:] < second)
    alike = np.abs(first - second) <= 1 + 0.06 * first
    both = first + second
    used = same_column & thin & alike & (both >= 2 * SPACES[0]) & (both <= 2 * SPACES[1])
    counts = np.bincount(both[used], minlength=round(2 * SPACES[1]) + 3).astype(np.float64)
    smooth = np.convolve(counts, [1, 2, 3, 2, 1], "same") / 3
    best = int(smooth.argmax())
    if smooth[best] < _LEAST_EVIDENCE:
        return None
    near = np.arange(max(0, best - 3), min(len(counts), best + 4))
    space = float((counts[near] * near).sum() / counts[near].sum()) / 2
    chosen = used & (np.abs(both - best) <= 3)
    return StaffLines(float(np.mean(black[1:-1][chosen])), space)


def line_map(image: np.ndarray, space: float, contrast: float) -> np.ndarray:
    """How much each pixel is the middle of a thin level line: float32 (H, W), from 0 to 1.

    image: uint8 (H, W), 255 = paper.  The mean along the line takes out noise; the darkness is compared with that of the paper
    above and below, so beams, noteheads and shadows do not count.
    """
    along = cv2.blur(image.astype(np.float32), (2 * round(BLUR * space / 2) + 1, 1), borderType=cv2.BORDER_REPLICATE)
    away = max(1, round(_AWAY * space))
    padded = np.pad(along, ((away, away), (0, 0)), mode="edge")
    lighter = np.minimum(padded[: -2 * away], padded[2 * away :]) - along
    return np.clip(lighter / (_FULL * contrast), 0, 1)
