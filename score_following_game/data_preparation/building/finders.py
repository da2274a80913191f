"""Finds the sources of the collections that have lists of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from score_following_game.data_preparation.building.metadata import licence_of
from score_following_game.data_preparation.building.mutopia import LIST, Listed, msmd_pieces, other_pieces, scores_in
from score_following_game.data_preparation.building.naming import slug
from score_following_game.data_preparation.building.sources import (
    Performance,
    Source,
    distinct,
    find_sources,
    folder_digest,
    lilypond_source,
    looking_through,
    read_text,
    sources_or_problem,
)
from score_following_game.data_preparation.engraving.lilypond.contained import require_lilypond
from score_following_game.data_preparation.msmd.piece import find_msmd
from score_following_game.data_preparation.performances.match_file import named_files
from score_following_game.errors import UserError
from score_following_game.files import file_digest
from score_following_game.optional_libraries import missing_library
from score_following_game.yaml_files import read_table

PIECES_FILE = "pieces.json"  # in a folder of LilyPond pieces: main files, split, licences
SONGS, MUSESCORE = "scores", ".mscx"  # the folder of the songs in their repository, and what they are written in
INDEX_FILE = "index.json"  # in the folder of the songs: composer, set and title of each file
CHOPIN_INSTITUTE = "CC BY 4.0, The Fryderyk Chopin Institute"
CC0 = "CC0"
UNCLEAR = "unclear"
SCORE_FOLDER, MATCH_FOLDER, MIDI_FOLDER = "musicxml", "match", "midi"  # of the performances
_NAME_PART = 40  # characters of a composer's name or a title in the name of a piece


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
        pieces = _list_in(path, PIECES_FILE, "pieces", "NAME: {main_file: FILE.ly, licence: TEXT}")
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
    return _list_in(folder, PIECES_FILE, "main_file", "NAME: FILE.ly")


def _list_in(folder: Path, file: str, key: str, entries: str) -> dict[str, Any]:
    """A mapping in a JSON file of a collection's folder; `key` names it, "" means the whole file."""
    listed = folder / file
    if not listed.is_file():
        raise UserError(
            f"{folder}: has neither the collection's scores as they are distributed nor the file {file}, which lists them; "
            "for a folder of scores of your own use the collection `folder`"
        )
    content = read_table(listed)
    found = content.get(key) if key else content
    if not isinstance(found, dict) or not found:
        raise UserError(f"{listed}: expected {f'a key {key} with ' if key else ''}entries {entries}")
    return found


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


def find_songs(paths: Sequence[Path]) -> list[Source]:
    """The songs of OpenScore's folders, scores/COMPOSER/SET/TITLE, or of folders with index.json.

    A song is named COMPOSER__SET__TITLE, and the songs of a composer are one work. Raises UserError when a folder has neither
    songs laid out so nor index.json, and when that lists no file that exists.
    """
    sources: list[Source] = []
    for path in paths:
        if found := _songs_in_folders(path):
            sources += found
            continue
        index = _list_in(path, INDEX_FILE, "", "FILE: {composer: NAME, set: TITLE, title: TITLE}")
        index = {file: entry for file, entry in index.items() if isinstance(entry, dict)}
        found = [source for source in find_sources([path]) if source.path.name in index]  # others: not of the collection
        if not found:
            raise UserError(f"{path / INDEX_FILE}: lists no file that is in the folder")
        for file in sorted(index.keys() - {source.path.name for source in found}):
            found += sources_or_problem(Path(file).stem, path / file, partial(_absent_song, path / file, path / INDEX_FILE))
        sources += [_as_song(source, index[source.path.name]) for source in found]
    return sorted(distinct(sources), key=lambda source: source.name)


def _songs_in_folders(folder: Path) -> list[Source]:
    """The songs of a clone of OpenScore Lieder; none where the folder has a list, or other folders."""
    if (folder / INDEX_FILE).is_file():
        return []
    scores = folder / SONGS if (folder / SONGS).is_dir() else folder
    songs = [song for source in find_sources([scores]) if (song := _song_in_folder(source, scores)) is not None]
    found = {song.path.parent for song in songs}
    for file in sorted(scores.rglob(f"*{MUSESCORE}")) if songs else ():
        if file.parent not in found:
            songs += sources_or_problem(file.stem, file, partial(_unexported_song, file))
    return songs


def _song_in_folder(source: Source, scores: Path) -> Source | None:
    """The song of a file in COMPOSER/SET/TITLE, or COMPOSER/TITLE; None elsewhere. Without a set the folder is "_"."""
    composer, *sets = (part.replace("_", " ").strip() for part in source.path.relative_to(scores).parent.parts or [""])
    if not composer or not sets:
        return None
    return _as_song(source, {"composer": composer, "set": sets[0] if len(sets) > 1 else "", "title": sets[-1]})


def _unexported_song(file: Path) -> list[Source]:
    raise UserError(f"{file.name}: has no MusicXML beside it; export it by MuseScore")


def _absent_song(file: Path, index: Path) -> list[Source]:
    raise UserError(f"{file.name}: is not in the folder, but {index.name} lists it")


def _as_song(source: Source, entry: dict[str, Any]) -> Source:
    composer, title = str(entry.get("composer", "")), str(entry.get("title", ""))
    parts = (slug(text)[:_NAME_PART].strip("_") for text in (composer, str(entry.get("set", "")), title))
    name = "__".join(filter(None, parts)) or source.name
    return replace(source, name=name, work=composer, licence=source.licence or CC0)


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
