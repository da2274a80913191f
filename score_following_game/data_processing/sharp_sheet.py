"""NAME.sheet.png beside NAME.npz: the same sheet in 2 to 8 times as many pixels each way, for pictures that people look at.

A grey PNG, of which column (and row) kx + (k - 1) / 2 is column x of the sheet. The game does not read it; a piece may lack it.
"""

from __future__ import annotations

import functools
import logging
import os
import struct
from pathlib import Path

import numpy as np

from score_following_game.data_processing.piece import Piece, find_score, place_of_score
from score_following_game.data_processing.score_npz import beside_score
from score_following_game.errors import UserError
from score_following_game.files import replacing

SUFFIX = ".sheet.png"
FACTORS = range(2, 9)
MOST_BYTES = 2**28  # of the file
MOST_DIFFERENCE = (
    6.0  # grey levels, mean over the sheet, between it and the sharp one scaled down: 2; for another sheet: above 12
)
_HEADER = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_GREY = (8, 0)  # bits and colour type
_LEVELS = 17  # 16 greys are enough for the edges of black on white, and make the file smaller
_COMPRESSION = 6  # of 9, which takes eight times as long for files that are 5 % smaller

log = logging.getLogger(__name__)


def sharp_path(score: Path) -> Path:
    """The path of the sharp sheet that belongs to NAME.npz."""
    return beside_score(score, SUFFIX)


def write_sharp(path: str | os.PathLike[str], sharp: np.ndarray) -> None:
    """Write a sharp sheet, uint8 (kH, kW), 0 = ink. Raises WriteError."""
    import cv2

    levels = np.round(sharp / _LEVELS).astype(np.uint8) * _LEVELS
    done, content = cv2.imencode(".png", levels, [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not done:
        raise ValueError(f"{path}: a sheet of {sharp.shape} cannot be a PNG")
    with replacing(path) as temporary:
        temporary.write_bytes(content.tobytes())


def read_sharp(path: str | os.PathLike[str], sheet: np.ndarray) -> np.ndarray:
    """Read the sharp sheet of a sheet, uint8 (H, W). Returns uint8 (kH, kW).

    Raises UserError naming the file: it cannot be read, is no grey PNG, has other sides than 2 to 8 times those of the sheet,
    or shows another sheet. The size is checked before the pixels are read.
    """
    import cv2

    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: is larger than any sheet; remove it, or make the piece again")
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not content.startswith(_HEADER) or len(content) < 26:
        raise UserError(f"{path}: is no PNG; remove it, or make the piece again")
    width, height, *kind = struct.unpack(">IIBB", content[16:26])
    factor = height // sheet.shape[0]
    if factor not in FACTORS or (height, width) != (factor * sheet.shape[0], factor * sheet.shape[1]) or tuple(kind) != _GREY:
        raise UserError(
            f"{path}: is {width} x {height} px, expected grey, and 2 to 8 times the {sheet.shape[1]} x {sheet.shape[0]} px of "
            "the sheet; remove it, or make the piece again"
        )
    sharp = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if sharp is None or sharp.shape != (height, width):
        raise UserError(f"{path}: is a damaged PNG; remove it, or make the piece again")
    if difference(sharp, sheet) > MOST_DIFFERENCE:
        raise UserError(f"{path}: shows another sheet than the npz beside it; remove it, or make the piece again")
    return sharp


def difference(sharp: np.ndarray, sheet: np.ndarray) -> float:
    """Mean difference, in grey levels, between a sheet and a sharp one scaled down to it."""
    import cv2

    smaller = cv2.resize(sharp, sheet.shape[::-1], interpolation=cv2.INTER_AREA)
    return float(np.abs(smaller.astype(np.int16) - sheet).mean())


def sharp_sheet_of(piece: Piece) -> np.ndarray | None:
    """The sharp sheet of a piece, uint8 (kH, kW); None where there is none, or, with a warning, where it cannot be used."""
    if piece.midi_path.suffix.lower() != ".mid":  # a piece without files, as of live following
        return None
    return _sharp(sharp_path(find_score(place_of_score(piece.midi_path))), _Sheet(piece.sheet))


class _Sheet:
    """An array that a cache can hold as a key: the same object is the same key."""

    def __init__(self, sheet: np.ndarray) -> None:
        self.sheet = sheet

    def __hash__(self) -> int:
        return id(self.sheet)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sheet) and other.sheet is self.sheet


@functools.lru_cache(maxsize=16)
def _sharp(path: Path, sheet: _Sheet) -> np.ndarray | None:
    if not path.is_file():
        return None
    try:
        return read_sharp(path, sheet.sheet)
    except UserError as error:
        log.warning("the picture shows the game's own sheet: %s", error)
        return None
