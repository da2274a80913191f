"""Compressed MusicXML: which file of the archive is the score."""

from __future__ import annotations

import io
import zipfile
import zlib
from xml.etree import ElementTree

from score_following_game.data_preparation.errors import EngravingError

_CONTAINER = "META-INF/container.xml"
_MUSICXML = ("", "application/vnd.recordare.musicxml+xml", "application/vnd.recordare.musicxml", "text/xml", "application/xml")
_LARGEST_SCORE = 10**8  # bytes


def score_in(content: bytes) -> bytes:
    """The score in a compressed MusicXML file: the one that META-INF/container.xml names, without it the first one.

    Raises EngravingError if it is not an archive, or if the score is missing, encrypted or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read(archive, _score_name(archive))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError) as error:
        raise EngravingError("unreadable", f"not a readable archive: {error}") from None


def _score_name(archive: zipfile.ZipFile) -> str:
    names = archive.namelist()
    if _CONTAINER in names:
        try:
            root = ElementTree.fromstring(_read(archive, _CONTAINER))
        except ElementTree.ParseError as error:
            raise EngravingError("unreadable", f"{_CONTAINER}: {error}") from None
        files = [element for element in root.iter() if element.tag.rpartition("}")[2] == "rootfile"]
        for file in files:
            if file.get("media-type", "") in _MUSICXML and (name := file.get("full-path", "")):
                if name not in names:
                    raise EngravingError("unreadable", f"{_CONTAINER} names {name}, which is not in the archive")
                return name
    scores = [
        name
        for name in names
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith(("META-INF/", "__MACOSX/"))
    ]
    if not scores:
        raise EngravingError("unreadable", "the archive holds no score")
    return scores[0]


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST_SCORE:
        raise EngravingError("unreadable", f"{name} is larger than {_LARGEST_SCORE // 10**6} MB")
    return archive.read(name)
