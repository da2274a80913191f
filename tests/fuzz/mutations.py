"""Random damage to bytes: bits, numbers, pieces that are cut, doubled, moved or taken from another file."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence

_NUMBERS = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\xff" * 8, b"\x7f\xff\xff\xff")
_WORDS = (
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"9" * 30,
    b"null",
    b"[",
    b"{",
    b"<",
    b"&",
    b'"',
    b"\n",
    b"../",
    b"\x1b[31m",
    b"!!",
    b"*a",
)


def mutated(original: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Damage a file. A zip archive is sometimes damaged inside its members, so that its checksums fit."""
    if original[:2] == b"PK" and rng.random() < 0.7:
        try:
            return _in_a_member(original, others, rng)
        except Exception:  # the archive is damaged already
            pass
    data = bytearray(original)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        _damage(data, others, rng)
    return bytes(data)


def _damage(data: bytearray, others: Sequence[bytes], rng: random.Random) -> None:
    at = min(rng.randrange(len(data) + 1), rng.randrange(4 * len(data) + 1))  # headers more often
    size = min(rng.choice((1, 1, 2, 4, 8, 64, 1024)), len(data) - at)
    kind = rng.randrange(8)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        value = rng.choice(_NUMBERS)
        data[at : at + len(value)] = value
    elif kind == 2:
        data[at:at] = rng.choice(_WORDS)
    elif kind == 3:
        del data[at : at + size]
    elif kind == 4:
        data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))
    elif kind == 5:
        other = rng.choice(others)
        begin = rng.randrange(len(other) + 1)
        data[at : at + size] = other[begin : begin + rng.choice((1, 16, 256, 4096))]
    elif kind == 6:
        del data[at:]
    else:
        data[at : at + size] = rng.randbytes(size)


def _in_a_member(original: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(original)) as before, zipfile.ZipFile(result, "w") as after:
        members = before.infolist()
        chosen = rng.randrange(len(members))
        for index, member in enumerate(members):
            content = bytearray(before.read(member))
            if index == chosen:
                _damage(content, others, rng)
            after.writestr(member.filename, bytes(content), member.compress_type)
    return result.getvalue()
