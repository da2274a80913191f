"""Meters on one line, as the page view shows them: what is heard, and how late the agent is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from score_following_game.environment.rendering.drawing import FAINT, INK, RULE, VALUE, filled, text, text_width
from score_following_game.environment.rendering.picture import Meter


def draw_meters(image: np.ndarray, meters: Sequence[Meter], at: tuple[int, int], most: int, size: int) -> int:
    """Draw label, bar and number of each meter on a base line that begins at `at`. Returns how many have found room.

    most: pixels of the line that are free.  size: of the letters.
    """
    (left, line), end, gap, bar = at, at[0] + most, size // 2, 3 * size
    for count, meter in enumerate(meters):
        # The next meter keeps its place when a number grows by a digit.
        number = -(-text_width(meter.number, size) // (2 * size)) * 2 * size
        if left + text_width(meter.label, size) + bar + number + 2 * gap > end:
            return count
        left += text(image, meter.label, (left, line), size, FAINT) + gap
        box = (left, line - round(0.7 * size), bar, round(0.7 * size))
        filled(image, box, RULE)
        filled(image, (*box[:2], round(bar * min(max(meter.value / meter.most, 0.0), 1.0)), box[3]), VALUE)
        left += bar + gap
        text(image, meter.number, (left, line), size, INK)
        left += number + 2 * gap
    return len(meters)
