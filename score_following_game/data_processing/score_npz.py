"""NAME.npz: the sheet image of a piece, its noteheads, and the note that each notehead represents."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from score_following_game import limits
from score_following_game.data_processing.arrays import parse_array, read_header, read_members
from score_following_game.errors import UserError
from score_following_game.files import replacing
from score_following_game.reading import reading
from score_following_game.zip_files import open_zip

_KEYS = ("sheet", "coords", "coord2onset")


@dataclass(frozen=True)
class Score:
    """The content of a score npz.

    sheet: uint8 (H, W), 0 = ink, 255 = paper, the piece as one long staff system.
    coords: float32 (N, 2), (y, x) of each notehead's centre, pixels.
    coord2onset: int64 (M, 2), rows of (notehead index, note index); notes of the MIDI file are counted by onset time.

    A sheet made of pages has no notes: N = M = 0.
    """

    sheet: np.ndarray
    coords: np.ndarray
    coord2onset: np.ndarray

    @property
    def has_notes(self) -> bool:
        return len(self.coord2onset) > 0


class _Frozen(type):
    """Metaclass of the stand-ins: a pickle may call these classes but not change them."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise pickle.UnpicklingError("a score file may not set attributes")


class _Recorded(metaclass=_Frozen):
    """Stand-in for an array or dtype in a pickle: records the arguments and builds nothing.

    numpy's own constructors trust a pickle: a forged dtype lets them read and write anywhere in memory.
    """

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


class _Int(metaclass=_Frozen):
    """Stand-in for numpy's scalar(dtype, bytes) of an integer dtype; makes an int."""

    def __new__(cls, dtype: _Recorded, data: bytes | str) -> int:  # type: ignore[misc]  # a pickle calls it as a function
        if isinstance(data, str):  # the bytes of a pickle written by Python 2
            data = data.encode("latin1")
        kind, size = dtype.arguments[0][0], int(dtype.arguments[0][1:])
        if kind not in "iu" or len(data) != size:
            raise pickle.UnpicklingError("a scalar in a score file is no integer")
        return int.from_bytes(data, "big" if dtype.state[1] == ">" else "little", signed=kind == "i")


class _Bytes(metaclass=_Frozen):
    """Stand-in for codecs.encode(text, "latin1"), with which pickle protocol 2 represents bytes."""

    def __new__(cls, text: str, encoding: str = "latin1") -> bytes:  # type: ignore[misc]  # as above
        return text.encode("latin1")


class _IntDictUnpickler(pickle._Unpickler):  # in Python: the C version allocates memory for any memo index in a file
    """Reads an object array that holds one dict of ints. A pickle can call nothing but the stand-ins above."""

    # BYTEARRAY8 is left out: it allocates the memory for the bytes before it reads them.
    dispatch = {code: read for code, read in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]}

    _STAND_INS = {
        ("numpy.core.multiarray", "_reconstruct"): _Recorded,
        ("numpy._core.multiarray", "_reconstruct"): _Recorded,
        ("numpy.core.multiarray", "scalar"): _Int,
        ("numpy._core.multiarray", "scalar"): _Int,
        ("numpy", "ndarray"): _Recorded,
        ("numpy", "dtype"): _Recorded,
        ("_codecs", "encode"): _Bytes,
        ("collections", "OrderedDict"): dict,
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._STAND_INS:
            raise pickle.UnpicklingError(f"{module!a}.{name!a} is not allowed in a score file")
        return self._STAND_INS[module, name]


def beside_score(score: Path, suffix: str) -> Path:
    """The path of a file that belongs to NAME.npz: NAME and a suffix such as ".map.json"."""
    return score.with_name(score.name.removesuffix(".npz") + suffix)


def read_score(path: str | os.PathLike[str]) -> Score:
    """Read a score npz in the published format (coord2onset is a pickled dict of ints) or ours (an int array).

    Raises UserError naming the file when it is missing or corrupt, or its arrays do not have the format's types and shapes.
    """
    path = Path(path)
    with reading(path, "corrupt score npz", "fetch or make it again"):
        with open_zip(path) as archive:
            stored = list(read_members(archive, _KEYS))
        sheet, coords, coord2onset = parse_array(stored[0]), parse_array(stored[1]), _read_coord2onset(stored[2])
    _check(path, sheet, coords, coord2onset)
    return Score(sheet, coords.astype(np.float32), coord2onset)


def write_score(path: str | os.PathLike[str], score: Score) -> None:
    """Write a score npz without a pickle; equal scores give equal bytes."""
    _check(Path(path), score.sheet, score.coords, score.coord2onset)
    arrays = {
        "sheet": score.sheet,
        "coords": score.coords.astype(np.float32),
        "coord2onset": score.coord2onset.astype(np.int64),
    }
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            buffer = io.BytesIO()
            npy_format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
            # The date of a new ZipInfo is always 1980-01-01, so the bytes do not depend on the time.
            info = zipfile.ZipInfo(f"{key}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, buffer.getvalue())


def _read_coord2onset(data: bytearray) -> np.ndarray:
    """Parse coord2onset.npy. Returns int64 (M, 2), in the order stored."""
    stream = io.BytesIO(bytes(data[: limits.PICKLED_INTS]))
    shape, _, dtype = read_header(stream)
    if dtype.hasobject:
        limits.require_at_most(len(data), limits.PICKLED_INTS, "bytes of coord2onset")
        content = _IntDictUnpickler(stream, encoding="latin1").load()
        state: tuple[Any, ...] = content.state if isinstance(content, _Recorded) else ()
        items: Any = state[4] if len(state) == 5 else ()
        mapping = items[0] if len(items) == 1 else None
        if not isinstance(mapping, dict):
            raise ValueError("coord2onset holds no dict")
        pairs = list(mapping.items())
        if not all(isinstance(value, int) for pair in pairs for value in pair):
            raise ValueError("coord2onset maps values other than ints")
        return np.array(pairs, dtype=np.int64).reshape(-1, 2)
    array = parse_array(data)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise ValueError(f"coord2onset is {array.dtype} {shape}, expected int (M, 2)")
    return array.astype(np.int64)


def _check(path: Path, sheet: np.ndarray, coords: np.ndarray, coord2onset: np.ndarray) -> None:
    problem = None
    if sheet.dtype != np.uint8 or sheet.ndim != 2 or not sheet.size:
        problem = f"sheet is {sheet.dtype} {sheet.shape}, expected uint8 (H, W)"
    elif coords.dtype.kind not in "fiu" or coords.ndim != 2 or coords.shape[1:] != (2,):
        problem = f"coords are {coords.dtype} {coords.shape}, expected float32 (N, 2)"
    elif not len(coords) and not len(coord2onset):
        problem = None  # a sheet without notes
    elif not len(coords):
        problem = "coords are empty, and coord2onset is not"
    elif not np.isfinite(coords.astype(np.float32)).all():
        problem = "coords are not all finite"
    elif coords[:, 1].min() < 0 or coords[:, 1].max() > sheet.shape[1]:
        outside = coords[(coords[:, 1] < 0) | (coords[:, 1] > sheet.shape[1])][0, 1]
        problem = f"a notehead is at x = {outside:g}, but the sheet is {sheet.shape[1]} px wide"
    elif not len(coord2onset):
        problem = "coord2onset is empty"
    elif coord2onset[:, 0].min() < 0 or coord2onset[:, 0].max() >= len(coords):
        wrong = coord2onset[(coord2onset[:, 0] < 0) | (coord2onset[:, 0] >= len(coords)), 0][0]
        problem = f"coord2onset refers to notehead {wrong}, but there are {len(coords)}"
    if problem:
        raise UserError(f"{path}: {problem}")
