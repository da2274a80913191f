"""Systems: which staves are played together, and the order in which systems are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from score_following_game.data_preparation.pages.paper import SPACE, Paper
from score_following_game.data_preparation.pages.staff import Staff
from score_following_game.opencv import cv2

_FAR = 14.0  # staff spaces between two staves of one system
_COVERED = 0.93  # share of the rows between two staves through which a bar line goes
_THICKEST = 1.2  # staff spaces: a thicker bar is the shadow of a fold or the edge of the paper
_ASIDE = 1.5  # staff spaces left of the staves, where brackets are
_USUAL = 1.35  # a gap between staves of a system is at most so many times as wide as the usual one
_LEAST_SHARED = 0.3  # of the shorter staff's length: staves above one another


@dataclass(frozen=True)
class System:
    """Staves that are played together, the highest first."""

    staves: tuple[Staff, ...]

    @property
    def left(self) -> float:
        """x of the left end. A brace beside it may have counted as part of one staff."""
        first = min(staff.left for staff in self.staves)
        return max(staff.left for staff in self.staves if staff.left <= first + _ASIDE * self.space)

    @property
    def right(self) -> float:
        last = max(staff.right for staff in self.staves)
        return min(staff.right for staff in self.staves if staff.right >= last - _ASIDE * self.space)

    @property
    def top(self) -> float:
        return self.staves[0].top

    @property
    def bottom(self) -> float:
        return self.staves[-1].bottom

    @property
    def space(self) -> float:
        return float(np.median([staff.space for staff in self.staves]))

    def middle(self, x: np.ndarray) -> np.ndarray:
        """y of the middle between its highest and lowest line at x."""
        return (self.staves[0].middle(x) + self.staves[-1].middle(x)) / 2


def find_systems(paper: Paper, staves: Sequence[Staff]) -> list[System]:
    """The systems of a page in reading order."""
    pairs = {
        (upper, lower): _is_joined(paper, staves[upper], staves[lower])
        for upper in range(len(staves))
        for lower in _below(staves, upper)
    }
    groups = {number: {number} for number in range(len(staves))}
    for (upper, lower), joined in pairs.items():
        if joined:
            whole = groups[upper] | groups[lower]
            groups |= dict.fromkeys(whole, whole)
    _complete(staves, pairs, groups)
    systems = [
        System(tuple(staves[number] for number in sorted(group, key=lambda number: staves[number].top)))
        for group in {id(group): group for group in groups.values()}.values()
    ]
    return reading_order(systems)


def _below(staves: Sequence[Staff], upper: int) -> list[int]:
    """The next staff below, if there is one near enough."""
    staff = staves[upper]
    lower = [
        number
        for number, other in enumerate(staves)
        if other.top > staff.bottom and _shared(staff, other) >= _LEAST_SHARED * min(_length(staff), _length(other))
    ]
    if not lower:
        return []
    nearest = min(lower, key=lambda number: staves[number].top)
    return [nearest] if staves[nearest].top - staff.bottom <= _FAR * SPACE else []


def _length(staff: Staff) -> float:
    return staff.right - staff.left


def _shared(staff: Staff, other: Staff) -> float:
    return min(staff.right, other.right) - max(staff.left, other.left)


def _is_joined(paper: Paper, upper: Staff, lower: Staff) -> bool:
    """Whether a thin upright line goes from one staff to the other: at the left, as a bar line, or as a bracket."""
    left, right = max(upper.left, lower.left), min(upper.right, lower.right)
    far = _ASIDE + 2 * _THICKEST  # so far out that the whole thickness of a bar is seen
    begin, end = max(0, int(left - far * SPACE)), min(paper.image.shape[1], int(right + far * SPACE))
    columns = np.arange(begin, end)
    above, below = upper.middle(columns) + 2 * upper.space, lower.middle(columns) - 2 * lower.space
    count = max(2, round(float(np.median(below - above))))
    share = (np.arange(count) + 0.5) / count
    rows = np.round(above + share[:, None] * (below - above)).astype(int)
    image = paper.image[np.clip(rows, 0, len(paper.image) - 1), columns]
    band = (image < paper.darkest_paper).astype(np.uint8)
    covered = _upright(band)
    edges = np.diff(np.pad(covered.astype(np.int8), 1))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    thin = ends - begins <= _THICKEST * SPACE  # a shadow or the edge of the paper is thicker
    near = (ends + begin >= left - _ASIDE * SPACE) & (begins + begin <= right + _ASIDE * SPACE)
    return bool((thin & near & (begins > 0) & (ends < len(columns))).any())


def _upright(band: np.ndarray) -> np.ndarray:
    """bool (columns,): where a line goes from the first row to the last, perhaps a little aslant.

    band: uint8 (rows, columns), 1 = ink.
    """
    rows = len(band)
    most = max(1, rows // 25)  # columns that a line may lean
    found = np.zeros(band.shape[1], bool)
    wide = cv2.dilate(band, np.ones((1, 3), np.uint8))
    promising = np.flatnonzero(cv2.dilate(wide, np.ones((1, most + 1), np.uint8)).mean(0) >= _COVERED)
    for lean in range(-most, most + 1):
        shift = np.round(np.linspace(-lean / 2, lean / 2, rows)).astype(int)[:, None]
        found[promising] |= wide[np.arange(rows)[:, None], np.clip(promising + shift, 0, band.shape[1] - 1)].mean(0) >= _COVERED
    return found


def _complete(staves: Sequence[Staff], pairs: dict[tuple[int, int], bool], groups: dict[int, set[int]]) -> None:
    """Join what faint print has left apart: two lone staves as near as those of the page's other systems, if most have two."""
    sizes = Counter(len(group) for group in {id(group): group for group in groups.values()}.values())
    if sizes[2] <= sizes[1] // 2:
        return
    gaps = [staves[lower].top - staves[upper].bottom for (upper, lower), joined in pairs.items() if joined]
    for upper, lower in sorted(pairs, key=lambda pair: staves[pair[0]].top):
        alone = len(groups[upper]) == len(groups[lower]) == 1
        if alone and gaps and staves[lower].top - staves[upper].bottom <= _USUAL * float(np.median(gaps)):
            whole = groups[upper] | groups[lower]
            groups |= dict.fromkeys(whole, whole)


def reading_order(systems: Sequence[System]) -> list[System]:
    """From top to bottom; of systems at one height the left one first; of two facing pages the left page first."""
    for gutter in sorted({system.left for system in systems}):
        sides = [[s for s in systems if s.right <= gutter], [s for s in systems if s.left >= gutter]]
        if len(sides[0]) + len(sides[1]) == len(systems) and min(map(len, sides)) >= 2:
            return [*reading_order(sides[0]), *reading_order(sides[1])]
    ordered: list[System] = []
    rest = sorted(systems, key=lambda system: system.top)
    while rest:
        row = [system for system in rest if (system.top + system.bottom) / 2 < rest[0].bottom]
        ordered += sorted(row, key=lambda system: system.left)
        rest = [system for system in rest if not any(system is other for other in row)]
    return ordered
