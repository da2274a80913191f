"""Pages drawn by LilyPond and verovio, of which it is known where each staff is, and the same pages printed and scanned."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from score_following_game.data_preparation.building.lilypond_pieces import find_msmd_sources
from score_following_game.data_preparation.building.sources import find_sources, score_text
from score_following_game.data_preparation.engraving.abc.melody import read_melody
from score_following_game.data_preparation.engraving.abc.to_mei import melody_to_mei
from score_following_game.data_preparation.engraving.lilypond.contained import own_file
from score_following_game.data_preparation.engraving.lilypond.drawing import draw_page
from score_following_game.data_preparation.engraving.lilypond.pages import read_pages
from score_following_game.data_preparation.engraving.lilypond.piece import _run as run_lilypond
from score_following_game.data_preparation.engraving.svg import SVG, render
from score_following_game.data_preparation.engraving.verovio.layout import convert_to_mei, horizontal_line, moved
from score_following_game.opencv import cv2
from score_following_game.reading import read_json

WIDTH = 1670  # pixels of a page, about 200 dots per inch
_POINTS = 33  # of a system's middle line that are looked at


@dataclass(frozen=True)
class KnownSystem:
    """A system as it was drawn, in pixels of the page. middle: float64 (n, 2), (x, y) from its left to its right end.

    staves: number of them.  space: between two lines.
    """

    middle: np.ndarray
    staves: int
    space: float


@dataclass(frozen=True)
class KnownPage:
    """image: uint8 (H, W).  systems: in reading order."""

    name: str
    image: np.ndarray
    systems: list[KnownSystem]


def _known(left: float, right: float, tops: list[float], bottoms: list[float]) -> KnownSystem:
    x = np.linspace(left, right, _POINTS)
    middle = np.stack([x, np.full(_POINTS, (min(tops) + max(bottoms)) / 2)], 1)
    return KnownSystem(middle, len(tops), float(np.median(np.subtract(bottoms, tops))) / 4)


def lilypond_pages(folder: Path, count: int) -> Iterator[KnownPage]:
    """The pages of test pieces of the MSMD."""
    names = read_json(folder / "pieces.json")["split"]["test"]
    chosen = {names[place] for place in np.linspace(0, len(names) - 1, count).round().astype(int)}
    for source in find_msmd_sources([folder]):
        if source.name in chosen:
            with tempfile.TemporaryDirectory() as work:
                output = run_lilypond(
                    source.path, source.root or source.path.parent, Path(work), time.monotonic() + 600, "once"
                )
                pages = read_pages(own_file(file) for file in sorted(output.glob("*.svg")))
            for number, page in enumerate(pages, 1):
                scale = WIDTH / page.view[2]
                image = draw_page(page, WIDTH, 1)[0]
                systems = []
                for system in page.systems:
                    x = [(end - page.view[0]) * scale - 0.5 for end in (system.box[0], system.box[2])]
                    tops = [(staff[1] - page.view[1]) * scale - 0.5 for staff in system.staves]
                    bottoms = [(staff[3] - page.view[1]) * scale - 0.5 for staff in system.staves]
                    systems.append(_known(*x, tops, bottoms))
                yield KnownPage(f"{source.name} page {number}", image, systems)


def tune_pages(folder: Path, count: int) -> Iterator[KnownPage]:
    """Pages with one tune each, one staff."""
    tunes = [source for source in find_sources([folder]) if source.tune is not None]
    for place in np.linspace(0, len(tunes) - 1, count).round().astype(int):
        tune = tunes[place].tune
        if tune is not None:
            yield from verovio_pages(tunes[place].name, melody_to_mei(read_melody(tune)), "mei", 40)


def song_pages(folder: Path, count: int) -> Iterator[KnownPage]:
    """The first two pages of songs with words, a singer's staff and two of a piano."""
    sources = find_sources(sorted(folder.glob("*.mxl"))[:: max(1, len(list(folder.glob("*.mxl"))) // count)][:count])
    for source in sources:
        yield from list(verovio_pages(source.name, convert_to_mei(score_text(source.path), "musicxml"), "mei", 34))[:2]


def verovio_pages(name: str, text: str, form: str, scale: int) -> Iterator[KnownPage]:
    """The pages of a score on A4, with its title."""
    import verovio

    toolkit = verovio.toolkit()
    toolkit.setOptions(
        {
            "inputFrom": form,
            "scale": 100,
            "pageWidth": 2100 * 40 // scale,
            "pageHeight": 2970 * 40 // scale,
            "header": "auto",
            "footer": "auto",
            "svgViewBox": False,
            "smuflTextFont": "none",
            "breaks": "auto",
        }
    )
    if not toolkit.loadData(text):
        raise ValueError(f"{name}: verovio cannot load it")
    for number in range(1, toolkit.getPageCount() + 1):
        root = ElementTree.fromstring(toolkit.renderToSVG(number))
        inner = next(child for child in root if child.get("class") == "definition-scale")
        view = [float(part) for part in inner.get("viewBox", "").split()]
        factor = WIDTH / view[2]
        systems = [_verovio_system(found, x, y, factor) for found, x, y in _systems(inner, 0.0, 0.0)]
        image = render(root, WIDTH, round(view[3] * factor), **_fonts())
        yield KnownPage(f"{name} page {number}", image, [system for system in systems if system is not None])


def _fonts() -> dict[str, object]:
    folders = [folder for folder in ("/usr/share/fonts/truetype", "/usr/share/fonts/opentype") if Path(folder).is_dir()]
    return {"font_dirs": folders, "font_family": "DejaVu Serif", "serif_family": "DejaVu Serif"}


def _systems(element: ElementTree.Element, x: float, y: float) -> Iterator[tuple[ElementTree.Element, float, float]]:
    dx, dy = moved(element)
    if element.get("class") == "system":
        yield element, x, y
        return
    for child in element:
        yield from _systems(child, x + dx, y + dy)


def _verovio_system(system: ElementTree.Element, x: float, y: float, factor: float) -> KnownSystem | None:
    lines: list[tuple[float, float, float]] = []
    staves: dict[float, list[float]] = {}

    def walk(element: ElementTree.Element, x: float, y: float) -> None:
        dx, dy = moved(element)
        x, y = x + dx, y + dy
        if "staff" in (element.get("class") or "").split():
            own = [line for line in map(horizontal_line, element.findall(f"{SVG}path")) if line]
            lines.extend((x + line[0], y + line[1], x + line[2]) for line in own)
            if own:
                staves[round(y + own[0][1])] = [y + line[1] for line in own]
        for child in element:
            walk(child, x, y)

    walk(system, x, y)
    if not staves:
        return None
    ends = [min(line[0] for line in lines) * factor - 0.5, max(line[2] for line in lines) * factor - 0.5]
    tops = [min(staff) * factor - 0.5 for staff in staves.values()]
    return _known(*ends, tops, [max(staff) * factor - 0.5 for staff in staves.values()])


def scanned(page: KnownPage, rng: np.random.Generator) -> KnownPage:
    """The page printed, laid a little aslant on a scanner, with a bend of the paper, uneven light, blur, dirt and noise."""
    height, width = page.image.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bend, phase, lean = rng.uniform(0.2, 1.0) * 0.008 * height, rng.uniform(0, math.pi), rng.uniform(-0.004, 0.004)
    angle = math.radians(rng.uniform(-2, 2))
    cosine, sine = math.cos(angle), math.sin(angle)
    middle = np.array([width / 2, height / 2])

    def bent(at: np.ndarray) -> np.ndarray:  # how much further down paper at x is seen
        return bend * np.sin(math.pi * at / width + phase)

    back = [
        cosine * (x - middle[0]) + sine * (y - middle[1]) + middle[0],
        -sine * (x - middle[0]) + cosine * (y - middle[1]) + middle[1],
    ]
    source_x = back[0] - lean * (back[1] - middle[1])
    image = cv2.remap(
        page.image,
        source_x.astype(np.float32),
        (back[1] - bent(source_x)).astype(np.float32),
        cv2.INTER_LINEAR,
        borderValue=255,
    )
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.3)).astype(np.float32)
    image = 255 - (255 - image) * rng.uniform(0.55, 0.95)
    light = (
        1
        - rng.uniform(0.1, 0.45)
        * (np.cos(rng.uniform(0, 6.28)) * x / width + np.sin(rng.uniform(0, 6.28)) * y / height + 0.5)
        / 2
    )
    light -= rng.uniform(0, 0.4) * np.exp(-x / (0.04 * width))  # the shadow of the fold
    image = image * light + rng.normal(0, rng.uniform(4, 16), image.shape)
    for _ in range(40):
        cv2.circle(image, tuple(int(rng.uniform(0, size)) for size in (width, height)), int(rng.integers(1, 3)), 80.0, -1)

    def seen(points: np.ndarray) -> np.ndarray:
        down = points[:, 1] + bent(points[:, 0])
        away = np.stack([points[:, 0] + lean * (down - middle[1]), down], 1) - middle
        return np.stack([cosine * away[:, 0] - sine * away[:, 1], sine * away[:, 0] + cosine * away[:, 1]], 1) + middle

    systems = [replace(system, middle=seen(system.middle)) for system in page.systems]
    return KnownPage(page.name, np.clip(image, 0, 255).astype(np.uint8), systems)
