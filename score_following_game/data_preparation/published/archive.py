"""Safe unpacking of archives from the network: no file outside the target folder, no more data than the limits allow.

Only folders and plain files are created, with names checked here and (tar) by Python's filter="data"; links and devices are
skipped. The limits apply to the data actually unpacked, not to the sizes stated by the archive.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from gzip import GzipFile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Protocol

from tqdm import tqdm

from score_following_game.errors import UserError, cause
from score_following_game.files import WriteError, make_folder
from score_following_game.limits import PUBLISHED_INDEX
from score_following_game.zip_files import open_zip

LARGEST = 64 * 2**30  # bytes, total of all files
MOST_MEMBERS = 500_000
_LARGEST_HEADER = 2**20  # bytes between two files of a tar; tarfile reads them into memory at once
_CHUNK = 2**16


class NoArchive(UserError):
    """The file is not an archive, for example the web page that some servers send for a deleted file."""


@dataclass
class Unpacked:
    """An unpacked archive. folder: temporary. members, size: number and bytes unpacked. skipped: links and devices."""

    folder: Path
    members: int = 0
    size: int = 0
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Limits:
    archive: Path
    largest: int
    most_members: int

    def check(self, unpacked: Unpacked) -> None:
        if unpacked.size > self.largest:
            raise UserError(f"{self.archive}: unpacks to more than the {self.largest} bytes allowed; nothing was kept")
        if unpacked.members > self.most_members:
            raise UserError(f"{self.archive}: holds more than the {self.most_members} files allowed; nothing was kept")


@contextlib.contextmanager
def unpacked(
    archive: Path,
    destination: Path,
    *,
    largest: int = LARGEST,
    most_members: int = MOST_MEMBERS,
) -> Iterator[Unpacked]:
    """Unpack a .tar.gz, .tgz, .tar or .zip (recognised by content) into a temporary folder in `destination`.

    The folder is removed at the end of the block: the caller moves files out of it to keep them. largest: bytes. Raises
    NoArchive for another kind of file, UserError for an archive that is broken, unsafe or over the limits, WriteError when
    the destination cannot be written; no files remain in these cases.
    """
    unpack = _unpacker(archive)
    make_folder(destination)
    try:
        folder = Path(tempfile.mkdtemp(dir=destination, prefix=".unpacking-"))
    except OSError as error:
        raise WriteError(f"{destination}: cannot be written ({error.strerror})") from None
    try:
        result = Unpacked(folder)
        with tqdm(
            desc=f"unpacking {archive.name}", unit="B", unit_scale=True, unit_divisor=1024, disable=None, leave=False
        ) as bar:
            unpack(archive, result, _Limits(archive, largest, most_members), bar)
        yield result
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpacker(archive: Path) -> Callable[[Path, Unpacked, _Limits, tqdm], None]:
    """Choose by the first bytes, since file names are not reliable: servers send web pages under an archive's name."""
    try:
        with archive.open("rb") as stream:
            head = stream.read(512)
    except FileNotFoundError:
        raise UserError(f"{archive}: no such file") from None
    except OSError as error:
        raise UserError(f"{archive}: cannot be read ({error.strerror})") from None
    if head.startswith(b"PK\x03\x04"):
        return _unpack_zip
    if head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar":
        return _unpack_tar
    kind = "a web page, not" if head.lstrip()[:1] == b"<" else "not"
    raise NoArchive(f"{archive}: is {kind} an archive (.tar.gz, .tgz, .tar or .zip); fetch it again or from another place")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Metered:
    """A stream that fails when it is read beyond position `allowed`, so that a header cannot fill the memory."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self.position = 0
        self.allowed = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.position += len(data)
        if self.position > self.allowed:
            raise tarfile.ReadError("too much data between two of its files")
        return data


def _unpack_tar(archive: Path, result: Unpacked, limits: _Limits, bar: tqdm) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise UserError(
            "this Python's tarfile has no filter='data', which is needed to unpack archives safely; use Python 3.11.4 or later"
        )
    with _reading(archive), archive.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = _Metered(GzipFile(fileobj=raw) if packed else raw)
        stream.allowed = _LARGEST_HEADER
        # The stub asks for a writable, seekable file; mode "r|" only calls read.
        with tarfile.open(fileobj=stream, mode="r|") as content:  # type: ignore[call-overload]
            while (member := content.next()) is not None:
                content.members.clear()  # tarfile would keep all of them in memory, for look-ups by name
                _count(result, limits)
                if not _is_plain(member):
                    result.skipped.append(member.name)
                    continue
                path = _inside(archive, result.folder, member.name)
                tarfile.data_filter(member, str(result.folder))
                if member.isdir():
                    _make(path)
                else:
                    stream.allowed = stream.position + member.size + _LARGEST_HEADER
                    _write(content.extractfile(member), path, member.size, result, limits, bar)
                stream.allowed = stream.position + _LARGEST_HEADER
        while stream.read(_CHUNK):  # gzip's checksum is checked at the end of the file
            pass


def _is_plain(member: tarfile.TarInfo) -> bool:
    """Returns True if it is a folder or a plain file; a sparse file is not, since it may claim any size."""
    return member.isdir() or (member.isreg() and not member.issparse())


def _unpack_zip(archive: Path, result: Unpacked, limits: _Limits, bar: tqdm) -> None:
    with _reading(archive), open_zip(archive, PUBLISHED_INDEX) as content:
        for member in content.infolist():
            _count(result, limits)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                result.skipped.append(member.filename)
                continue
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise zipfile.BadZipFile("compression method not supported")
            path = _inside(archive, result.folder, member.filename)
            if member.is_dir():
                _make(path)
            else:
                with content.open(member) as stream:
                    _write(stream, path, None, result, limits, bar)


def _count(result: Unpacked, limits: _Limits) -> None:
    result.members += 1
    limits.check(result)


@contextlib.contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn any exception that a broken or hostile archive causes in the readers into a UserError."""
    try:
        yield
    except UserError:
        raise
    except tarfile.FilterError as error:
        raise UserError(f"{archive}: not unpacked, since it is unsafe ({error})") from None
    except Exception as error:
        raise UserError(f"{archive}: broken archive ({cause(error)}); remove it and fetch it again") from None


def _inside(archive: Path, folder: Path, name: str) -> Path:
    """Target path of a member. Raises UserError for a name that leads out of the folder on any system."""
    parts = PurePosixPath(name).parts
    leads_out = name.startswith("/") or ".." in parts or "\\" in name or PureWindowsPath(name).drive
    if not name or leads_out or any(ord(character) < 32 for character in name):
        raise UserError(f"{archive}: not unpacked, since it is unsafe: it holds a file named {name!a}")
    return folder.joinpath(*parts)


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{path}: cannot create this folder ({error.strerror})") from None


def _write(stream: IO[bytes], path: Path, size: int | None, result: Unpacked, limits: _Limits, bar: tqdm) -> None:
    """Copy one file, counting its bytes. size: the expected size, or None if the reader checks it."""
    _make(path.parent)
    begun = result.size
    try:
        target = path.open("wb")
    except OSError as error:
        raise WriteError(f"{path}: cannot be written ({error.strerror})") from None
    with target:
        while chunk := stream.read(_CHUNK):
            result.size += len(chunk)
            limits.check(result)
            try:
                target.write(chunk)
            except OSError as error:
                raise WriteError(f"{path}: cannot be written ({error.strerror})") from None
            bar.update(len(chunk))
    if size is not None and result.size - begun != size:
        raise EOFError(f"it ends within {path.name}")
