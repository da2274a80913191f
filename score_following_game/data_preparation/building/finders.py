"""Finds the sources of the collections that are laid out in ways of their own; see also lilypond_pieces.py and songs.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from score_following_game.data_preparation.building.metadata import licence_of
from score_following_game.data_preparation.building.sources import (
    Performance,
    Source,
    distinct,
    find_sources,
    folder_digest,
    looking_through,
    read_text,
    sources_or_problem,
)
from score_following_game.data_preparation.msmd.piece import find_msmd
from score_following_game.data_preparation.performances.match_file import named_files
from score_following_game.errors import UserError
from score_following_game.files import file_digest
from score_following_game.optional_libraries import missing_library

CHOPIN_INSTITUTE = "CC BY 4.0, The Fryderyk Chopin Institute"
UNCLEAR = "unclear"
SCORE_FOLDER, MATCH_FOLDER, MIDI_FOLDER = "musicxml", "match", "midi"  # of the performances


def find_humdrum_editions(paths: Sequence[Path]) -> list[Source]:
    """The scores of the Fryderyk Chopin Institute, whose licence stands beside them."""
    return [replace(source, licence=CHOPIN_INSTITUTE) for source in find_sources(paths)]


def find_performances(paths: Sequence[Path]) -> list[Source]:
    """The performances of folders with musicxml/, match/ and midi/, one for each match file and named like it.

    Performances of one score are one work. Raises UserError when one of the three folders or every match file is missing.
    """
    sources: list[Source] = []
    for path in paths:
        for name in (SCORE_FOLDER, MATCH_FOLDER, MIDI_FOLDER):
            if not (path / name).is_dir():
                raise UserError(f"{path}: no folder {name}; expected {SCORE_FOLDER}, {MATCH_FOLDER} and {MIDI_FOLDER} there")
        found = sorted((path / MATCH_FOLDER).glob("*.match"))
        if not found:
            raise UserError(f"{path / MATCH_FOLDER}: no match file; expected one (NAME.match) for each performance")
        for match in looking_through(found):
            sources += sources_or_problem(match.stem, match, partial(_performance, path, match))
    return sorted(distinct(sources), key=lambda source: source.name)


def _performance(folder: Path, match: Path) -> list[Source]:
    """Making the piece reports files that are missing."""
    score_name, midi_name = named_files(read_text(match))
    score, midi = folder / SCORE_FOLDER / score_name, folder / MIDI_FOLDER / midi_name
    content = repr([file_digest(file) if file.is_file() else "" for file in (score, match, midi)])
    digest = hashlib.sha256(content.encode()).hexdigest()
    return [Source(match.stem, score, digest, licence=UNCLEAR, work=score.stem, performance=Performance(match, midi))]


def find_raw_msmd_sources(paths: Sequence[Path]) -> list[Source]:
    """The pieces of the MSMD as distributed: pages, MuNG and performances."""
    folders = [folder for path in paths for folder in find_msmd(path)]
    sources: list[Source] = []
    for folder in looking_through(folders):
        sources += sources_or_problem(folder.name, folder, partial(_raw_piece, folder))
    return distinct(sources)


def _raw_piece(folder: Path) -> list[Source]:
    return [Source(folder.name, folder, folder_digest(folder), licence=licence_of(folder, ""))]


def find_music21_sources(names: Sequence[Path]) -> list[Source]:
    """Scores of corpora included in music21. Raises UserError when music21 or a corpus of that name is missing."""
    found = find_spec("music21")
    if found is None or found.origin is None:
        raise UserError(missing_library("the collection music21", "corpora", "music21"))
    corpora = Path(found.origin).with_name("corpus")
    available = sorted(entry.name for entry in corpora.iterdir() if entry.is_dir() and not entry.name.startswith("_"))
    if missing := [str(name) for name in names if str(name) not in available]:
        raise UserError(f"--source {missing[0]}: music21 has no such corpus; it has {', '.join(available)}")
    return find_sources([corpora / name for name in names])


def find_tunes(paths: Sequence[Path]) -> list[Source]:
    """Tune books in folders or files, and corpora of music21 by name. Raises UserError as the finders of both do."""
    books = [path for path in paths if path.exists()]
    corpora = [path for path in paths if not path.exists()]
    tunes = [*find_sources(books), *find_music21_sources(corpora)] if corpora else find_sources(books)
    return sorted(distinct(tunes), key=lambda source: source.name)
