"""Drawing primitives: text, lines, boxes and bars on a BGR uint8 array. All lengths are in pixels."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from score_following_game.opencv import cv2

Colour = tuple[int, int, int]  # BGR
Box = tuple[int, int, int, int]  # left, top, width, height

PAPER: Colour = (255, 255, 255)
BACKGROUND: Colour = (245, 243, 241)
INK: Colour = (45, 40, 36)
FAINT: Colour = (138, 130, 122)
RULE: Colour = (216, 211, 206)
# Blue and vermilion of Okabe and Ito's palette, distinguishable with every kind of colour vision.
TARGET: Colour = (178, 114, 0)
AGENT: Colour = (0, 94, 213)
BOUNDS: Colour = (70, 60, 190)
VALUE: Colour = (150, 125, 95)
NEGATIVE: Colour = (110, 80, 190)

_BOLD, _REGULAR = 700, 400


def text(
    image: np.ndarray,
    words: str,
    at: tuple[int, int],
    size: int = 16,
    colour: Colour = INK,
    bold: bool = False,
    align: str = "left",
) -> int:
    """Write words on a base line; `at` = (x, y) is their left end, centre or right end. Returns their width."""
    width = text_width(words, size, bold)
    x = at[0] - {"left": 0, "centre": width // 2, "right": width}[align]
    if face := _font():
        cv2.putText(image, words, (x, at[1]), colour, face, size, _BOLD if bold else _REGULAR)
    else:
        cv2.putText(image, words, (x, at[1]), cv2.FONT_HERSHEY_SIMPLEX, size / 32, colour, 1 + bold, cv2.LINE_AA)
    return width


@functools.lru_cache(maxsize=4096)
def text_width(words: str, size: int, bold: bool = False) -> int:
    """Width of the words, pixels."""
    if face := _font():
        x, _, width, _ = cv2.getTextSize((0, 0), words, (0, 0), face, size, _BOLD if bold else _REGULAR)
        return x + width
    return cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size / 32, 1 + bold)[0][0]


def shortened(words: str, size: int, width: int, bold: bool = False) -> str:
    """The words, truncated with an ellipsis if they are wider than `width`."""
    if text_width(words, size, bold) <= width:
        return words
    while words and text_width(words + "...", size, bold) > width:
        words = words[:-1]
    return words + "..."


@functools.cache
def _font() -> Any | None:
    """The outline font of OpenCV 5; earlier versions have stroke fonts only."""
    return cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None


def blank(size: tuple[int, int]) -> np.ndarray:
    """A picture of this width and height in the colour of the background, uint8 (height, width, 3)."""
    image = np.empty((size[1], size[0], 3), np.uint8)
    cv2.rectangle(image, (0, 0), size, BACKGROUND, cv2.FILLED)  # 10 times as fast as NumPy
    return image


def filled(image: np.ndarray, box: Box, colour: Colour) -> None:
    left, top, width, height = box
    image[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = colour


def framed(image: np.ndarray, box: Box, colour: Colour, thickness: int = 1) -> None:
    """The outline of a box, inside it."""
    left, top, width, height = box
    filled(image, (left, top, width, thickness), colour)
    filled(image, (left, top + height - thickness, width, thickness), colour)
    filled(image, (left, top, thickness, height), colour)
    filled(image, (left + width - thickness, top, thickness, height), colour)


def tinted(image: np.ndarray, box: Box, colour: Colour, share: float) -> None:
    """Blend `share` of a colour into a box, so that its content stays readable."""
    left, top, width, height = box
    part = image[max(top, 0) : top + height, max(left, 0) : max(left + width, 0)]
    if part.size:
        part[:] = cv2.addWeighted(part, 1 - share, np.full_like(part, colour), share, 0)


def paste_grey(image: np.ndarray, grey: np.ndarray, at: tuple[int, int]) -> None:
    """Put a grey picture, uint8 (H, W), with its upper left corner at (x, y); it must lie within the image."""
    x, y = at
    image[y : y + grey.shape[0], x : x + grey.shape[1]] = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)  # 5 times as fast as NumPy


def upright(image: np.ndarray, x: float, top: int, bottom: int, colour: Colour, width: int = 3, dash: int = 0) -> None:
    """A vertical line, `width` wide, centred on x; dashed if `dash`, the length of a stroke, is not 0."""
    left = round(x - width / 2)
    if left + width <= 0 or left >= image.shape[1]:
        return
    for y in range(top, bottom, 2 * dash) if dash else (top,):
        filled(image, (left, y, width, min(dash or bottom - top, bottom - y)), colour)


def pointer(image: np.ndarray, x: float, y: int, colour: Colour, down: bool, size: int = 9) -> None:
    """A triangle whose tip is at (x, y), pointing down or up."""
    back = y - 2 * size if down else y + 2 * size
    corners = np.array([[x, y], [x - size, back], [x + size, back]])
    cv2.fillPoly(image, [np.round(corners * 16).astype(np.int32)], colour, cv2.LINE_AA, shift=4)


def bar(
    image: np.ndarray,
    box: Box,
    label: str,
    value: float | None,
    most: float,
    number: str,
    mark: float | None = None,
) -> None:
    """A bar from 0 to `most`, with a label and a number above, the maximum at its end and a tick at `mark`.

    A negative value fills the length of its magnitude in another colour; None leaves the bar empty.
    """
    left, top, width, height = box
    text(image, label, (left, top - 7), 16, FAINT)
    text(image, number, (left + width, top - 7), 18, INK if value is not None else FAINT, bold=value is not None, align="right")
    filled(image, box, RULE)
    if value is not None and most > 0:
        share = min(abs(value) / most, 1.0)
        filled(image, (left, top, round(share * width), height), VALUE if value >= 0 else NEGATIVE)
    if mark is not None and most > 0:
        filled(image, (left + round(mark / most * width) - 1, top - 3, 2, height + 6), BOUNDS)
    text(image, f"{most:g}", (left + width + 8, top + height), 13, FAINT)
