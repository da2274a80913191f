"""Compressed MusicXML: which file of the archive is the score."""

from __future__ import annotations

import zipfile
from xml.etree import ElementTree

from score_following_game import limits
from score_following_game.data_preparation.errors import UNREADABLE, EngravingError, leaving_out
from score_following_game.errors import printable
from score_following_game.zip_files import open_zip, read_member

_CONTAINER = "META-INF/container.xml"
_MUSICXML = ("", "application/vnd.recordare.musicxml+xml", "application/vnd.recordare.musicxml", "text/xml", "application/xml")
_LARGEST_CONTAINER = 2**18  # bytes


def score_in(content: bytes) -> bytes:
    """The score in a compressed MusicXML file: the one that META-INF/container.xml names, without it the first one.

    Raises EngravingError if it is not an archive, or if the score is missing, encrypted or too large.
    """
    with leaving_out(UNREADABLE, "not a readable archive"), open_zip(content) as archive:
        score = bytes(read_member(archive, _score_name(archive), limits.SCORE_FILE))
    return score


def _score_name(archive: zipfile.ZipFile) -> str:
    names = {name.replace("\\", "/"): name for name in archive.namelist()}  # some programs for Windows write backslashes
    if _CONTAINER in names:
        with leaving_out(UNREADABLE, _CONTAINER):
            root = ElementTree.fromstring(read_member(archive, names[_CONTAINER], _LARGEST_CONTAINER))
        files = [element for element in root.iter() if element.tag.rpartition("}")[2] == "rootfile"]
        for file in files:
            if file.get("media-type", "") in _MUSICXML and (name := file.get("full-path", "")):
                stored = names.get(name.replace("\\", "/").removeprefix("./"))
                if stored is None:
                    raise EngravingError(UNREADABLE, f"{_CONTAINER} names {printable(name, 80)}, which is not in the archive")
                return stored
    scores = [
        stored
        for name, stored in names.items()
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith(("META-INF/", "__MACOSX/"))
    ]
    if not scores:
        raise EngravingError(UNREADABLE, "the archive holds no score")
    return scores[0]
