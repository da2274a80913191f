"""The collections that can be made by name, with their sources and default options."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from score_following_game.command_line import command_name
from score_following_game.config import read_yaml
from score_following_game.data_preparation.building.build import build
from score_following_game.data_preparation.building.metadata import licence_of
from score_following_game.data_preparation.building.options import BuildOptions
from score_following_game.data_preparation.building.performances import USE, build_performances, find_performed_scores
from score_following_game.data_preparation.building.report import BuildReport
from score_following_game.data_preparation.building.sources import Source, find_sources, folder_digest, lilypond_source
from score_following_game.data_preparation.engraving.lilypond.contained import require_lilypond
from score_following_game.data_preparation.msmd.piece import find_msmd
from score_following_game.data_preparation.published.sets import ROOT as DATA_FOLDER
from score_following_game.errors import UserError
from score_following_game.optional_libraries import missing_library

PUBLISHED = "published"  # the collection that is downloaded instead of made
PIECES_FILE = "pieces.json"  # in the folder of the MSMD's LilyPond sources: main files and split
MUTOPIA_NAME = "COMPOSER__OPUS__BASE"


@dataclass(frozen=True)
class Collection:
    """A collection.

    source: description of its --source argument, for messages.
    find: finds the sources in the paths given by --source.
    folder: the sets are DIR/DATA_FOLDER/folder/folder_{train,valid,test}. "*" is replaced by the name of the source; for ""
        the sets are in DIR itself.
    style, split, min_seconds, max_seconds: defaults of the command-line options of these names.
    build: makes the sets from the sources.
    """

    summary: str
    source: str
    find: Callable[[Sequence[Path]], list[Source]]
    example: str
    folder: str = ""
    style: str = "nottingham"
    split: str | None = None
    min_seconds: float = 0.0
    max_seconds: float = math.inf
    build: Callable[[Sequence[Source], BuildOptions], BuildReport] = build

    def place(self, destination: Path, source: Sequence[str]) -> tuple[Path, str]:
        """Return the folder of the sets and their name. source: names of the --source paths."""
        folder = self.folder.replace("*", "_".join(source))
        return (destination / DATA_FOLDER / folder, folder) if folder else (destination, destination.resolve().name)


def find_msmd_sources(paths: Sequence[Path]) -> list[Source]:
    """The LilyPond scores of the MSMD: folders with pieces.json and one subfolder for each piece, named like the piece.

    Raises UserError when LilyPond cannot be run, or when pieces.json or a file it names is missing.
    """
    require_lilypond()
    sources = []
    for path in paths:
        listed = path / PIECES_FILE
        if not listed.is_file():
            raise UserError(
                f"{path}: has no {PIECES_FILE}, which lists each piece's main file and the split; for a folder of "
                "LilyPond files of your own use the collection `folder`"
            )
        main_files = read_yaml(listed).get("main_file")
        if not isinstance(main_files, dict) or not main_files or not all(map(_is_below, main_files, main_files.values())):
            raise UserError(f"{listed}: expected a key main_file with entries NAME: FILE.ly")
        for name, file in sorted(main_files.items()):
            if not (path / name / file).is_file():
                raise UserError(f"{listed}: lists {name}/{file}, which does not exist")
            sources.append(lilypond_source(name, path / name / file, path / name))
    return sources


def _is_below(name: object, file: object) -> bool:
    """Whether `name` is a single path component and `file` a path that stays in the piece's folder."""
    return (
        isinstance(name, str)
        and isinstance(file, str)
        and Path(name).name == name
        and not Path(file).is_absolute()
        and ".." not in Path(file).parts
    )


def find_raw_msmd_sources(paths: Sequence[Path]) -> list[Source]:
    """The pieces of the MSMD as distributed: pages, MuNG and performances."""
    folders = [folder for path in paths for folder in find_msmd(path)]
    return [Source(folder.name, folder, folder_digest(folder), licence=licence_of(folder, "")) for folder in folders]


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


COLLECTIONS = {
    "nottingham": Collection(
        "296 folk tunes from the Nottingham tune books, split 187/63/46 as in the paper",
        "the folder of its ABC files",
        find_sources,
        "nottingham --source ABC_FOLDER",
        "nottingham",
        split="187/63/46",
        min_seconds=20,
        max_seconds=90,
    ),
    "msmd": Collection(
        "the piano pieces of the MSMD, engraved by LilyPond from the Mutopia sources, split v1.1",
        f"a folder with {PIECES_FILE} and a subfolder {MUTOPIA_NAME} for each piece",
        find_msmd_sources,
        "msmd --source LILYPOND_FOLDER",
        "msmd_all",
        style="msmd",
        split=PIECES_FILE,
    ),
    "msmd_raw": Collection(
        "the same pieces from the MSMD as distributed (pages, MuNG, performances)",
        "the folder of the MSMD",
        find_raw_msmd_sources,
        "msmd_raw --source MSMD_FOLDER --split SPLIT.yaml",
        "msmd_all",
        style="msmd",
        split="0.76/0.04/0.2",
    ),
    "music21": Collection(
        "tunes of a corpus included in music21 (pip install 'score_following_game[corpora]')",
        "the name of a corpus, for instance ryansMammoth",
        find_music21_sources,
        "music21 --source ryansMammoth",
        "*",
        split="0.8/0.1/0.1",
        min_seconds=10,
        max_seconds=180,
    ),
    "performances": Collection(
        f"88 human performances of four piano excerpts (Vienna 4x22); {USE}",
        "the folder with their scores (musicxml), match files (match) and MIDI (midi)",
        find_performed_scores,
        "performances --source VIENNA_4X22_FOLDER",
        "performances",
        style="msmd",
        build=build_performances,
    ),
    "folder": Collection(
        "your own scores (ABC, MusicXML, MEI, Humdrum, LilyPond)",
        "files or folders of scores",
        find_sources,
        "folder --source MY_SCORES --split 0.8/0.1/0.1",
    ),
}


def list_collections() -> list[str]:
    """Two lines for each collection: its summary and an example command."""
    lines = []
    for name, collection in COLLECTIONS.items():
        lines += [
            f"{name:13}{collection.summary}",
            f"{'':13}{command_name('sfg-prepare')} {collection.example} --destination DATA_ROOT",
        ]
    return lines
