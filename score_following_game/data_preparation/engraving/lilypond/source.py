"""A LilyPond score from anywhere, made ready for today's LilyPond: its files copied, modernised, repeats left as printed."""

from __future__ import annotations

import re
import time
from collections import deque
from pathlib import Path

from score_following_game.data_preparation.engraving.lilypond.contained import run_contained
from score_following_game.data_preparation.errors import EngravingError

_INCLUDE = re.compile(r'\\include\s*"([^"]+)"')
_VERSION = re.compile(r'\\version\s*"([\d.]+)"')
_COMMENT = re.compile(r"%.*")
_OLDEST = "2.6.0"  # for a file that names no version and is included by none that does
_MOST_FILES, _LARGEST = 200, 4 * 10**6
# Sections sound once, as they are printed; point-and-click links would only make the pages larger.
_UNFOLDING = re.compile(r"\\unfoldRepeats\b|\\apply(?:Music)?\s*#unfold-repeats\b|\\pointAndClickOn\b")
_CRASHING = re.compile(r"\\(?:once\s*\\)?override\s+(?:\w+\.)?(?:NoteHead|Stem)\.X-offset\s*=\s*#\S+")


def read_ly(path: Path) -> str:
    """UTF-8, or Latin-1 where it is not that; line feeds."""
    if path.stat().st_size > _LARGEST:
        raise EngravingError("unreadable", f"{path.name} is larger than {_LARGEST // 10**6} MB")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def files_of(main: Path, root: Path) -> list[Path]:
    """The score and everything it includes that lies in the folder `root` or below it, the score first. What does not comes
    with LilyPond, or LilyPond tells."""
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
    """The file, links followed, where it is an ordinary one below `root`."""
    try:
        path = path.resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, a circle of links
        return None


def _includes(path: Path) -> list[str]:
    """Names as written; none of a file that cannot be read, which shows when it is copied."""
    try:
        text = read_ly(path)
    except (OSError, EngravingError):
        return []
    text = "\n".join(_COMMENT.sub("", line) for line in text.splitlines())
    return [name for name in _INCLUDE.findall(text) if not Path(name).is_absolute()]


def copy_modern(main: Path, root: Path, folder: Path, deadline: float) -> Path:
    """Copy the score's files into `folder`, brought to today's syntax -> the main file there. deadline: of time.monotonic()."""
    files = files_of(main, root)
    if len(files) > _MOST_FILES:
        raise EngravingError("unreadable", f"more than {_MOST_FILES} included files")
    top = Path(*_common_parts([file.parent.parts for file in files]))
    texts = {file: read_ly(file) for file in files}
    version = next((found.group(1) for text in texts.values() if (found := _VERSION.search(text))), _OLDEST)
    copies = []
    for file, text in texts.items():
        copies.append(folder / file.relative_to(top))
        copies[-1].parent.mkdir(parents=True, exist_ok=True)
        copies[-1].write_text(_UNFOLDING.sub("", text), encoding="utf-8", newline="\n")
    for given, group in (
        ([], [_VERSION.search(text) for text in texts.values()]),
        (["-f", version], [not _VERSION.search(text) for text in texts.values()]),
    ):
        names = [str(copy.relative_to(folder)) for copy, wanted in zip(copies, group) if wanted]
        if names:
            command = ["convert-ly", "--edit", "--loglevel=ERROR", *given, *names]
            run_contained(command, None, folder, deadline - time.monotonic())
    for copy in copies:
        copy.with_name(copy.name + "~").unlink(missing_ok=True)
        copy.write_text(_UNFOLDING.sub("", copy.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    return copies[0]


def take_out_crashing(main: Path) -> bool:
    """Remove overrides that are known to crash LilyPond -> whether there were any."""
    text = main.read_text(encoding="utf-8")
    calmer = _CRASHING.sub("", text)
    main.write_text(calmer, encoding="utf-8", newline="\n")
    return calmer != text


def _common_parts(paths: list[tuple[str, ...]]) -> list[str]:
    common = []
    for parts in zip(*paths):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return common
