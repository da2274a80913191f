"""A staff on a page."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Staff:
    """One staff on a Paper, in its pixels.

    left, right: x of the ends of its lines.  space: between two lines.  x, y: float64 (n,), the course of the middle line.
    """

    left: float
    right: float
    space: float
    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)

    def middle(self, x: np.ndarray | float) -> np.ndarray:
        """y of the middle line at x; beyond the ends it goes straight on."""
        return course_at(self.x, self.y, np.asarray(x, np.float64))

    @property
    def top(self) -> float:
        """Mean y of the highest line."""
        return float(self.y.mean()) - 2 * self.space

    @property
    def bottom(self) -> float:
        """Mean y of the lowest line."""
        return float(self.y.mean()) + 2 * self.space


def course_at(xs: np.ndarray, ys: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Interpolated ys; beyond the ends in the direction of the last columns."""
    inside = np.interp(x, xs, ys)
    if len(xs) < 2:
        return inside
    reach = min(len(xs) - 1, 12)
    first = (ys[reach] - ys[0]) / (xs[reach] - xs[0])
    last = (ys[-1] - ys[-1 - reach]) / (xs[-1] - xs[-1 - reach])
    return inside + np.minimum(x - xs[0], 0) * first + np.maximum(x - xs[-1], 0) * last
