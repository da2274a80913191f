"""manifest.json of a data set: origin, licence, parameters and file digests of each piece."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from score_following_game import limits
from score_following_game.errors import UserError
from score_following_game.files import replacing
from score_following_game.reading import read_bytes, reading

MANIFEST_NAME = "manifest.json"
VERSION = 1
EVALUATION_ONLY = "evaluation only"  # parameters["use"] of a set that may not train an agent
_KEYS = {"set", "parameters", "tools", "pieces"}  # keys in every manifest
_HEAD = b'{\n "parameters": {'  # first bytes of every manifest that write_manifest writes


@dataclass(frozen=True)
class PieceEntry:
    """One piece.

    source: path of the source file, relative to the folder given as --source. licence: as the source states it. style: a key of
    STYLES, "" for a piece that was not engraved by this project. checks: measurements (engraving/checks.py). files: SHA-256 by
    file name. performances: by MIDI file name, the tempo (relative to the score's) and the sound_font (a key of
    Manifest.sound_fonts, "" for the default). recording: quality of the alignment with the recording.
    playing: the part, the repeats and the order of bars that were chosen, where they are not as usual.
    """

    source: str
    source_sha256: str
    files: dict[str, str]
    licence: str = ""
    work: str = ""
    style: str = ""
    seconds: float = 0.0
    notes: int = 0
    checks: dict[str, float] = field(default_factory=dict)
    performances: dict[str, dict[str, Any]] = field(default_factory=dict)
    recording: dict[str, Any] | None = None
    playing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """A data set. parameters: those it was built with; tools: version by name; sound_fonts: path and sha256 by name; pieces: by
    name."""

    set: str
    parameters: dict[str, Any]
    tools: dict[str, str]
    pieces: dict[str, PieceEntry]
    sound_fonts: dict[str, dict[str, str]] = field(default_factory=dict)
    version: int = VERSION

    @property
    def evaluation_only(self) -> bool:
        """Whether the set may not train an agent."""
        return self.parameters.get("use") == EVALUATION_ONLY

    def fonts(self) -> dict[str, Path]:
        """Sound font by MIDI file name, for the files that are not played with the default font."""
        return {
            midi: Path(self.sound_fonts[font]["path"])
            for entry in self.pieces.values()
            for midi, performance in entry.performances.items()
            if (font := performance.get("sound_font"))
        }


def is_manifest(path: Path) -> bool:
    """Returns True if a file is the manifest of a data set, perhaps damaged or of another version.

    Other programs also write files of this name. Raises UserError naming the file when it cannot be read.
    """
    if not path.is_file():
        return False
    with reading(path, "cannot be read"):
        content = read_bytes(path, limits.TABLE_FILE)
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return content.startswith(_HEAD)
    return isinstance(parsed, dict) and parsed.keys() >= _KEYS


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest into the set's folder; equal manifests give equal bytes.

    Raises UserError when the folder has a manifest.json of another program.
    """
    content = json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = folder / MANIFEST_NAME
    if path.exists() and not is_manifest(path):
        raise UserError(f"{path}: this file is not a manifest of this program; move it away or choose another destination")
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def remove_manifest(folder: Path) -> None:
    """Remove the manifest from a folder, if it has one; a manifest.json of another program is kept."""
    path = folder / MANIFEST_NAME
    with contextlib.suppress(UserError):
        if is_manifest(path):
            path.unlink()


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises UserError naming the file when it is not a manifest of this version."""
    with reading(path, "not a manifest this version wrote", "build the set again, or remove the file"):
        content = json.loads(read_bytes(path, limits.TABLE_FILE))
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, expected {VERSION}")
        pieces = {name: PieceEntry(**entry) for name, entry in content["pieces"].items()}
        manifest = Manifest(**content | {"pieces": pieces})
        if not fits(manifest, Manifest) or not are_fonts(manifest.sound_fonts):
            raise ValueError("a value of the wrong type")
        names = [name for entry in pieces.values() for name in (*entry.files, *entry.performances)]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("a file outside the set's folder")
        manifest.fonts()
    return manifest


def are_fonts(value: Any) -> bool:
    """Returns True if a value parsed from JSON is a table of sound fonts: path and sha256 by name."""
    return fits(value, dict[str, dict[str, str]]) and all(font.keys() >= {"path", "sha256"} for font in value.values())


def fits(value: object, hint: Any) -> bool:
    """Returns True if a value parsed from JSON matches a type hint; dataclasses by field, an int counts as a float."""
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return any(fits(value, part) for part in arguments)
    if kind is dict:
        return isinstance(value, dict) and all(fits(part, own) for item in value.items() for part, own in zip(item, arguments))
    if kind is list:
        return isinstance(value, list) and all(fits(one, arguments[0]) for one in value)
    if isinstance(hint, type) and is_dataclass(hint):
        return isinstance(value, hint) and all(fits(getattr(value, name), own) for name, own in _hints(hint).items())
    if hint is str:  # JSON can hold lone surrogates, which cannot be printed or name a file
        return isinstance(value, str) and value == value.encode(errors="ignore").decode()
    return hint is Any or type(value) is hint or (hint is float and type(value) is int)


_hints = cache(get_type_hints)
