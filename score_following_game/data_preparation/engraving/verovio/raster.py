"""Draws one system's SVG as its part of the sheet, cropped and scaled in one rendering."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

from score_following_game.data_preparation.engraving.style import SVG_PER_SPACE, Style
from score_following_game.data_preparation.engraving.svg import SVG, render
from score_following_game.data_preparation.engraving.verovio.layout import System, horizontal_line

_MARGIN = 0.1 * SVG_PER_SPACE  # white space left of the staff lines, in SVG units
_LAST_LINE = 20.0  # half the thickness of the bar line at the right end, in SVG units


@dataclass(frozen=True)
class DrawnSystem:
    """image: uint8 (height, width), 0 = ink.  sharp: the same, style.sharp times as large.

    heads: note id -> (y, x) in pixels of the image; whole numbers are pixel centres.
    """

    image: np.ndarray
    sharp: np.ndarray
    heads: dict[str, tuple[float, float]]


def draw(system: System, style: Style) -> DrawnSystem:
    """Draw the system with its staves centred vertically and its top line on the centre of a row of pixels."""
    scale = style.scale
    left = system.left - _MARGIN
    width = math.ceil((system.right + _LAST_LINE - left) * scale)
    upper = _upper_edge(system, style)
    window = _window(system.svg, style, (left, upper, width / scale, style.height / scale))
    image, sharp = (render(window, factor * width, factor * style.height) for factor in (1, style.sharp))
    heads = {note: ((y - upper) * scale - 0.5, (x - left) * scale - 0.5) for note, (y, x) in system.noteheads.items()}
    return DrawnSystem(image, sharp, heads)


def head_rows(system: System, style: Style) -> np.ndarray:
    """The row of each notehead in the picture that `draw` makes: float64 (N,)."""
    return (np.array([y for y, _ in system.noteheads.values()]) - _upper_edge(system, style)) * style.scale - 0.5


def _upper_edge(system: System, style: Style) -> float:
    """y of the picture's upper edge, in SVG units."""
    top, bottom = system.staff_lines[0][0], system.staff_lines[-1][-1]
    centred = style.height / 2 - (bottom - top) / 2 * style.scale
    # As in published sheets, the first line is on a row; between two rows it would be grey. 1e-6: 12.99... counts as 13.
    return top - (math.floor(centred + 1e-6) + 0.5) / style.scale


def _window(svg: ElementTree.Element, style: Style, box: tuple[float, float, float, float]) -> ElementTree.Element:
    """A copy of the drawing whose view box is `box`: x, y, width and height in units of the inner drawing."""
    root = deepcopy(svg)
    for name in ("width", "height", "overflow", "viewBox"):
        root.attrib.pop(name, None)
    root.set("viewBox", " ".join(f"{number:.4f}" for number in box))
    inner = next(child for child in root if child.get("class") == "definition-scale")
    inner.tag = f"{SVG}g"  # a nested svg would scale a second time
    inner.attrib.pop("viewBox", None)
    if style.line_stroke is not None:
        for staff in (group for group in root.iter(f"{SVG}g") if "staff" in (group.get("class") or "").split()):
            for path in staff.findall(f"{SVG}path"):
                if horizontal_line(path):
                    path.set("stroke-width", str(style.line_stroke))
    return root
