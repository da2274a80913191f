"""What a destination folder holds and why: one json file, so that running again does not repeat finished pieces."""
from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from score_following_game.data_processing.sources.make_piece import PieceFacts
from score_following_game.errors import UserError
from score_following_game.files import replacing

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
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{path}: not a record this version wrote; remove it to engrave everything again") from None
        return cls(destination, pieces)

    def save(self) -> None:
        rows = {name: asdict(record) for name, record in sorted(self.pieces.items())}
        with replacing(self.destination / RECORD_NAME) as temporary:
            temporary.write_text(json.dumps({"pieces": rows}, indent=1) + "\n", encoding="utf-8")

    def files(self, name: str) -> tuple[Path, Path]:
        """NAME.npz and NAME.mid where the record says they are."""
        folder = self.destination / self.pieces[name].folder
        return folder / f"{name}.npz", folder / f"{name}.mid"

    def is_there(self, name: str) -> bool:
        return bool(self.pieces[name].folder) and all(file.is_file() for file in self.files(name))

    def move(self, name: str, folder: str) -> None:
        """Put a piece's files into another folder of the destination ("" removes them)."""
        files = self.files(name) if self.pieces[name].folder else ()
        for file in files:
            if not folder:
                file.unlink(missing_ok=True)
            elif file.is_file():
                target = self.destination / folder / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
        self.pieces[name].folder = folder
