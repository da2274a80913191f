"""Reads .npy and .npz files without pickles. A header is checked against the bytes before an array is made of it."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy_format

from score_following_game import limits
from score_following_game.reading import read_bytes
from score_following_game.zip_files import open_zip, read_member


def read_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the order is Fortran's, and type. Raises ValueError for what is no header of an array."""
    version = npy_format.read_magic(stream)
    reader = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, fortran, dtype = reader(stream)
    return shape, fortran, np.dtype(dtype)


def parse_array(data: bytes | bytearray) -> np.ndarray:
    """The array in the bytes of a .npy file; it shares the memory of a bytearray. Raises ValueError and the like."""
    stream = io.BytesIO(bytes(data[: 2**16]))
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    begin = stream.tell()
    if dtype.itemsize * math.prod(shape) != len(data) - begin:
        raise ValueError(f"its header promises {dtype} {shape}, and {len(data) - begin} bytes follow")
    return np.ndarray(shape, dtype, bytearray(data) if isinstance(data, bytes) else data, begin, order="F" if fortran else "C")


def read_array(path: Path) -> np.ndarray:
    """The array of a .npy file. Raises OSError, ValueError and the like."""
    return parse_array(bytearray(read_bytes(path, limits.ARRAYS)))


def read_members(archive: zipfile.ZipFile, keys: Sequence[str]) -> Iterator[bytearray]:
    """The bytes of arrays of an npz file, together at most limits.ARRAYS. Raises KeyError for one that it lacks."""
    left = limits.ARRAYS
    for key in keys:
        content = read_member(archive, f"{key}.npy", left)
        left -= len(content)
        yield content


def read_arrays(path: Path, keys: Sequence[str]) -> list[np.ndarray]:
    """The named arrays of an npz file. Raises OSError, KeyError, ValueError and the like."""
    with open_zip(path) as archive:
        return [parse_array(content) for content in read_members(archive, keys)]
