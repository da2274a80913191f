"""The collections that can be made by name, each with what it needs and how it is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from score_following_game.config import read_yaml
from score_following_game.data_preparation.building.metadata import licence_of
from score_following_game.data_preparation.building.sources import Source, find_sources, folder_digest, lilypond_source
from score_following_game.data_preparation.engraving.lilypond.contained import require_lilypond
from score_following_game.data_preparation.msmd.piece import find_msmd
from score_following_game.data_preparation.published.sets import ROOT as DATA_FOLDER
from score_following_game.errors import UserError
from score_following_game.optional_libraries import missing_library

PUBLISHED = "published"  # the collection that is downloaded, not made
PIECES_FILE = "pieces.json"  # beside the LilyPond sources of the MSMD: main files and split
MUTOPIA_NAME = "COMPOSER__OPUS__BASE"


@dataclass(frozen=True)
class Collection:
    """find: what --source names -> sources.  wanted: what --source is, for messages.  folder: DIR/DATA_FOLDER/folder holds
    folder_train, folder_valid and folder_test ("": DIR itself; *: named as the source).  The rest are defaults of the arguments
    of these names."""

    summary: str
    wanted: str
    find: Callable[[Sequence[Path]], list[Source]]
    example: str
    folder: str = ""
    style: str = "nottingham"
    split: str | None = None
    min_seconds: float = 0.0
    max_seconds: float = math.inf

    def place(self, destination: Path, source: Sequence[str]) -> tuple[Path, str]:
        """-> the folder the sets go to, and their name."""
        folder = self.folder.replace("*", "_".join(source))
        return (destination / DATA_FOLDER / folder, folder) if folder else (destination, destination.resolve().name)


def find_msmd_sources(paths: Sequence[Path]) -> list[Source]:
    """The LilyPond scores of the MSMD: a folder of folders named as in it, with pieces.json.

    Raises UserError where LilyPond cannot be run, or pieces.json or a piece's folder is missing.
    """
    require_lilypond()
    sources = []
    for path in paths:
        listed = path / PIECES_FILE
        if not listed.is_file():
            raise UserError(
                f"{path}: no {PIECES_FILE} there, which names each piece's main file and the split; for a folder "
                "of LilyPond files of your own use the collection `folder`"
            )
        main_files = read_yaml(listed).get("main_file")
        if not isinstance(main_files, dict) or not main_files or not all(map(_is_below, main_files, main_files.values())):
            raise UserError(f"{listed}: wanted a key main_file with NAME: FILE.ly")
        for name, file in sorted(main_files.items()):
            if not (path / name / file).is_file():
                raise UserError(f"{listed}: names {name}/{file}, which is not there")
            sources.append(lilypond_source(name, path / name / file, path / name))
    return sources


def _is_below(name: object, file: object) -> bool:
    """A piece's name, and a path that does not lead out of its folder."""
    return (
        isinstance(name, str)
        and isinstance(file, str)
        and Path(name).name == name
        and not Path(file).is_absolute()
        and ".." not in Path(file).parts
    )


def find_raw_msmd_sources(paths: Sequence[Path]) -> list[Source]:
    """The pieces of the MSMD as it is distributed: pages, MuNG and performances."""
    folders = [folder for path in paths for folder in find_msmd(path)]
    return [Source(folder.name, folder, folder_digest(folder), licence=licence_of(folder, "")) for folder in folders]


def find_music21_sources(names: Sequence[Path]) -> list[Source]:
    """Scores of corpora that come with music21. Raises UserError where music21 or a corpus of that name is missing."""
    found = find_spec("music21")
    if found is None:
        raise UserError(missing_library("the collection music21", "corpora", "music21"))
    corpora = Path(found.origin).with_name("corpus")
    there = sorted(entry.name for entry in corpora.iterdir() if entry.is_dir() and not entry.name.startswith("_"))
    if missing := [str(name) for name in names if str(name) not in there]:
        raise UserError(f"--source {missing[0]}: music21 has no such corpus; there are {', '.join(there)}")
    return find_sources([corpora / name for name in names])


COLLECTIONS = {
    "nottingham": Collection(
        "296 folk tunes as in the paper, 187/63/46, from the Nottingham tune books",
        "the folder of its ABC files",
        find_sources,
        "nottingham --source ABC_FOLDER",
        "nottingham",
        split="187/63/46",
        min_seconds=20,
        max_seconds=90,
    ),
    "msmd": Collection(
        "the piano pieces of the MSMD, engraved by LilyPond from Mutopia's sources, split v1.1",
        f"the folder with a folder for each piece, named {MUTOPIA_NAME}, and {PIECES_FILE}",
        find_msmd_sources,
        "msmd --source LILYPOND_FOLDER",
        "msmd_all",
        style="msmd",
        split=PIECES_FILE,
    ),
    "msmd_raw": Collection(
        "the same from the MSMD as it is distributed (pages, MuNG, performances)",
        "its folder",
        find_raw_msmd_sources,
        "msmd_raw --source MSMD_FOLDER --split SPLIT.yaml",
        "msmd_all",
        style="msmd",
        split="0.76/0.04/0.2",
    ),
    "music21": Collection(
        "tunes of a corpus that music21 carries (pip install 'score_following_game[corpora]')",
        "its name, for instance ryansMammoth",
        find_music21_sources,
        "music21 --source ryansMammoth",
        "*",
        split="0.8/0.1/0.1",
        min_seconds=10,
        max_seconds=180,
    ),
    "folder": Collection(
        "your own scores: ABC, MusicXML, MEI, Humdrum, LilyPond; files or folders",
        "files and folders",
        find_sources,
        "folder --source MY_SCORES --split 0.8/0.1/0.1",
    ),
}


def list_collections() -> list[str]:
    """What can be made and how, one collection after the other."""
    lines = []
    for name, collection in COLLECTIONS.items():
        lines += [
            f"{name:11}{collection.summary}",
            f"{'':11}python prepare_game_data.py {collection.example} --destination DATA_ROOT",
        ]
    return lines
