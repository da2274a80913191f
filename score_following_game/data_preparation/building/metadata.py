"""Metadata of score files: the licence, and the work that a file is a movement of."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

_LICENCE_FILES = re.compile(r"(licen[cs]e|copying|copyright)(\.\w+)?$", re.IGNORECASE)
_LICENCE_MARKS = {
    ".ly": (
        r'^\s*(?:mutopia)?licen[cs]e\s*=\s*"([^"\n]+)"',
        r'^\s*copyright\s*=\s*"([^"\n]+)"',
        r"(creative commons attribution(?:[- ]sharealike)?(?: \d\.\d)?|public domain)",
    ),
    ".krn": (r"^!!!YE[CM]:\s*(.+)$", r"^!!!YOE:\s*(.+)$"),
    ".mei": (r"<useRestrict[^>]*>\s*([^<]+?)\s*<", r"<availability[^>]*>\s*<p>\s*([^<]+?)\s*<"),
    ".musicxml": (r"<rights[^>]*>\s*([^<]+?)\s*</rights>",),
}
# A file is a movement when it names a work and a movement; naming only a composer is not enough.
_WORK_MARKS = {
    ".musicxml": (r"<work-(?:title|number)[^>]*>\s*([^<]+?)\s*<", r"<movement-(?:title|number)[^>]*>\s*[^<\s]"),
    ".krn": (r"^!!!(?:OTL|OPS|ONM|SCT)(?:@\w+)?:\s*(.+)$", r"^!!!OM[VD]:\s*\S"),
}
_COMPOSER = re.compile(r"<creator[^>]*composer[^>]*>\s*([^<]+?)\s*<|^!!!COM(?:@\w+)?:\s*(.+)$", re.MULTILINE)
_MOVEMENT = re.compile(r"(?:[-_. ](?:mov|mvt|movement|satz|no|nr)?[-_. ]?)(?:\d{1,2}|[ivx]{1,5})[a-z]?$", re.IGNORECASE)
MOST_MOVEMENTS = 12  # more files that differ only by a number are a collection, not a work
_LOOKED_AT = 200_000  # characters searched at the start of a file
_LONGEST = 200  # characters of a licence


def licence_of(path: Path, text: str) -> str:
    """The licence stated in `text`; else the first line of a licence file in the file's folder or its parent; else ""."""
    for mark in _LICENCE_MARKS.get(_form(path), ()):
        if found := re.search(mark, text[:_LOOKED_AT], re.MULTILINE | re.IGNORECASE):
            return " ".join(found.group(1).split())[:_LONGEST]
    return next(filter(None, map(_folder_licence, list(path.resolve().parents)[:2])), "")


def named_work(path: Path, text: str) -> str:
    """Composer and title of the work if the file says it is a movement; otherwise ""."""
    marks = _WORK_MARKS.get(_form(path))
    head = text[:_LOOKED_AT]
    if marks is None or not re.search(marks[1], head, re.MULTILINE):
        return ""
    titles = [" ".join(title.split()) for title in re.findall(marks[0], head, re.MULTILINE)]
    composers = [" ".join("".join(found).split()) for found in _COMPOSER.findall(head)] if titles else []
    return "; ".join(dict.fromkeys(composers + titles))


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
    file = next((file for file in sorted(folder.iterdir()) if _LICENCE_FILES.match(file.name) and file.is_file()), None)
    if file is None:
        return ""
    lines = (line.strip(" #*=-\t") for line in file.read_text(encoding="utf-8", errors="replace")[:2000].splitlines())
    return " ".join(f"{file.name}: {next(filter(None, lines), '')}".split())[:_LONGEST]
