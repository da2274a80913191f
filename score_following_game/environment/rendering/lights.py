"""The confidence light: what a player's confidence in its position is called, and its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from score_following_game.environment.rendering.drawing import INK, Colour, text
from score_following_game.opencv import cv2


@dataclass(frozen=True)
class Light:
    """least: the lowest confidence, 0 to 1, that is called so.  colour: BGR."""

    least: float
    word: str
    colour: Colour


# Bounds of the probability to be within half a second of the music (docs/results.md). The colours differ in brightness too; the
# word is always beside them.
SURE = Light(0.95, "sure", (115, 158, 0))
LIGHTS = (
    SURE,
    Light(0.5, "unsure", (0, 165, 240)),
    Light(0.0, "lost", (40, 30, 190)),
)


def light_of(confidence: float) -> Light:
    """The light of a confidence; one that is not a number is lost."""
    return next((light for light in LIGHTS if confidence >= light.least), LIGHTS[-1])


def draw_light(image: np.ndarray, confidence: float, at: tuple[int, int], size: int) -> int:
    """Draw the light and its word on a base line that begins at `at`. size: of the letters. Returns the width, pixels."""
    light, radius = light_of(confidence), round(0.5 * size)
    cv2.circle(image, (at[0] + radius, at[1] - round(0.35 * size)), radius, light.colour, -1, cv2.LINE_AA)
    return 3 * radius + text(image, light.word, (at[0] + 3 * radius, at[1]), size, INK, bold=True)
