"""Placing the data sets of a published archive, and the record of it. Existing folders are never replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from score_following_game import limits
from score_following_game.data_preparation.building.split import SETS
from score_following_game.data_preparation.published.archive import unpacked
from score_following_game.data_preparation.published.manifest import describe_published
from score_following_game.data_processing.manifest import write_manifest
from score_following_game.data_processing.piece import SCORES
from score_following_game.errors import UserError, counted
from score_following_game.files import WriteError, make_folder, replacing
from score_following_game.reading import read_bytes

ROOT, DOWNLOADS = "score_following_game_data", "downloads"
_SET_FOLDER = re.compile(rf"(nottingham|msmd_all|msmd)_({'|'.join(SETS)})")
_COLLECTIONS = {"nottingham": "nottingham", "msmd_all": "msmd_all", "msmd": "msmd_all"}


@dataclass(frozen=True)
class Placed:
    """path: a set's folder or the weights, relative to the destination. scores: number in the set. new: placed by this call."""

    path: str
    scores: int | None = None
    new: bool = False

    def described(self) -> str:
        """The text that follows the path in the report."""
        count = "" if self.scores is None else f": {counted(self.scores, 'score')}"
        return count + ("" if self.new else " (already here)")


@dataclass
class PublishedRecords:
    """The records of earlier calls in DIR/downloads.

    sha256: name of a published file -> its SHA-256 when it was first fetched.
    placed: SHA-256 of an archive -> set -> its folder relative to the destination, "" if all places were taken.
    """

    folder: Path
    sha256: dict[str, str] = field(default_factory=dict)
    placed: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def sha256_path(self) -> Path:
        return self.folder / "sha256.json"

    @property
    def placed_path(self) -> Path:
        return self.folder / "placed.json"

    @classmethod
    def load(cls, destination: Path) -> PublishedRecords:
        """Read the records; empty when there are no files. Raises UserError for a broken file."""
        records = cls(destination / DOWNLOADS)
        records.sha256 = _read(records.sha256_path, _is_text_table)
        records.placed = _read(records.placed_path, _is_placed_table)
        return records

    def note_sha256(self, name: str, digest: str) -> None:
        if self.sha256.get(name) != digest:
            self.sha256[name] = digest
            _write(self.sha256_path, self.sha256)

    def note_placed(self, digest: str, folders: dict[str, str]) -> None:
        if self.placed.get(digest) != folders:
            self.placed[digest] = folders
            _write(self.placed_path, self.placed)


def placed_sets(digest: str, destination: Path, records: PublishedRecords) -> list[Placed]:
    """The sets of the archive with this SHA-256 if all of them are still in place; otherwise an empty list."""
    folders = records.placed.get(digest, {})
    if not all(folder and _is_taken(destination / folder) for folder in folders.values()):
        return []
    return [_described(destination, folder) for folder in folders.values()]


def place_sets(
    archive: Path,
    digest: str,
    year: int | None,
    destination: Path,
    records: PublishedRecords,
) -> tuple[list[Placed], list[str]]:
    """Unpack an archive and move its sets into place.

    digest: SHA-256 of the archive. year: 2018 or 2019; None = determined by the layout.
    Returns the sets that are in place now, and notes to print. Raises UserError when the archive holds no set.
    """
    already = placed_sets(digest, destination, records)
    if already:
        return already, []
    with unpacked(archive, destination) as content:
        found = _find_sets(content.folder)
        if not found:
            raise UserError(f"{archive}: holds no data set; expected folders with names like nottingham_train or msmd_all_test")
        if year is None:
            year = 2019 if any((folder / SCORES).is_dir() for folder in found.values()) else 2018
        folders = _choose_folders(found, year, destination, records.placed.get(digest, {}))
        # Recorded before the first move, so that a call after an interrupt recognises the folders moved so far.
        records.note_placed(digest, folders)
        notes = [f"links and devices, not unpacked: {len(content.skipped)}"] if content.skipped else []
        notes += [
            f"{name}: not unpacked, {ROOT} and {ROOT}_{year} already have such sets; move those away first"
            for name, folder in folders.items()
            if not folder
        ]
        for name, folder in folders.items():
            if folder and not _is_taken(destination / folder):
                write_manifest(found[name], describe_published(found[name], name, archive.name, digest))
        return [_move(found[name], destination, folder) for name, folder in folders.items() if folder], notes


def _find_sets(folder: Path) -> dict[str, Path]:
    """Set (nottingham_train, msmd_all_test, ...) -> its folder, at any depth.

    Of several candidates, an exact name has priority, then the folder nearest to the top.
    """
    candidates = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        match = _SET_FOLDER.fullmatch(parts[-1])
        inside = any(_SET_FOLDER.fullmatch(part) or part.startswith((".", "__MACOSX")) for part in parts[:-1])
        if match and not inside and path.is_dir() and _scores(path):
            name = f"{_COLLECTIONS[match[1]]}_{match[2]}"
            candidates.append((name, path.name != name, len(parts), path))
    found: dict[str, Path] = {}
    for name, _, _, path in sorted(candidates):
        found.setdefault(name, path)
    return found


def _choose_folders(found: Mapping[str, Path], year: int, destination: Path, noted: Mapping[str, str]) -> dict[str, str]:
    """Set -> folder relative to the destination; "" when all places are taken. `noted`: the choice of an earlier call.

    The sets of a collection go to one folder: training pieces of one archive may be test pieces of another.
    """
    folders = {}
    for name in found:
        collection = name.rpartition("_")[0]
        roots = (
            root
            for root in (ROOT, f"{ROOT}_{year}")
            if not any(_is_taken(destination / root / collection / f"{collection}_{part}") for part in SETS)
        )
        earlier = {folder.partition("/")[0] for other, folder in noted.items() if folder and other.startswith(collection)}
        root = next(iter(earlier), None) or next(roots, None)
        folders[name] = noted.get(name) or (f"{root}/{collection}/{name}" if root else "")
    return folders


def _move(folder: Path, destination: Path, place: str) -> Placed:
    target = destination / place
    if _is_taken(target):
        return _described(destination, place)
    make_folder(target.parent)
    try:
        folder.replace(target)
    except OSError as error:
        raise WriteError(f"{target}: cannot be written ({error.strerror})") from None
    return _described(destination, place, new=True)


def _described(destination: Path, place: str, new: bool = False) -> Placed:
    return Placed(place, _scores(destination / place), new)


def _scores(folder: Path) -> int:
    return sum(not path.name.startswith(".") and not path.name.endswith(".cache.npz") for path in folder.rglob("*.npz"))


def _is_taken(path: Path) -> bool:
    """Returns True if a file or a folder that is not empty exists at the path."""
    return path.exists() and not (path.is_dir() and not any(path.iterdir()))


def _is_text_table(content: object) -> bool:
    return isinstance(content, dict) and all(isinstance(text, str) for text in content.values())


def _is_placed_table(content: object) -> bool:
    """Returns True if a JSON value is a table of folders, all below the destination (nothing may be moved elsewhere)."""
    return isinstance(content, dict) and all(
        _is_text_table(folders) and all(_is_below(folder) for folder in folders.values()) for folders in content.values()
    )


def _is_below(folder: str) -> bool:
    return not folder or (folder.startswith(ROOT) and ".." not in PurePosixPath(folder).parts)


def _read(path: Path, is_sound: Callable[[object], bool]) -> dict:
    try:
        content = json.loads(read_bytes(path, limits.TABLE_FILE))
    except FileNotFoundError:
        return {}
    except Exception:  # whatever is wrong with it
        content = None
    if not is_sound(content):
        raise UserError(f"{path}: not a record of this version; remove it (existing data sets stay as they are)")
    return content


def _write(path: Path, content: dict) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
