"""SVG: its namespace, and drawing it as pixels."""

from __future__ import annotations

from typing import TypedDict, Unpack
from xml.etree import ElementTree

import numpy as np

from score_following_game.data_preparation.engraving.xml_text import xml_text
from score_following_game.opencv import cv2

SVG = "{http://www.w3.org/2000/svg}"  # precedes every tag


class Fonts(TypedDict, total=False):
    """resvg's font options. Without them no text is drawn, because the fonts installed on the system are ignored."""

    font_dirs: list[str]
    font_family: str
    serif_family: str
    sans_serif_family: str
    monospace_family: str


def render(root: ElementTree.Element, width: int, height: int, **fonts: Unpack[Fonts]) -> np.ndarray:
    """Draw an SVG's view box as a uint8 (height, width) image, 0 = ink. Overwrites the width and height of `root`."""
    import resvg_py  # optional: the extra [prepare]

    root.set("width", str(width))
    root.set("height", str(height))
    png = resvg_py.svg_to_bytes(
        svg_string=xml_text(root),
        width=width,
        height=height,
        background="white",
        skip_system_fonts=True,
        **fonts,
    )
    image = cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None or image.shape != (height, width):
        drawn = "no image" if image is None else image.shape
        raise RuntimeError(f"resvg drew {drawn}, expected {(height, width)}")
    return image
