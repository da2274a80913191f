"""The manifests of the sets that were built, from the records of their pieces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import score_following_game
from score_following_game.data_preparation.building.fingerprint import tool_versions
from score_following_game.data_preparation.building.make_piece import PieceTask
from score_following_game.data_preparation.building.options import Performances
from score_following_game.data_preparation.building.records import Record, Records
from score_following_game.data_preparation.engraving.lilypond.contained import lilypond_version
from score_following_game.data_processing.manifest import Manifest, PieceEntry
from score_following_game.data_processing.tempo import tempo_suffix
from score_following_game.files import file_digest


def describe_pieces(records: Records, tasks: Mapping[str, PieceTask], names: Iterable[str], performances: Performances) -> None:
    """Add the origin and the performances of the named pieces, and the sound fonts, to the records."""
    records.sound_fonts |= {
        font.name: {"path": str(font.resolve()), "sha256": file_digest(font)} for font in performances.sound_fonts
    }
    for name in names:
        source, facts = tasks[name].source, records.pieces[name].made
        tempi = {tempo_suffix(tempo): tempo for tempo in performances.tempi if f"{tempo_suffix(tempo)}.mid" in facts.files}
        records.pieces[name].described = {
            "source": source.label,
            "source_sha256": source.digest,
            "licence": source.licence,
            "work": Path(source.work).name,
            "style": facts.style or tasks[name].style,
            "playing": tasks[name].playing.described(),
            "performances": {
                f"{name}{suffix}.mid": {
                    "tempo": tempo,
                    "sound_font": "" if ".wav" in facts.files else performances.font_of(f"{name}{suffix}"),
                }
                for suffix, tempo in tempi.items()
            },
        }


def manifests(records: Records, parameters: dict[str, Any]) -> dict[str, Manifest]:
    """The manifest of each set, keyed by folder inside the destination. Pieces of earlier builds are included."""
    here = {
        name: record for name, record in sorted(records.pieces.items()) if record.facts and record.folder and record.described
    }
    tools = {"score_following_game": score_following_game.__version__} | tool_versions()
    if any(Path(record.origin).suffix.lower() == ".ly" for record in here.values()):
        tools["lilypond"] = lilypond_version()
    sets = {}
    for folder in sorted({record.folder for record in here.values()}):
        pieces = {
            name: _entry(name, record, record.described or {}) for name, record in here.items() if record.folder == folder
        }
        used = {played["sound_font"] for entry in pieces.values() for played in entry.performances.values()}
        fonts = {name: font for name, font in sorted(records.sound_fonts.items()) if name in used}
        sets[folder] = Manifest(
            folder if folder != "." else records.destination.resolve().name, parameters, tools, pieces, fonts
        )
    return sets


def _entry(name: str, record: Record, described: dict[str, Any]) -> PieceEntry:
    facts = record.made
    return PieceEntry(
        **described,
        files={f"{name}{suffix}": digest for suffix, digest in facts.files.items()},
        seconds=facts.seconds,
        notes=facts.notes,
        checks=facts.checks,
        recording=facts.recording,
    )
