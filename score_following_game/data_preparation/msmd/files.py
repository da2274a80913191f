"""Reads the files of a raw MSMD score, without trusting them. Errors name the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from score_following_game import limits
from score_following_game.data_preparation.errors import EngravingError, leaving_out
from score_following_game.data_processing.arrays import parse_array
from score_following_game.data_processing.pictures import PNG, decode_picture

_LARGEST_FILE = 2**25  # bytes


def read_picture(path: Path) -> np.ndarray:
    """Read a PNG as uint8 (H, W), 0 = ink. Transparent pixels become white. Raises EngravingError."""
    data = read_bytes(path)
    if not data.startswith(PNG):
        raise EngravingError("broken PNG", f"{path}: not a PNG")
    with leaving_out("broken PNG", str(path)):
        try:
            return decode_picture(data)
        except limits.TooLarge as error:
            raise EngravingError("page too large", f"{path}: {error}") from None


def read_array(path: Path) -> np.ndarray:
    """Read a .npy file that holds no pickles. Raises EngravingError."""
    data = read_bytes(path)
    with leaving_out("broken array", str(path)):
        array = parse_array(data)
    return array


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises EngravingError if it is missing, unreadable or too large."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise EngravingError("missing file", str(path)) from None
    except OSError as error:
        raise EngravingError("unreadable file", f"{path}: {error.strerror}") from None
    if len(data) > _LARGEST_FILE:
        raise EngravingError("file too large", f"{path}: more than {_LARGEST_FILE >> 20} MB")
    return data
