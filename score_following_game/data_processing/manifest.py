"""manifest.json of a data set: what each piece was made of, how, under which licence, and what its files must be."""
from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from score_following_game.errors import UserError
from score_following_game.files import replacing

MANIFEST_NAME = "manifest.json"
VERSION = 1


@dataclass(frozen=True)
class PieceEntry:
    """One piece. source: where it comes from, below what --source named.  licence: as the source gives it.

    checks: what was measured (engraving/checks.py).  files: name -> SHA-256.  performances: MIDI's name -> its tempo (times the
    score's) and sound_font (a key of Manifest.sound_fonts, or "" for the default).  recording: how well the recording fits.
    """

    source: str
    source_sha256: str
    files: dict[str, str]
    licence: str = ""
    work: str = ""
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
        return {midi: Path(self.sound_fonts[font]["path"]) for entry in self.pieces.values()
                for midi, performance in entry.performances.items() if (font := performance.get("sound_font"))}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Into the set's folder; the same set gives the same bytes. Raises UserError where another file of that name lies."""
    content = json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = folder / MANIFEST_NAME
    if path.exists():
        _require_ours(path)
    with replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8")


def remove_manifest(folder: Path) -> None:
    """Where there is one of ours."""
    path = folder / MANIFEST_NAME
    if path.is_file():
        with contextlib.suppress(UserError):
            _require_ours(path)
            path.unlink()


def _require_ours(path: Path) -> None:
    try:
        ours = {field.name for field in fields(Manifest)} == set(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        ours = False
    if not ours:
        raise UserError(f"{path}: a file of yours that is no manifest; move it away or take another destination")


def read_manifest(path: Path) -> Manifest:
    """Raises UserError naming the file where it is no manifest of this version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, wanted {VERSION}")
        pieces = {name: PieceEntry(**entry) for name, entry in content["pieces"].items()}
        manifest = Manifest(**content | {"pieces": pieces})
        names = [name for entry in pieces.values() for name in (*entry.files, *entry.performances)]
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in names):
            raise ValueError("a file outside the set's folder")
        manifest.fonts()
        return manifest
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a manifest this version wrote ({type(error).__name__}: {error}); build the set again, or "
                        "remove the file") from None
