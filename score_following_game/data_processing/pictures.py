"""Pictures that users bring: PNG and JPEG, as grey pixels. Sizes are checked before anything is decompressed."""

from __future__ import annotations

import struct

import numpy as np

from score_following_game import limits
from score_following_game.opencv import cv2

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the JPEG segments that state the size


def decode_picture(data: bytes) -> np.ndarray:
    """Decode a PNG or JPEG as uint8 (H, W), 0 = black; what is transparent becomes white, and a photograph stands upright.

    Raises ValueError for other data and damaged pictures, TooLarge for too many pixels.
    """
    width, height = _png_size(data) if data.startswith(PNG) else _jpeg_size(data)
    limits.require_at_most(width * height, limits.PICTURE, "pixels")
    as_stored = data.startswith(PNG)  # of a JPEG, OpenCV makes it grey and turns it as its camera says
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED if as_stored else cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError("cannot be decoded")
    if image.dtype == np.uint16:
        image = (image // 256).astype(np.uint8)
    if image.ndim == 2:
        return np.asarray(image)
    grey: np.ndarray = cv2.cvtColor(image[..., :3], cv2.COLOR_BGR2GRAY)
    return grey if image.shape[2] == 3 else np.asarray(255 - cv2.multiply(255 - grey, image[..., 3], scale=1 / 255))


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR" or len(data) < 24:
        raise ValueError("not a PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    if not data.startswith(JPEG):
        raise ValueError("not a PNG or JPEG")
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if kind in _FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return width, height
        place += 1 if kind == 0xFF else 2 + length
    raise ValueError("not a whole JPEG")
