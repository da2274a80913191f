"""manifest.json of a data set: what each piece was made of, how, under which licence, and what its files must be."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from score_following_game.errors import UserError
from score_following_game.files import replacing

MANIFEST_NAME = "manifest.json"
VERSION = 1
_KEYS = {"set", "parameters", "tools", "pieces"}  # those every manifest has
_HEAD = b'{\n "parameters": {'  # the first bytes of what is written here


@dataclass(frozen=True)
class PieceEntry:
    """One piece. source: where it comes from, below what --source named.  licence: as the source gives it.  style: a name of
    STYLES, "" where it was not engraved here.

    checks: what was measured (engraving/checks.py).  files: name -> SHA-256.  performances: MIDI's name -> its tempo (times the
    score's) and sound_font (a key of Manifest.sound_fonts, or "" for the default).  recording: how well the recording fits.
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


@dataclass(frozen=True)
class Manifest:
    """A set's manifest. parameters: those the set was made with.  tools: name -> version.  sound_fonts: name -> its path and
    sha256.  pieces: by name."""

    set: str
    parameters: dict[str, Any]
    tools: dict[str, str]
    pieces: dict[str, PieceEntry]
    sound_fonts: dict[str, dict[str, str]] = field(default_factory=dict)
    version: int = VERSION

    def fonts(self) -> dict[str, Path]:
        """MIDI file's name -> the sound font it is to be played with, where one was chosen."""
        return {
            midi: Path(self.sound_fonts[font]["path"])
            for entry in self.pieces.values()
            for midi, performance in entry.performances.items()
            if (font := performance.get("sound_font"))
        }


def is_manifest(path: Path) -> bool:
    """Whether a file is a set's manifest, be it broken or of another version: other programs have a manifest.json too.

    Raises UserError naming the file where it cannot be read.
    """
    if not path.is_file():
        return False
    content = _read_bytes(path)
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return content.startswith(_HEAD)
    return isinstance(read, dict) and read.keys() >= _KEYS


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Into the set's folder; the same set gives the same bytes. Raises UserError where another file of that name lies."""
    content = json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = folder / MANIFEST_NAME
    if path.exists() and not is_manifest(path):
        raise UserError(f"{path}: a file of yours that is no manifest; move it away or take another destination")
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def remove_manifest(folder: Path) -> None:
    """Where there is one of ours."""
    path = folder / MANIFEST_NAME
    with contextlib.suppress(UserError):
        if is_manifest(path):
            path.unlink()


def read_manifest(path: Path) -> Manifest:
    """Raises UserError naming the file where it is no manifest of this version."""
    text = _read_bytes(path)
    try:
        content = json.loads(text)
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, wanted {VERSION}")
        pieces = {name: PieceEntry(**entry) for name, entry in content["pieces"].items()}
        manifest = Manifest(**content | {"pieces": pieces})
        if not fits(manifest, Manifest) or not are_fonts(manifest.sound_fonts):
            raise ValueError("a value of the wrong type")
        names = [name for entry in pieces.values() for name in (*entry.files, *entry.performances)]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("a file outside the set's folder")
        manifest.fonts()
        return manifest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"{path}: not a manifest this version wrote ({reason}); build the set again, or remove the file"
        ) from None


def are_fonts(value: object) -> bool:
    """Whether a value read from JSON is a table of sound fonts: name -> its path and sha256."""
    return fits(value, dict[str, dict[str, str]]) and all(font.keys() >= {"path", "sha256"} for font in value.values())


def fits(value: object, hint: Any) -> bool:
    """Whether a value made of JSON is of a type, a dataclass with all its fields; a whole number is a float too."""
    kind, arguments = get_origin(hint), get_args(hint)
    if kind is UnionType:
        return any(fits(value, part) for part in arguments)
    if kind is dict:
        return isinstance(value, dict) and all(fits(part, own) for item in value.items() for part, own in zip(item, arguments))
    if kind is list:
        return isinstance(value, list) and all(fits(one, arguments[0]) for one in value)
    if is_dataclass(hint):
        return isinstance(value, hint) and all(fits(getattr(value, name), own) for name, own in _hints(hint).items())
    if hint is str:  # half a character, which JSON can hold, can be neither a file's name nor printed
        return isinstance(value, str) and value == value.encode(errors="ignore").decode()
    return hint is Any or type(value) is hint or (hint is float and type(value) is int)


_hints = cache(get_type_hints)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
