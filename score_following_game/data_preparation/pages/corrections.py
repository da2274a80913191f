"""pages.yaml beside a PDF or its pictures: what a person puts right of what was found on the pages.

A page is named by its number (3), a system by its page and its number there (3-2), as the check pictures show them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from score_following_game import limits
from score_following_game.errors import UserError, shown
from score_following_game.yaml_files import read_yaml

FILE_NAME = "pages.yaml"
_KEYS = ("skip", "boxes", "order", "repeats")
_SYSTEM = re.compile(r"([1-9][0-9]{0,3})-([1-9][0-9]{0,3})")
_MOST = 10_000  # systems of an order

Name = tuple[int, int]  # of a system: its page and its number there, from 1
Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the page


@dataclass(frozen=True)
class Corrections:
    """path: of the file, for messages; None where there is none.  skip_pages, skip: pages and systems that are left out.
    boxes: page -> its systems, in place of those found.  order: the systems as they are played, perhaps some of them several
    times; empty: as they are printed.  repeats: first and last system of passages that are played twice.
    """

    path: Path | None = None
    skip_pages: frozenset[int] = frozenset()
    skip: frozenset[Name] = frozenset()
    boxes: Mapping[int, tuple[Box, ...]] = field(default_factory=dict)
    order: tuple[Name, ...] = ()
    repeats: tuple[tuple[Name, Name], ...] = ()

    def in_order(self, found: Sequence[Name]) -> list[Name]:
        """The systems of the sheet. found: those of the pages, in reading order. Raises UserError for one that is not there."""
        for key, names in (
            ("skip", self.skip),
            ("order", self.order),
            ("repeats", [name for pair in self.repeats for name in pair]),
        ):
            for name in names:
                if name not in found:
                    self.refuse(key, f"there is no system {spelled(name)}; the pages have {_range(found)}")
        for page in self.skip_pages - {page for page, _ in found}:
            if page in self.boxes:
                self.refuse("skip", f"page {page} has boxes; keep one of the two")
        names = list(self.order) or [name for name in found if name not in self.skip]
        for first, last in self.repeats:
            if first not in names or last not in names or names.index(last) < names.index(first):
                self.refuse("repeats", f"{spelled(last)} does not come after {spelled(first)}")
            begin, end = names.index(first), names.index(last) + 1
            names[end:end] = names[begin:end]
            if len(names) > _MOST:
                self.refuse("repeats", f"more than {_MOST} systems")
        return names

    def require_pages(self, count: int) -> None:
        """Raise UserError for a page that is not there."""
        for key, pages in (("skip", self.skip_pages), ("boxes", self.boxes)):
            if missing := [page for page in sorted(pages) if not 1 <= page <= count]:
                self.refuse(key, f"there is no page {missing[0]}; the pages are 1 to {count}")

    def refuse(self, key: str, problem: str) -> None:
        """Raise UserError naming the file and the key."""
        raise UserError(f"{self.path}: {key}: {problem}")


def spelled(name: Name) -> str:
    """3-2: how a person writes a system."""
    return f"{name[0]}-{name[1]}"


def _range(found: Sequence[Name]) -> str:
    return f"{spelled(found[0])} to {spelled(found[-1])}" if found else "none"


def corrections_file(source: Path) -> Path | None:
    """The file that belongs to a PDF, a picture or a folder of pictures: NAME.pages.yaml, else pages.yaml beside the pages."""
    folder = source if source.is_dir() else source.parent
    candidates = (source.with_name(f"{source.stem}.{FILE_NAME}"), folder / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


def read_corrections(path: Path | None) -> Corrections:
    """Read the file. None: nothing to correct. Raises UserError naming the file and the key."""
    if path is None:
        return Corrections()
    content = read_yaml(path)
    if unknown := [key for key in content if key not in _KEYS]:
        raise UserError(f"{path}: {shown(unknown[0])[1:-1]}: no such key; expected {', '.join(_KEYS)}")
    skip = _list(path, content, "skip")
    order = tuple(_system(path, "order", value) for value in _list(path, content, "order"))
    if len(order) > _MOST:
        raise UserError(f"{path}: order: more than {_MOST} systems")
    return Corrections(
        path,
        frozenset(value for value in skip if isinstance(value, int)),
        frozenset(_system(path, "skip", value) for value in skip if not isinstance(value, int)),
        _boxes(path, content.get("boxes") or {}),
        order,
        tuple(_passage(path, value) for value in _list(path, content, "repeats")),
    )


def _list(path: Path, content: Mapping[str, Any], key: str) -> list[Any]:
    value = content.get(key)
    if value is not None and not isinstance(value, list):
        raise UserError(f"{path}: {key}: expected a list like [1-2, 1-3], found {shown(value)}")
    return value or []


def _system(path: Path, key: str, value: object) -> Name:
    found = _SYSTEM.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise UserError(f"{path}: {key}: expected a system like 1-2 (page 1, system 2), found {shown(value)}")
    return int(found[1]), int(found[2])


def _passage(path: Path, value: object) -> tuple[Name, Name]:
    if not isinstance(value, list) or len(value) != 2:
        raise UserError(f"{path}: repeats: expected [FIRST, LAST] like [1-1, 1-4], found {shown(value)}")
    return _system(path, "repeats", value[0]), _system(path, "repeats", value[1])


def _boxes(path: Path, value: object) -> dict[int, tuple[Box, ...]]:
    example = "expected PAGE: [[LEFT, TOP, RIGHT, BOTTOM], ...] in pixels"
    if not isinstance(value, dict):
        raise UserError(f"{path}: boxes: {example}, found {shown(value)}")
    boxes: dict[int, tuple[Box, ...]] = {}
    for page, listed in value.items():
        if not page.isdecimal() or not 0 < int(page[:6]) <= limits.PAGES or not isinstance(listed, list) or not listed:
            raise UserError(f"{path}: boxes: {example}, found {shown(page)[1:-1]}: {shown(listed)}")
        boxes[int(page)] = tuple(_box(path, page, box) for box in listed)
    return boxes


def _box(path: Path, page: str, value: object) -> Box:
    numbers = value if isinstance(value, list) and all(isinstance(each, int | float) for each in value) else []
    if len(numbers) != 4 or not (
        0 <= numbers[0] < numbers[2] <= limits.PICTURE and 0 <= numbers[1] < numbers[3] <= limits.PICTURE
    ):
        raise UserError(f"{path}: boxes: page {page}: expected [LEFT, TOP, RIGHT, BOTTOM] in pixels, found {shown(value)}")
    left, top, right, bottom = map(float, numbers)
    return left, top, right, bottom
