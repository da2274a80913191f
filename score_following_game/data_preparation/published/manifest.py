"""The manifest of a published set: its files as they came in the archive."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import score_following_game
from score_following_game.data_processing.dataset import score_paths
from score_following_game.data_processing.manifest import Manifest, PieceEntry
from score_following_game.data_processing.piece import SCORES, find_midi, find_score
from score_following_game.data_processing.sound_files import performance_source
from score_following_game.files import file_digest


def describe_published(folder: Path, name: str, archive: str, digest: str) -> Manifest:
    """Describe every score of the set `name`, with its performances.

    archive, digest: file name and SHA-256 of the archive it comes from. The entries have no licence, since the archives state
    none, and no checks, since these need a piece that was engraved here.
    """
    scores: dict[Path, list[Path]] = defaultdict(list)
    for own in score_paths(folder).values():
        scores[find_score(own)].append(find_midi(own))
    pieces = {}
    for score, midis in scores.items():
        heard = [source for midi in midis if (source := performance_source(midi)) != midi]
        files = {file.relative_to(folder).as_posix(): file_digest(file) for file in (score, *midis, *heard) if file.is_file()}
        played = {midi.relative_to(folder).as_posix(): {"tempo": 1.0, "sound_font": ""} for midi in midis}
        piece = score.relative_to(folder).with_suffix("").as_posix().removeprefix(f"{SCORES}/")
        pieces[piece] = PieceEntry(archive, digest, dict(sorted(files.items())), performances=played)
    return Manifest(
        name, {"archive": archive}, {"score_following_game": score_following_game.__version__}, dict(sorted(pieces.items()))
    )
