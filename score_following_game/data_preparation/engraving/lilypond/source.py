"""Prepares a LilyPond score for the installed LilyPond: copies its files and updates their syntax."""

from __future__ import annotations

import re
import time
from collections import deque
from pathlib import Path

from score_following_game.data_preparation.engraving.lilypond.contained import run_contained
from score_following_game.data_preparation.engraving.lilypond.syntax import (
    after_conversion,
    before_conversion,
    without_risks,
)
from score_following_game.data_preparation.errors import EngravingError

_INCLUDE = re.compile(r'\\include\s*"([^"]+)"')
_VERSION = re.compile(r'\\version\s*"([\d.]+)"')
_COMMENT = re.compile(r"%.*")
_OLDEST = "2.6.0"  # if no file of the score names a version
_MOST_FILES, _LARGEST = 200, 4 * 10**6


def read_ly(path: Path) -> str:
    """Read a file as UTF-8 or else as Latin-1, with line feeds. Raises EngravingError if it is too large."""
    if path.stat().st_size > _LARGEST:
        raise EngravingError("unreadable", f"{path.name} is larger than {_LARGEST // 10**6} MB")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def files_of(main: Path, root: Path) -> list[Path]:
    """The score, then the files it includes, directly or indirectly, that lie below the folder `root`.

    Others come with LilyPond, or LilyPond reports them as missing.
    """
    root = root.resolve()
    found: dict[Path, None] = {}
    waiting = deque([main.resolve()])
    while waiting and len(found) <= _MOST_FILES:
        path = waiting.popleft()
        if path in found:
            continue
        found[path] = None
        for name in _includes(path):
            waiting.extend(file for folder in (path.parent, main.resolve().parent) if (file := _inside(root, folder / name)))
    return list(found)


def _inside(root: Path, path: Path) -> Path | None:
    """The file with links resolved, or None if it is not a regular file below `root`."""
    try:
        path = path.resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long a name, a NUL, a cycle of links
        return None


def _includes(path: Path) -> list[str]:
    """The names as written. Empty if the file cannot be read; copying it then reports the error."""
    try:
        text = read_ly(path)
    except (OSError, EngravingError):
        return []
    text = "\n".join(_COMMENT.sub("", line) for line in text.splitlines())
    return [name for name in _INCLUDE.findall(text) if not Path(name).is_absolute()]


def copy_modern(main: Path, root: Path, folder: Path, deadline: float) -> Path:
    """Copy the score's files into `folder` and update their syntax. Returns the copy of the main file.

    root: the folder that included files must be in.  deadline: a time of time.monotonic(). Raises EngravingError for too many
    or too large files.
    """
    files = files_of(main, root)
    if len(files) > _MOST_FILES:
        raise EngravingError("unreadable", f"more than {_MOST_FILES} included files")
    top = Path(*_common_parts([file.parent.parts for file in files]))
    texts = {file: read_ly(file) for file in files}
    version = next((found.group(1) for text in texts.values() if (found := _VERSION.search(text))), _OLDEST)
    copies: dict[Path, Path] = {}
    for file, text in texts.items():
        copies[file] = folder / file.relative_to(top)
        copies[file].parent.mkdir(parents=True, exist_ok=True)
        _write(copies[file], before_conversion(text))
    versioned = [file for file in files if _VERSION.search(texts[file])]
    unversioned = [file for file in files if file not in versioned]
    for arguments, group in (([], versioned), (["-f", version], unversioned)):
        names = [str(copies[file].relative_to(folder)) for file in group]
        if names:
            command = ["convert-ly", "--edit", "--loglevel=ERROR", *arguments, *names]
            run_contained(command, None, folder, deadline - time.monotonic())
    for copy in copies.values():
        copy.with_name(copy.name + "~").unlink(missing_ok=True)  # convert-ly's backup
        _write(copy, after_conversion(copy.read_text(encoding="utf-8")))
    return copies[files[0]]


def take_out_risks(folder: Path) -> bool:
    """Take out of all copies in a folder what LilyPond can do without, see `without_risks`. Returns whether there was any."""
    changed = False
    for copy in sorted(file for file in folder.rglob("*") if file.suffix in (".ly", ".ily")):
        text = copy.read_text(encoding="utf-8")
        calmer = without_risks(text)
        _write(copy, calmer)
        changed |= calmer != text
    return changed


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _common_parts(paths: list[tuple[str, ...]]) -> list[str]:
    common = []
    for parts in zip(*paths):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return common
