"""A page as ink on even paper: light, polarity, staff space and rotation are brought to one standard.

All later steps work on such pages, on which a staff space is SPACE pixels. A photograph, a scan of 600 dots per inch and a
rendered PDF then differ in their dirt only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from score_following_game.data_preparation.pages.staff_lines import StaffLines, measure
from score_following_game.opencv import cv2

SPACE = 14.0  # pixels between two staff lines: lines of a usual print are then two pixels thick
_LIGHT = 8  # the light is measured on a picture so many times smaller
_AROUND = 4  # pixels of that picture; no ink is twice as thick
_DARKEST_PAPER = 60  # grey level; what is darker is no paper
_MOST_TURN = 5.0  # degrees that are looked for
_COARSE, _FINE = 0.25, 0.05  # degrees
_HALF = SPACE / 2  # staff space of the picture on which the rotation is measured
_NARROWER = 8  # pixels whose mean stands for them: even tilted by 5 degrees, a line is within one row of it
_LEAST_TURN = 0.03  # degrees; below, turning blurs more than it mends


@dataclass(frozen=True)
class Paper:
    """A page on which the staff space is SPACE pixels.

    image: uint8 (H, W), 255 = paper.  ink: grey level of its ink.  from_page: float64 (2, 3), maps (x, y, 1) of the page's own
    pixels to pixels of `image`.  turned: degrees by which the page was turned, anticlockwise.
    """

    image: np.ndarray
    ink: float
    from_page: np.ndarray
    turned: float = 0.0

    @property
    def contrast(self) -> float:
        """Grey levels between paper and ink."""
        return 255.0 - self.ink

    @property
    def darkest_paper(self) -> float:
        """The grey level below which there is ink."""
        return 255 - 0.45 * self.contrast

    @property
    def page_pixels(self) -> float:
        """Pixels of the page that are as long as one of `image`."""
        return float(1 / np.sqrt(abs(np.linalg.det(self.from_page[:, :2]))))

    def to_page(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map pixels of `image` to pixels of the page."""
        inverse = cv2.invertAffineTransform(self.from_page)
        return inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2], inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]


def even_light(page: np.ndarray) -> np.ndarray:
    """The page, uint8 (H, W), with white paper under dark ink, whatever the light and the polarity were."""
    if np.median(page) < 110:  # white ink on black
        page = 255 - page
    smaller = cv2.resize(page, (max(1, page.shape[1] // _LIGHT), max(1, page.shape[0] // _LIGHT)), interpolation=cv2.INTER_AREA)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _AROUND + 1, 2 * _AROUND + 1))
    # Beyond the edges the light goes on as it changes towards them: the shadow of a fold is no ink.
    wide = [(min(2 * _AROUND, size - 1),) * 2 for size in smaller.shape]
    padded = np.clip(np.pad(smaller.astype(np.int16), wide, mode="reflect", reflect_type="odd"), 0, 255).astype(np.uint8)
    light = cv2.GaussianBlur(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, around), (0, 0), _AROUND)
    light = light[wide[0][0] :, wide[1][0] :][: smaller.shape[0], : smaller.shape[1]]
    light = np.maximum(cv2.resize(light, page.shape[::-1], interpolation=cv2.INTER_LINEAR), _DARKEST_PAPER)
    return cv2.divide(page, light, scale=255)


def ink_level(image: np.ndarray) -> float:
    """Grey level of the ink of an evenly lit page: that of the darker half of what is no paper."""
    threshold = cv2.threshold(image, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    ink = image[image < min(threshold, 200.0)]
    return float(np.median(ink)) if ink.size else 0.0


def prepare(page: np.ndarray, lines: StaffLines | None = None) -> Paper | None:
    """Bring a page, uint8 (H, W), to the standard. None where no staff lines can be measured.

    lines: those to use instead of measuring them, in pixels of the page.
    """
    lit = even_light(page)
    ink = ink_level(lit)
    lines = lines or measure(lit < 255 - 0.4 * (255 - ink))
    if lines is None:
        return None
    factor = SPACE / lines.space
    size = max(1, round(lit.shape[1] * factor)), max(1, round(lit.shape[0] * factor))
    image = cv2.resize(lit, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    # Pixel centres: the left edge of the first column is the left edge of the page in both.
    x_scale, y_scale = size[0] / lit.shape[1], size[1] / lit.shape[0]
    scaling = np.array([[x_scale, 0, (x_scale - 1) / 2], [0, y_scale, (y_scale - 1) / 2], [0, 0, 1]])
    degrees = rotation(image)
    if abs(degrees) < _LEAST_TURN:
        return Paper(image, ink_level(image), scaling[:2])
    turning, size = _turning(size, degrees)
    image = cv2.warpAffine(image, turning, size, flags=cv2.INTER_LINEAR, borderValue=255)
    return Paper(image, ink_level(image), (np.vstack([turning, [0, 0, 1]]) @ scaling)[:2], degrees)


def _turning(size: tuple[int, int], degrees: float) -> tuple[np.ndarray, tuple[int, int]]:
    """The affine map that turns a picture of this size (width, height) anticlockwise into one that holds all of it."""
    width, height = size
    turning = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(turning[0, 0]), abs(turning[0, 1])
    wider, higher = math.ceil(width * cosine + height * sine), math.ceil(height * cosine + width * sine)
    turning[:, 2] += (wider - width) / 2, (higher - height) / 2
    return turning, (wider, higher)


def rotation(image: np.ndarray) -> float:
    """Degrees by which a page must be turned anticlockwise so that its staff lines are level.

    image: uint8 (H, W) with a staff space of SPACE pixels. Level lines make the rows of the page differ most.
    """
    scale = _HALF / SPACE
    smaller = 255 - cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # What is large and dark, like beams and edges of the paper, says little about the lines.
    smaller = cv2.morphologyEx(smaller, cv2.MORPH_TOPHAT, np.ones((round(0.8 * _HALF), 1), np.uint8))
    width = max(2, smaller.shape[1] // _NARROWER)
    narrow = cv2.resize(smaller, (width, smaller.shape[0]), interpolation=cv2.INTER_AREA).astype(np.float32)
    narrow = cv2.GaussianBlur(narrow, (1, 7), 1.2)  # else no turn at all would win: it alone blurs nothing

    def evenness(degrees: float) -> float:
        slope = math.tan(math.radians(degrees)) * smaller.shape[1] / width
        shear = np.array([[1.0, 0, 0], [slope, 1, -slope * width / 2]])
        rows = cv2.warpAffine(narrow, shear, narrow.shape[::-1], flags=cv2.INTER_LINEAR).sum(1, dtype=np.float64)
        return float(np.square(np.diff(rows)).sum())

    best = max(np.arange(-_MOST_TURN, _MOST_TURN + 1e-9, _COARSE), key=evenness)
    best = max(np.arange(best - _COARSE, best + _COARSE + 1e-9, _FINE), key=evenness)
    return -float(best)  # a shear that moves the right side down turns clockwise
