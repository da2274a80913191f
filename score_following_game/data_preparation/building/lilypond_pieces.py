"""Finds the LilyPond scores of the MSMD and of Mutopia."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from score_following_game.data_preparation.building.listed import list_in
from score_following_game.data_preparation.building.mutopia import LIST, Listed, msmd_pieces, other_pieces, scores_in
from score_following_game.data_preparation.building.sources import Source, lilypond_source, looking_through, sources_or_problem
from score_following_game.data_preparation.engraving.lilypond.contained import require_lilypond
from score_following_game.errors import UserError

PIECES_FILE = "pieces.json"  # in a folder of LilyPond pieces: main files, split, licences


def find_msmd_sources(paths: Sequence[Path]) -> list[Source]:
    """The LilyPond scores of the MSMD: Mutopia's folders, or folders with pieces.json and one subfolder for each piece, named
    like the piece.

    Raises UserError when LilyPond cannot be run, and when a folder has neither pieces.json nor any of the scores.
    """
    require_lilypond()
    return [source for path in paths for source in _in_mutopia(path, msmd_pieces()) or _listed_pieces(path, _main_files(path))]


def find_mutopia_sources(paths: Sequence[Path]) -> list[Source]:
    """The LilyPond scores of Mutopia's folders, or of a folder whose pieces.json has, for each piece, its main file and its
    licence.

    Raises UserError as find_msmd_sources.
    """
    require_lilypond()
    sources = []
    for path in paths:
        if found := _in_mutopia(path, other_pieces()):
            sources += found
            continue
        pieces = list_in(path, PIECES_FILE, "pieces", "NAME: {main_file: FILE.ly, licence: TEXT}")
        main_files = {name: piece.get("main_file") for name, piece in pieces.items() if isinstance(piece, dict)}
        licences = {name: piece.get("licence") for name, piece in pieces.items() if isinstance(piece, dict)}
        if len(main_files) < len(pieces):
            raise UserError(f"{path / PIECES_FILE}: expected entries NAME: {{main_file: FILE.ly, licence: TEXT}}")
        sources += [
            replace(source, licence=str(licences.get(source.name) or source.licence))
            for source in _listed_pieces(path, main_files)
        ]
    return sources


def _in_mutopia(folder: Path, pieces: dict[str, Listed]) -> list[Source]:
    """The listed pieces in Mutopia's own folders; none if they are not there, or if the folder has a list of its own."""
    scores = None if (folder / PIECES_FILE).is_file() else scores_in(folder, pieces)
    if scores is None:
        return []
    sources: list[Source] = []
    for name, piece in looking_through(sorted(pieces.items())):
        file = scores / piece.path
        found = sources_or_problem(name, file, partial(_listed_piece, name, file, scores, LIST))
        sources += [replace(source, licence=piece.licence or source.licence) for source in found]
    return sources


def _main_files(folder: Path) -> dict[str, Any]:
    return list_in(folder, PIECES_FILE, "main_file", "NAME: FILE.ly")


def _listed_pieces(folder: Path, main_files: dict[str, Any]) -> list[Source]:
    if not all(map(_is_below, main_files, main_files.values())):
        raise UserError(f"{folder / PIECES_FILE}: expected a key main_file with entries NAME: FILE.ly")
    if not any((folder / name / file).is_file() for name, file in main_files.items()):
        name = min(main_files)
        raise UserError(f"{folder / PIECES_FILE}: no file that it lists exists, for instance {name}/{main_files[name]}")
    sources = []
    for name, file in looking_through(sorted(main_files.items())):
        listed = partial(_listed_piece, name, folder / name / file, folder / name, folder / PIECES_FILE)
        sources += sources_or_problem(name, folder / name / file, listed)
    return sources


def _listed_piece(name: str, file: Path, root: Path, listed_in: Path) -> list[Source]:
    """Raises UserError, which costs this piece only, when its file is missing. root: of the files that it includes."""
    if not file.is_file():
        raise UserError(f"{file}: does not exist, but {listed_in.name} lists it")
    return [lilypond_source(name, file, root)]


def _is_below(name: object, file: object) -> bool:
    """True if `name` is a single path component and `file` a path that stays in the piece's folder."""
    return (
        isinstance(name, str)
        and isinstance(file, str)
        and Path(name).name == name
        and not Path(file).is_absolute()
        and ".." not in Path(file).parts
    )
