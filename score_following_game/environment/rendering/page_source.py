"""The pages of a piece, to be shown: those that its sheet was cut from, or, without them, its systems below one another."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from score_following_game import limits
from score_following_game.data_processing.page_map import PageMap, PageOfScore
from score_following_game.data_processing.pictures import decode_picture
from score_following_game.data_processing.piece import Piece, find_score, place_of_score
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.rendering.systems_as_pages import lay_out
from score_following_game.errors import UserError
from score_following_game.reading import read_bytes, reading

_KEPT = 6  # decoded pages in memory; one has 4 MB
_SIDES_DIFFER = 0.02  # of the shape of a page, by rounding

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pages:
    """map: where the sheet is on the pages.  picture: makes the picture of a page, uint8 (H, W), 0 = ink, by its index in the
    map.  printed: whether they are the pages of the score, instead of systems put below one another.
    """

    map: PageMap
    picture: Callable[[int], np.ndarray]
    printed: bool


def has_pages(piece: Piece, fps: int) -> bool:
    """Whether the sheet of a piece was cut from pages. Raises UserError for a broken map."""
    return map_of(piece, fps).pages is not None


def pages_of(piece: Piece, fps: int, size: tuple[int, int]) -> Pages:
    """The pages of a piece. size: width and height of a page that is put together from systems, pixels.

    Where the pictures of pages cannot be used, the systems are taken, with a warning. Raises UserError for a broken map.
    """
    sheet_map = map_of(piece, fps)
    if sheet_map.pages is not None:
        folder = find_score(place_of_score(piece.midi_path)).parent
        try:
            for page in sheet_map.pages.pages:
                _require_picture(folder, page)
            return Pages(sheet_map.pages, _reader(folder, sheet_map.pages), printed=True)
        except UserError as error:
            log.warning("the systems are shown instead of the pages: %s", error)
    laid_out, pictures = lay_out(piece, sheet_map.columns, size)
    return Pages(laid_out, pictures.__getitem__, printed=False)


def _require_picture(folder: Path, page: PageOfScore) -> None:
    if not (page.picture and (folder / page.picture).is_file()):
        raise UserError(
            f"{folder / (page.picture or page.file)}: the picture of page {page.number} is missing; make the piece again"
        )


def _reader(folder: Path, pages: PageMap) -> Callable[[int], np.ndarray]:
    @functools.lru_cache(maxsize=_KEPT)
    def read(index: int) -> np.ndarray:
        page = pages.pages[index]
        try:
            return read_picture(folder / page.picture, page)
        except UserError as error:
            log.warning("page %d is shown blank: %s", index + 1, error)
            return np.full((page.height, page.width), 255, np.uint8)

    return read


def read_picture(path: Path, page: PageOfScore) -> np.ndarray:
    """Read the picture of a page, uint8 (H, W). Raises UserError naming the file: it is no picture, or has another shape."""
    with reading(path, "no picture of this page", "make the piece again"):
        picture = decode_picture(read_bytes(path, limits.PAGES_FILE))
        height, width = picture.shape
        if abs(width * page.height / (height * page.width) - 1) > _SIDES_DIFFER:
            raise ValueError(f"{width} x {height} pixels, expected the shape of {page.width} x {page.height}")
    return picture
