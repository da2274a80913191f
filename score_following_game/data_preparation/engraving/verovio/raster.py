"""One system's SVG -> a strip of the sheet, cut and scaled in one rendering."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from xml.etree import ElementTree

import cv2
import numpy as np

from score_following_game.data_preparation.engraving.style import SVG_PER_SPACE, Style
from score_following_game.data_preparation.engraving.verovio.layout import System, horizontal_line

_SVG = "{http://www.w3.org/2000/svg}"
_MARGIN = 0.1 * SVG_PER_SPACE  # paper left of the staff lines
_LAST_LINE = 20.0  # half the thickness of the bar line at the right end, SVG units


@dataclass(frozen=True)
class Strip:
    """image: uint8 (height, width), 0 = ink.  heads: note id -> (y, x) in pixels, a whole number at a pixel's centre."""

    image: np.ndarray
    heads: dict[str, tuple[float, float]]
    staff_rows: list[tuple[float, ...]]


def draw(system: System, style: Style) -> Strip:
    """Draw the system with the middle of its staves in the middle of the strip, the top line on a row's centre."""
    scale = style.scale
    top, bottom = system.staff_lines[0][0], system.staff_lines[-1][-1]
    left = system.left - _MARGIN
    width = math.ceil((system.right + _LAST_LINE - left) * scale)
    centred = style.height / 2 - (bottom - top) / 2 * scale
    # Published sheets have their first line on a row: a line between two rows would be grey. (+ 1e-6: 13 is not 12.99...)
    upper = top - (math.floor(centred + 1e-6) + 0.5) / scale
    image = render(_window(system.svg, style, (left, upper, width / scale, style.height / scale)), width, style.height)
    heads = {note: ((y - upper) * scale - 0.5, (x - left) * scale - 0.5) for note, (y, x) in system.noteheads.items()}
    rows = [tuple((y - upper) * scale - 0.5 for y in lines) for lines in system.staff_lines]
    return Strip(image, heads, rows)


def _window(svg: ElementTree.Element, style: Style, box: tuple[float, float, float, float]) -> ElementTree.Element:
    """A copy of the drawing whose root view is `box` (x, y, width, height in SVG units of its inner drawing)."""
    root = deepcopy(svg)
    for name in ("width", "height", "overflow", "viewBox"):
        root.attrib.pop(name, None)
    root.set("viewBox", " ".join(f"{number:.4f}" for number in box))
    inner = next(child for child in root if child.get("class") == "definition-scale")
    inner.tag = f"{_SVG}g"  # a nested svg would scale a second time
    inner.attrib.pop("viewBox", None)
    if style.line_stroke is not None:
        for staff in (group for group in root.iter(f"{_SVG}g") if "staff" in (group.get("class") or "").split()):
            for path in staff.findall(f"{_SVG}path"):
                if horizontal_line(path):
                    path.set("stroke-width", str(style.line_stroke))
    return root


def render(root: ElementTree.Element, width: int, height: int, **fonts: object) -> np.ndarray:
    """An SVG's view, drawn -> uint8 (height, width), 0 = ink. fonts: resvg's arguments; the system's own are not looked at."""
    import resvg_py  # optional: the extra [prepare]

    root.set("width", str(width))
    root.set("height", str(height))
    png = resvg_py.svg_to_bytes(
        svg_string=ElementTree.tostring(root, encoding="unicode"),
        width=width,
        height=height,
        background="white",
        skip_system_fonts=True,
        **fonts,
    )
    image = cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_GRAYSCALE)
    if image.shape != (height, width):
        raise RuntimeError(f"resvg drew {image.shape}, wanted {(height, width)}")
    return image
