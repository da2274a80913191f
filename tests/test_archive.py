"""Unpacking archives: every kind, and every way in which one may be harmful or broken."""

import gzip
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from archive_tools import member, packed, tar, tree

from score_following_game.data_preparation.published.archive import NoArchive, unpacked
from score_following_game.errors import UserError


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    (folder / "a" / "deep").mkdir(parents=True)
    (folder / "a" / "deep" / "random").write_bytes(os.urandom(100_000))
    (folder / "empty").touch()
    return folder


def zipped(path: Path, name: str, mode: int = 0) -> Path:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(info, b"x")
    return path


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tgz", "a.tar", "a.zip", "misnamed.bin"])
def test_every_kind_of_archive_is_unpacked_and_gone_after_the_block(sample: Path, tmp_path: Path, name: str):
    archive = packed(sample, tmp_path / name)
    with unpacked(archive, tmp_path / "to") as content:
        assert tree(content.folder) == tree(sample)
        assert content.folder.parent == tmp_path / "to"
        assert content.size == sum(map(len, tree(sample).values()))
    assert not list((tmp_path / "to").iterdir())


def zip_of_two_kinds(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"x")
    return path


def spoil(make: Callable[[Path], Path], path: Path) -> Path:
    data = bytearray(make(path).read_bytes())
    data[-6] ^= 1  # of gzip's checksum
    path.write_bytes(data)
    return path


def cut(path: Path) -> Path:
    path.write_bytes(tar(path, member("a"), content=os.urandom(9999)).read_bytes()[:5000])
    return path


def packed_bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_001))
    return path


def long_header(path: Path) -> Path:
    with gzip.open(path, "wb") as stream:
        header = tarfile.TarInfo("h")
        header.type, header.size = tarfile.XHDTYPE, 2**32
        stream.write(header.tobuf())
        stream.write(bytes(3 * 2**20))
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: tar(path, member("../evil")), r"unsafe: it holds a file named '\.\./evil'"),
        (lambda path: tar(path, member("a/../../evil")), "unsafe"),
        (lambda path: tar(path, member("/tmp/evil")), "unsafe"),
        (lambda path: tar(path, member("C:evil")), "unsafe"),
        (lambda path: tar(path, member("a\nb")), "unsafe"),
        (lambda path: zipped(path, "../evil"), "unsafe"),
        (lambda path: zipped(path, "/evil"), "unsafe"),
        (zip_of_two_kinds, "broken archive .*compression method not supported"),
        (partial(spoil, lambda path: tar(path, member("a"))), "broken archive .*CRC"),
        (cut, "broken archive"),
        (long_header, "broken archive .*too much data between two of its files"),
        (lambda path: tar(path, *[member(str(index)) for index in range(51)]), "more than the 50 files"),
        (lambda path: tar(path, member("bomb"), content=bytes(10_001)), "unpacks to more than the 10000 bytes"),
        (lambda path: tar(path, *[member("same")] * 11, content=bytes(999)), "unpacks to more than the 10000 bytes"),
        (packed_bomb, "unpacks to more than the 10000 bytes"),
        (lambda path: path.write_bytes(b"PK\x03\x04") and path, "broken archive"),
    ],
)
def test_a_harmful_or_broken_archive_leaves_nothing(tmp_path: Path, make: Callable[[Path], Path], message: str):
    archive = make(tmp_path / "archive")
    with (
        pytest.raises(UserError, match=message) as caught,
        unpacked(archive, tmp_path / "a" / "to", largest=10_000, most_members=50),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "a" / "to").iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "archive"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["to"]


def test_links_and_devices_are_passed_over(tmp_path: Path):
    (tmp_path / "outside").mkdir()
    set_uid = member("set_uid")
    set_uid.mode = 0o6777
    archive = tar(
        tmp_path / "a.tar.gz",
        member("link", tarfile.SYMTYPE, "../../outside"),
        member("link/evil"),
        member("hard", tarfile.LNKTYPE, "../../outside"),
        member("pipe", tarfile.FIFOTYPE),
        set_uid,
    )
    with unpacked(archive, tmp_path / "to") as content:
        assert content.skipped == ["link", "hard", "pipe"]
        assert tree(content.folder) == {"link/evil": b"x", "set_uid": b"x"}
        assert not (content.folder / "set_uid").stat().st_mode & 0o7111
    with unpacked(zipped(tmp_path / "b.zip", "link", stat.S_IFLNK | 0o777), tmp_path / "to") as content:
        assert content.skipped == ["link"]
        assert not tree(content.folder)
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("data", [b"<!DOCTYPE html>", b"", b"text"])
def test_what_is_no_archive_is_reported_from_a_broken_one(tmp_path: Path, data: bytes):
    (tmp_path / "a.tar.gz").write_bytes(data)
    with (
        pytest.raises(NoArchive, match="web page" if data[:1] == b"<" else "not an archive"),
        unpacked(tmp_path / "a.tar.gz", tmp_path),
    ):
        pass
