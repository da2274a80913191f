"""The record of a destination folder (prepared.json): which pieces were made or left out, so that a second build skips them.

A file whose content differs from the recorded digest belongs to the user: it is never replaced or removed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from score_following_game import limits
from score_following_game.data_preparation.building.make_piece import PieceFacts
from score_following_game.data_processing.manifest import PieceEntry, are_fonts, fits
from score_following_game.data_processing.page_map import SUFFIX as PAGES_SUFFIX
from score_following_game.files import file_digest, make_folder, replacing
from score_following_game.reading import read_bytes, reading

RECORD_NAME = "prepared.json"
_REMEDY = "choose another destination, or remove the record and its pieces (pieces without a record count as files of yours)"
MAKING_NAME = ".engraved"  # folder of new pieces: a piece's set is known only after all pieces are made


@dataclass
class Record:
    """One piece: made (`facts`) or left out by the engraver (`reason`, `detail`).

    folder: of its files, relative to the destination; "" when there are none.
    described: the fields of its manifest entry that `facts` does not have.
    """

    fingerprint: str
    origin: str
    facts: PieceFacts | None = None
    reason: str = ""
    detail: str = ""
    folder: str = ""
    described: dict[str, Any] | None = None

    @property
    def made(self) -> PieceFacts:
        """The facts. Raises ValueError for a piece that was left out."""
        if self.facts is None:
            raise ValueError(f"a piece that was left out ({self.reason}) has no facts")
        return self.facts


@dataclass
class Records:
    """The records of one destination, by piece name.

    sound_fonts: file name of a sound font -> its path and sha256.
    """

    destination: Path
    pieces: dict[str, Record] = field(default_factory=dict)
    sound_fonts: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def load(cls, destination: Path) -> Records:
        """Read the record; empty when there is no file. Raises UserError for a file that cannot be read as a record."""
        path = destination / RECORD_NAME
        if not path.exists():
            return cls(destination)
        with reading(path, "not a record of this version", _REMEDY):
            content = json.loads(read_bytes(path, limits.TABLE_FILE))
            raw = content["pieces"]
            pieces = {name: Record(**row | {"facts": row["facts"] and PieceFacts(**row["facts"])}) for name, row in raw.items()}
            if not all(_is_plain(name) and _is_sound(record) for name, record in pieces.items()):
                raise ValueError("a value of the wrong type, a path in place of a name, or a missing digest")
            if not are_fonts(content["sound_fonts"]):
                raise ValueError("sound fonts of the wrong type")
        return cls(destination, pieces, content["sound_fonts"])

    def save(self) -> None:
        """Write the record; equal records give equal bytes. Raises WriteError."""
        rows = {name: asdict(record) for name, record in sorted(self.pieces.items())}
        with replacing(self.destination / RECORD_NAME) as temporary:
            content = {"pieces": rows, "sound_fonts": self.sound_fonts}
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def files(self, name: str) -> list[Path]:
        """Paths of the files of a piece (NAME.npz, NAME.mid, ...) according to the record; they may be missing."""
        record = self.pieces[name]
        return [self.destination / record.folder / f"{name}{suffix}" for suffix in (record.facts.files if record.facts else ())]

    def is_ours(self, name: str, file: Path) -> bool:
        """Whether a file, in any folder, has the content that was made for the piece under this file name."""
        facts = self.pieces[name].facts
        return facts is not None and file.is_file() and file_digest(file) == facts.files.get(file.name.removeprefix(name))

    def in_the_way(self, name: str, folder: str) -> Path | None:
        """Path of a user's file that the piece would replace in `folder`, or None."""
        targets = (self.destination / folder / file.name for file in self.files(name))
        return next((target for target in targets if target.exists() and not self.is_ours(name, target)), None)

    def is_there(self, name: str) -> bool:
        """Whether the piece was made and all its files still exist."""
        files = self.files(name)
        return bool(self.pieces[name].folder and files) and all(file.is_file() for file in files)

    def move(self, name: str, folder: str) -> None:
        """Move a piece's files into another folder of the destination; "" removes them.

        When the user has changed one of the files, none is removed: they only make sense together.
        """
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
        and (record.facts is None or _needed(record.facts) <= set(map(_only_a_suffix, record.facts.files)))
    )


def _needed(facts: PieceFacts) -> set[str]:
    """The files that the piece has at least."""
    return {".npz", ".mid"} if facts.notes else {".npz", PAGES_SUFFIX}


def _only_a_suffix(text: str) -> str:
    if not isinstance(text, str) or "/" in text or "\\" in text or "." not in text:
        raise ValueError(f"not a suffix: {text!r}")
    return text


def _is_plain(name: str) -> bool:
    """Whether the name is a single path component, so that it cannot lead out of a folder."""
    return isinstance(name, str) and Path(name).name == name and name not in ("", "..")
