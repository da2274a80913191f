"""Reads the files of a raw MSMD score, without trusting them. Errors name the file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from score_following_game import limits
from score_following_game.data_preparation.errors import EngravingError, leaving_out
from score_following_game.data_processing.arrays import parse_array
from score_following_game.opencv import cv2

_LARGEST_FILE = 2**25  # bytes


def read_picture(path: Path) -> np.ndarray:
    """Read a PNG as uint8 (H, W), 0 = ink. Transparent pixels become white. Raises EngravingError."""
    data = read_bytes(path)
    with leaving_out("broken PNG", str(path)):
        picture = _decode(path, data)
    return picture


def _decode(path: Path, data: bytes) -> np.ndarray:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        raise EngravingError("broken PNG", f"{path}: not a PNG")
    width, height = struct.unpack(">II", data[16:24])
    if width * height > limits.PICTURE:  # checked before anything is decompressed
        raise EngravingError("page too large", f"{path}: {width} x {height} px")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise EngravingError("broken PNG", f"{path}: cannot be decoded")
    if image.dtype == np.uint16:
        image = (image // 256).astype(np.uint8)
    if image.ndim == 2:
        return image
    grey = cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY)
    return grey if image.shape[2] == 3 else 255 - cv2.multiply(255 - grey, image[..., 3], scale=1 / 255)


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
