"""Reads zip archives (npz, mxl, parameters), whose headers may say anything: bytes are counted while they are decompressed."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from score_following_game import limits
from score_following_game.errors import printable

_END_MARK = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")  # the record that ends an archive, before its comment
_END64 = struct.Struct("<4sQ2H2L4Q")  # the same with larger numbers
_LOCATOR = 20  # bytes of the record between the two
_LONGEST_COMMENT = 2**16
_CHUNK = 2**16  # bytes
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others decompress a block of any size at once


@contextlib.contextmanager
def open_zip(source: Path | bytes, largest_index: int = limits.ARCHIVE_INDEX) -> Iterator[zipfile.ZipFile]:
    """Open an archive. Raises exceptions of many types for a damaged one, TooLarge for one with an oversized index."""
    with open(source, "rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        limits.require_at_most(_index_size(stream), largest_index, "bytes in its index")
        with zipfile.ZipFile(stream) as archive:
            yield archive


def read_member(archive: zipfile.ZipFile, name: str, largest: int) -> bytearray:
    """Decompress a member. Raises KeyError where there is none, TooLarge for more than `largest` bytes."""
    member = archive.getinfo(name)
    if member.compress_type not in _METHODS:
        raise ValueError(
            f"{printable(name, 80)} is compressed by method {member.compress_type}, which is not read; use deflate"
        )
    limits.require_at_most(member.file_size, largest, f"bytes in {printable(name, 80)}")
    content = bytearray()
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            content += chunk
            limits.require_at_most(len(content), largest, f"bytes in {printable(name, 80)}")
    return content


def _index_size(stream: IO[bytes]) -> int:
    """The size of the archive's list of members, bytes, as its last record states it; 0 where there is no such record."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _LONGEST_COMMENT - _END.size - _LOCATOR - _END64.size))
    tail = stream.read()
    stream.seek(0)
    places = {tail.rfind(_END_MARK), len(tail) - _END.size}  # zipfile looks at the end first
    return max(_stated_size(tail, place) for place in places)


def _stated_size(tail: bytes, place: int) -> int:
    if place < 0 or place + _END.size > len(tail) or not tail.startswith(_END_MARK, place):
        return 0
    large = place - _LOCATOR - _END64.size
    if large >= 0 and tail.startswith(b"PK\x06\x07", place - _LOCATOR):  # then a record of larger numbers precedes
        return int(_END64.unpack_from(tail, large)[8])
    return int(_END.unpack_from(tail, place)[5])
