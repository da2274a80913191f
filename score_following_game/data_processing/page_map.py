"""NAME.pages.json beside NAME.npz: where the sheet's systems are on the pages that the sheet was cut from."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from score_following_game import limits
from score_following_game.data_processing.manifest import fits
from score_following_game.data_processing.score_npz import beside_score
from score_following_game.errors import UserError
from score_following_game.files import replacing
from score_following_game.reading import read_bytes, reading

SUFFIX = ".pages.json"
VERSION = 1
_MOST_SYSTEMS = 20_000


@dataclass(frozen=True)
class PageOfScore:
    """One page. file: name of the PDF or picture, number: of the page in it, from 1.  width, height: pixels of the page, in
    which all places on it are given.  picture: name of the picture of the page beside the piece, which may have fewer pixels.
    """

    file: str
    number: int
    width: int
    height: int
    picture: str = ""


@dataclass(frozen=True)
class StaffPlace:
    """A staff on a page, in its pixels. x, y: the course of its middle line, from left to right.  space: between two lines."""

    x: list[float]
    y: list[float]
    space: float


@dataclass(frozen=True)
class SystemPlace:
    """A system on the sheet and on its page.

    page: index into PageMap.pages.  number: on its page, from 1.  begin, end: columns of the sheet, pixels.
    sheet_x, page_x, page_y: float, the middle between its highest and lowest line, as points from left to right: columns of the
    sheet, counted from the sheet's beginning, and the pixels of the page that they show.
    corners: x and y of its highest and lowest lines' ends, clockwise from the upper left, pixels of the page.
    """

    page: int
    number: int
    begin: int
    end: int
    sheet_x: list[float]
    page_x: list[float]
    page_y: list[float]
    corners: list[list[float]]
    staves: list[StaffPlace] = field(default_factory=list)

    def distance(self, x: float, y: float) -> float:
        """From a point of the page to the course of its middle, pixels."""
        beside = max(self.page_x[0] - x, x - self.page_x[-1], 0.0)
        return math.hypot(beside, float(np.interp(x, self.page_x, self.page_y)) - y)


@dataclass(frozen=True)
class Place:
    """A place on a page. page: index into PageMap.pages.  system: index into PageMap.systems.  x, y: pixels of the page."""

    page: int
    system: int
    x: float
    y: float


@dataclass(frozen=True)
class PageMap:
    """The pages of a piece and its systems, in the order in which the sheet shows them. first_x: column of the sheet at which
    the first note may be.
    """

    pages: list[PageOfScore]
    systems: list[SystemPlace]
    first_x: float = 0.0
    version: int = VERSION

    def place(self, x: float) -> Place:
        """Where a column of the sheet, x in pixels, is on the pages. Columns off the sheet count as its ends."""
        ends = [system.end for system in self.systems]
        index = min(int(np.searchsorted(ends, x, side="right")), len(ends) - 1)
        system = self.systems[index]
        page_x, page_y = (float(np.interp(x, system.sheet_x, values)) for values in (system.page_x, system.page_y))
        return Place(system.page, index, page_x, page_y)

    def column(self, page: int, x: float, y: float, near: float) -> float | None:
        """The column of the sheet at a point of a page: in the system that is nearest. None on a page without systems.

        page: index into `pages`.  x, y: pixels of the page.  near: column of the sheet; where the sheet shows the system more
        than once, as with written repeats, the pass nearest to it counts.
        """
        own = [system for system in self.systems if system.page == page]
        columns = [float(np.interp(x, system.page_x, system.sheet_x)) for system in own]
        found = [
            (round(system.distance(x, y)), abs(column - near), column) for system, column in zip(own, columns, strict=True)
        ]
        return min(found)[2] if found else None


def map_path(score: Path) -> Path:
    """The path of the page map that belongs to NAME.npz."""
    return beside_score(score, SUFFIX)


def write_page_map(path: Path, pages: PageMap) -> None:
    """Write a page map; equal maps give equal bytes. Raises WriteError."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(asdict(pages), sort_keys=True) + "\n", encoding="utf-8")


def read_page_map(path: Path, width: int) -> PageMap:
    """Read the page map of a sheet of this width in pixels. Raises UserError naming the file when it does not fit."""
    with reading(path, "not a page map this version wrote", "make the piece again"):
        content = json.loads(read_bytes(path, limits.TABLE_FILE))
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, expected {VERSION}")
        pages = [PageOfScore(**page) for page in content["pages"]]
        systems = [
            SystemPlace(**system | {"staves": [StaffPlace(**staff) for staff in system["staves"]]})
            for system in content["systems"]
        ]
        found = PageMap(**content | {"pages": pages, "systems": systems})
        _require_sound(found, width, path)
    return found


def _require_sound(found: PageMap, width: int, path: Path) -> None:
    """Raise ValueError for values that no page map has, and UserError for one of another sheet."""
    if not fits(found, PageMap) or not 0 < len(found.systems) <= _MOST_SYSTEMS:
        raise ValueError("a value of the wrong type")
    begin = 0
    for system in found.systems:
        lengths = {len(system.sheet_x), len(system.page_x), len(system.page_y)}
        numbers = [*system.sheet_x, *system.page_x, *system.page_y, *(number for corner in system.corners for number in corner)]
        if lengths != {len(system.sheet_x)} or len(system.sheet_x) < 2 or not all(map(math.isfinite, numbers)):
            raise ValueError("a system without its points")
        if system.begin != begin or system.end <= begin or not 0 <= system.page < len(found.pages):
            raise ValueError("systems that do not follow one another, or a page that there is not")
        if (np.diff(system.sheet_x) <= 0).any() or [len(corner) for corner in system.corners] != [2] * 4:
            raise ValueError("points that are out of order")
        begin = system.end
    pictures = [page.picture for page in found.pages]
    if any(Path(name).name != name for name in pictures) or any(page.width < 1 or page.height < 1 for page in found.pages):
        raise ValueError("a picture outside the folder, or a page without a size")
    if begin != width:
        raise UserError(f"{path}: is for a sheet {begin} px wide, and the sheet is {width} px wide; make the piece again")
