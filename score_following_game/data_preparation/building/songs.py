"""Finds the songs of OpenScore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from score_following_game.data_preparation.building.listed import list_in
from score_following_game.data_preparation.building.naming import slug
from score_following_game.data_preparation.building.sources import Source, distinct, find_sources, sources_or_problem
from score_following_game.errors import UserError

SONGS, MUSESCORE = "scores", ".mscx"  # the folder of the songs in their repository, and what they are written in
INDEX_FILE = "index.json"  # in the folder of the songs: composer, set and title of each file
CC0 = "CC0"
_NAME_PART = 40  # characters of a composer's name or a title in the name of a piece


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
        index = list_in(path, INDEX_FILE, "", "FILE: {composer: NAME, set: TITLE, title: TITLE}")
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
