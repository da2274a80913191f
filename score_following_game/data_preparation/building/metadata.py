"""Metadata of score files: the licence, and the work that a file is a movement of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from score_following_game.data_preparation.building.xml_metadata import xml_metadata
from score_following_game.errors import printable

_LICENCE_FILES = re.compile(r"(licen[cs]e|copying|copyright)(\.\w+)?$", re.IGNORECASE)
_XML = (".musicxml", ".mei")
_LICENCE_MARKS = {
    ".ly": (
        r'^[^\S\n]*(?:mutopia)?licen[cs]e\s*=\s*"([^"\n]+)"',
        r'^[^\S\n]*copyright\s*=\s*"([^"\n]+)"',
        r"(creative commons attribution(?:[- ]sharealike)?(?: \d\.\d)?|public domain)",
    ),
    ".krn": (r"^!!!YE[CM]:[^\S\n]*(.+)$", r"^!!!YOE:[^\S\n]*(.+)$"),
}
_KERN_WORK = re.compile(r"^!!!(?:OTL|OPS|ONM|SCT)(?:@\w+)?:[^\S\n]*(.+)$", re.MULTILINE)
_KERN_MOVEMENT = re.compile(r"^!!!OM[VD]:[^\S\n]*\S", re.MULTILINE)
_KERN_COMPOSER = re.compile(r"^!!!COM(?:@\w+)?:[^\S\n]*(.+)$", re.MULTILINE)
_MOVEMENT = re.compile(r"(?:[-_. ](?:mov|mvt|movement|satz|no|nr)?[-_. ]?)(?:\d{1,2}|[ivx]{1,5})[a-z]?$", re.IGNORECASE)
MOST_MOVEMENTS = 12  # more files that differ only by a number are a collection, not a work
_LOOKED_AT = 200_000  # characters searched at the start of a file
_LONGEST = 200  # characters of a licence


def licence_of(path: Path, text: str) -> str:
    """The licence stated in `text`; else the first line of a licence file in the file's folder or its parent; else ""."""
    head = text[:_LOOKED_AT]
    stated = xml_metadata(head).licences if _form(path) in _XML else ()
    for mark in _LICENCE_MARKS.get(_form(path), ()):
        if found := re.search(mark, head, re.MULTILINE | re.IGNORECASE):
            stated = (found.group(1),)
            break
    if stated:
        return printable(" ".join(stated[0].split())[:_LONGEST])
    return next(filter(None, map(_folder_licence, list(path.resolve().parents)[:2])), "")


def named_work(path: Path, text: str) -> str:
    """Composer and title of the work if the file says it is a movement; otherwise "".

    A file is a movement when it names a work and a movement; naming only a composer is not enough.
    """
    head = text[:_LOOKED_AT]
    if _form(path) == ".musicxml":
        found = xml_metadata(head)
        titles, composers, is_movement = found.works, found.composers, found.is_movement
    elif _form(path) == ".krn":
        titles, composers = tuple(_KERN_WORK.findall(head)), tuple(_KERN_COMPOSER.findall(head))
        is_movement = _KERN_MOVEMENT.search(head) is not None
    else:
        return ""
    if not (is_movement and titles):
        return ""
    return "; ".join(dict.fromkeys(" ".join(text.split()) for text in composers + titles))


def _form(path: Path) -> str:
    """Key of the file's format in the tables above."""
    suffix = path.suffix.lower()
    return ".musicxml" if suffix in (".xml", ".mxl") else suffix


def works_by_name(roots: Mapping[Path, Path]) -> dict[Path, str]:
    """Map files to works by their folders and names. roots: file -> the source folder it was found in.

    The files of one subfolder are movements of one work, as are files of one folder whose names differ only in a movement's
    number after a separator. A group of more than MOST_MOVEMENTS files is a collection and has no work.
    """
    groups: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    homes: dict[Path, list[Path]] = defaultdict(list)
    for file, root in roots.items():
        home, stem = file.resolve().parent, _MOVEMENT.sub("", file.stem)
        if home != root.resolve():
            homes[home].append(file)
        if stem and stem != file.stem:
            groups[home, stem.lower()].append(file)
    works = {file: str(home) for home, files in homes.items() if 2 <= len(files) <= MOST_MOVEMENTS for file in files}
    return {
        file: f"{home}/{stem}" for (home, stem), files in groups.items() if 2 <= len(files) <= MOST_MOVEMENTS for file in files
    } | works


@lru_cache(maxsize=256)
def _folder_licence(folder: Path) -> str:
    """Name and first line of a folder's licence file, "" without one."""
    try:
        file = next((file for file in sorted(folder.iterdir()) if _LICENCE_FILES.match(file.name) and file.is_file()), None)
        if file is None:
            return ""
        with file.open("rb") as stream:
            head = stream.read(2000).decode("utf-8", errors="replace")
    except OSError:  # it may not be read
        return ""
    lines = (line.strip(" #*=-\t") for line in head.splitlines())
    return printable(" ".join(f"{file.name}: {next(filter(None, lines), '')}".split())[:_LONGEST])
