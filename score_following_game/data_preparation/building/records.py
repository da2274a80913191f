"""What a destination folder holds and why: one json file, so that running again does not repeat finished pieces.

A file that is not as it was written here is the user's: it is never replaced or removed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from score_following_game.data_preparation.building.make_piece import PieceFacts
from score_following_game.data_processing.manifest import PieceEntry, are_fonts, fits
from score_following_game.errors import UserError
from score_following_game.files import file_digest, make_folder, replacing

RECORD_NAME = "prepared.json"


@dataclass
class Record:
    """One piece: engraved (`facts`) or left out by the engraver (`reason`). `folder`: where its files lie, "" nowhere.
    described: what the set's manifest says of it beside the facts."""

    fingerprint: str
    origin: str
    facts: PieceFacts | None = None
    reason: str = ""
    detail: str = ""
    folder: str = ""
    described: dict[str, Any] | None = None


@dataclass
class Records:
    """The records of one destination, by piece name; sound_fonts: name -> path and sha256 of those pieces are played with."""

    destination: Path
    pieces: dict[str, Record] = field(default_factory=dict)
    sound_fonts: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, destination: Path) -> Records:
        """Those on disk; none where there is no file. Raises UserError naming a file that is no record."""
        path = destination / RECORD_NAME
        if not path.exists():
            return cls(destination)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            raw = content["pieces"]
            pieces = {name: Record(**row | {"facts": row["facts"] and PieceFacts(**row["facts"])}) for name, row in raw.items()}
            if not all(_is_plain(name) and _is_sound(record) for name, record in pieces.items()):
                raise ValueError("a value of the wrong type, a path where a name is wanted, or a digest missing")
            if not are_fonts(content["sound_fonts"]):
                raise ValueError("sound fonts of the wrong type")
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UserError(
                f"{path}: not a record this version wrote; take another destination, or remove it and the pieces "
                "made with it (without a record they count as yours)"
            ) from None
        return cls(destination, pieces, content["sound_fonts"])

    def save(self) -> None:
        """Write the record; the same pieces give the same bytes. Raises WriteError naming the file."""
        rows = {name: asdict(record) for name, record in sorted(self.pieces.items())}
        with replacing(self.destination / RECORD_NAME) as temporary:
            content = {"pieces": rows, "sound_fonts": self.sound_fonts}
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def files(self, name: str) -> list[Path]:
        """NAME.npz, NAME.mid and the other files of a made piece, where the record says they are."""
        record = self.pieces[name]
        return [self.destination / record.folder / f"{name}{suffix}" for suffix in (record.facts.files if record.facts else ())]

    def is_ours(self, name: str, file: Path) -> bool:
        """Whether a file, wherever, is the one of its name that was made for the piece."""
        facts = self.pieces[name].facts
        return facts is not None and file.is_file() and file_digest(file) == facts.files.get(file.name.removeprefix(name))

    def in_the_way(self, name: str, folder: str) -> Path | None:
        """A file of the user's where one of the piece's is to be put."""
        targets = (self.destination / folder / file.name for file in self.files(name))
        return next((target for target in targets if target.exists() and not self.is_ours(name, target)), None)

    def is_there(self, name: str) -> bool:
        """Whether the piece was made and each of its files is still where it was put."""
        files = self.files(name)
        return bool(self.pieces[name].folder and files) and all(file.is_file() for file in files)

    def move(self, name: str, folder: str) -> None:
        """Put a piece's files into another folder of the destination ("" removes them, unless the user has changed one: each
        is nothing without the others)."""
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
    described = record.described
    return (
        fits(record, Record)
        and (described is None or fits(PieceEntry(**described, files={}), PieceEntry))
        and (record.folder in ("", ".") or _is_plain(record.folder))
        and (record.facts is None or {".npz", ".mid"} <= set(map(_only_a_suffix, record.facts.files)))
    )


def _only_a_suffix(text: str) -> str:
    if not isinstance(text, str) or "/" in text or "\\" in text or "." not in text:
        raise ValueError("a suffix")
    return text


def _is_plain(name: str) -> bool:
    """A name that cannot lead out of a folder."""
    return isinstance(name, str) and Path(name).name == name and name not in ("", "..")
