"""Draws a page's SVG as pixels, as black as the published pages."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from fontTools.misc.transform import Identity, Transform

from score_following_game.data_preparation.engraving.lilypond.pages import Page, transform_of
from score_following_game.data_preparation.engraving.svg import SVG, Fonts, render

# The program that drew the published pages makes every shape a little larger: measured on these pages (docs/data_sets.md).
_OUTLINE = 0.6  # pixels added to the thickness of every line and around every shape
_SHAPES = {f"{SVG}{name}" for name in ("path", "line", "rect", "polygon", "circle", "ellipse")}
_DRAWN = _SHAPES | {f"{SVG}{name}" for name in ("g", "a", "text", "tspan", "style", "polyline")}
_FONT_FOLDERS = ("/usr/share/fonts/opentype/urw-base35", "/usr/share/fonts/urw-base35", "/usr/share/fonts/gsfonts")


def draw_page(page: Page, width: int, sharp: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a page `width` pixels wide, as uint8 (height, width), 0 = ink, and in `sharp` times as many pixels each way.

    Changes page.svg.
    """
    root, (left, top, across, down) = page.svg, page.view
    root.set("viewBox", f"{left:.6f} {top:.6f} {across:.6f} {down:.6f}")
    root.set("color", "black")  # the value of LilyPond's currentColor
    _drop_foreign(root)
    _thicken(root, Identity, _OUTLINE * across / width)
    height = round(down * width / across)
    return render(root, width, height, **_fonts()), render(root, sharp * width, sharp * height, **_fonts())


def _drop_foreign(element: ElementTree.Element) -> None:
    """Keep only plain drawing. A picture or a filter could show any file of this machine."""
    for child in list(element):
        if child.tag in _DRAWN:
            _drop_foreign(child)
        else:
            element.remove(child)


def _thicken(element: ElementTree.Element, outer: Transform, added: float) -> None:
    """Make every stroke thicker by `added` units of the view box, and give shapes without one a stroke of this width."""
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
def _fonts() -> Fonts:
    """The fonts in which LilyPond sets text, and those of their folders that exist here."""
    return Fonts(
        font_dirs=[folder for folder in _FONT_FOLDERS if Path(folder).is_dir()],
        font_family="C059",
        serif_family="C059",
        sans_serif_family="Nimbus Sans",
        monospace_family="Nimbus Mono PS",
    )
