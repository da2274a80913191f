"""A page's SVG -> pixels, as black as the published pages."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from fontTools.misc.transform import Identity, Transform

from score_following_game.data_preparation.engraving.lilypond.pages import SVG, Page, transform_of
from score_following_game.data_preparation.engraving.verovio.raster import render

# Published pages were drawn by another program, which makes every shape a little larger; measured on them (docs/data_sets.md).
_OUTLINE = 0.6  # pixels added to the thickness of every line and round every shape
_SHAPES = {f"{SVG}{name}" for name in ("path", "line", "rect", "polygon", "circle", "ellipse")}
_DRAWN = _SHAPES | {f"{SVG}{name}" for name in ("g", "a", "text", "tspan", "style", "polyline")}
_FONT_FOLDERS = ("/usr/share/fonts/opentype/urw-base35", "/usr/share/fonts/urw-base35", "/usr/share/fonts/gsfonts")
_FONTS = {
    "font_family": "C059",
    "serif_family": "C059",
    "sans_serif_family": "Nimbus Sans",
    "monospace_family": "Nimbus Mono PS",
}


def draw_page(page: Page, width: int) -> np.ndarray:
    """uint8 (height, width), 0 = ink. `width` in pixels is the page's; the page's svg is changed."""
    root, (left, top, across, down) = page.svg, page.view
    root.set("viewBox", f"{left:.6f} {top:.6f} {across:.6f} {down:.6f}")
    root.set("color", "black")  # LilyPond draws in currentColor
    _drop_foreign(root)
    _thicken(root, Identity, _OUTLINE * across / width)
    return render(root, width, round(down * width / across), font_dirs=list(_font_folders()), **_FONTS)


def _drop_foreign(element: ElementTree.Element) -> None:
    """Remove all but plain drawing: a picture or a filter may show any file of this machine."""
    for child in list(element):
        if child.tag in _DRAWN:
            _drop_foreign(child)
        else:
            element.remove(child)


def _thicken(element: ElementTree.Element, outer: Transform, added: float) -> None:
    """Add `added` units of the view to every stroke, and a stroke of that to what has none."""
    own = outer.transform(transform_of(element))
    if element.tag in _SHAPES:
        scale = math.sqrt(abs(own[0] * own[3] - own[1] * own[2])) or 1.0
        stroked = element.get("stroke", "none") != "none" or element.get("stroke-width") is not None
        before = float(element.get("stroke-width", 1.0)) if stroked else 0.0
        element.set("stroke-width", f"{before + added / scale:.6f}")
        if element.get("stroke", "none") == "none":
            element.set("stroke", "currentColor")
    for child in element:
        _thicken(child, own, added)


@cache
def _font_folders() -> tuple[str, ...]:
    """Where the fonts are that LilyPond sets text in."""
    return tuple(folder for folder in _FONT_FOLDERS if Path(folder).is_dir())
