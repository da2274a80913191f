"""What a destination folder holds and why: one json file, so that running again does not repeat finished pieces.

A file that is not as it was written here is the user's: it is never replaced or removed.
"""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from score_following_game.data_processing.sources.make_piece import PieceFacts
from score_following_game.errors import UserError
from score_following_game.files import file_digest, make_folder, replacing

RECORD_NAME = "prepared.json"


@dataclass
class Record:
    """One piece: engraved (`facts`) or left out by the engraver (`reason`). `folder`: where its files lie, "" nowhere."""

    fingerprint: str
    origin: str
    facts: PieceFacts | None = None
    reason: str = ""
    detail: str = ""
    folder: str = ""


@dataclass
class Records:
    """The records of one destination, by piece name."""

    destination: Path
    pieces: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def load(cls, destination: Path) -> Records:
        """Those on disk; none where there is no file."""
        path = destination / RECORD_NAME
        if not path.exists():
            return cls(destination)
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))["pieces"]
            pieces = {name: Record(**row | {"facts": row["facts"] and PieceFacts(**row["facts"])})
                      for name, row in raw.items()}
            if not all(_is_plain(name) and _is_sound(record) for name, record in pieces.items()):
                raise ValueError("a path where a name is wanted, or a digest missing")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{path}: not a record this version wrote; take another destination, or remove it and the pieces "
                            "made with it (without a record they count as yours)") from None
        return cls(destination, pieces)

    def save(self) -> None:
        rows = {name: asdict(record) for name, record in sorted(self.pieces.items())}
        with replacing(self.destination / RECORD_NAME) as temporary:
            temporary.write_text(json.dumps({"pieces": rows}, indent=1) + "\n", encoding="utf-8")

    def files(self, name: str) -> tuple[Path, Path]:
        """NAME.npz and NAME.mid where the record says they are."""
        folder = self.destination / self.pieces[name].folder
        return folder / f"{name}.npz", folder / f"{name}.mid"

    def is_ours(self, name: str, file: Path) -> bool:
        """Whether a file (NAME.npz or NAME.mid, wherever) is the one made for the piece."""
        facts = self.pieces[name].facts
        return facts is not None and file.is_file() and file_digest(file) == facts.digests[file.suffix == ".mid"]

    def in_the_way(self, name: str, folder: str) -> Path | None:
        """A file of the user's where one of the piece's is to be put."""
        targets = (self.destination / folder / file.name for file in self.files(name))
        return next((target for target in targets if target.exists() and not self.is_ours(name, target)), None)

    def is_there(self, name: str) -> bool:
        return bool(self.pieces[name].folder) and all(file.is_file() for file in self.files(name))

    def move(self, name: str, folder: str) -> None:
        """Put a piece's files into another folder of the destination ("" removes them, unless the user has changed one: each
        is nothing without the other)."""
        if self.pieces[name].folder == folder:
            return
        files = [file for file in self.files(name) if file.is_file()] if self.pieces[name].folder else []
        if folder:
            make_folder(self.destination / folder)
            for file in files:
                file.replace(self.destination / folder / file.name)
        elif all(self.is_ours(name, file) for file in files):
            for file in files:
                file.unlink()
        self.pieces[name].folder = folder


def _is_sound(record: Record) -> bool:
    return ((record.folder in ("", ".") or _is_plain(record.folder))
            and (record.facts is None or len(record.facts.digests) == 2))


def _is_plain(name: str) -> bool:
    """A name that cannot lead out of a folder."""
    return isinstance(name, str) and Path(name).name == name and name not in ("", "..")
