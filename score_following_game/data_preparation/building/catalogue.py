"""The collections that can be made by name, with their sources and default options."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from score_following_game.command_line import command_name
from score_following_game.data_preparation.building.finders import (
    find_humdrum_editions,
    find_music21_sources,
    find_performances,
    find_raw_msmd_sources,
    find_tunes,
)
from score_following_game.data_preparation.building.held_out import MSMD, NOTTINGHAM
from score_following_game.data_preparation.building.lilypond_pieces import (
    PIECES_FILE,
    find_msmd_sources,
    find_mutopia_sources,
)
from score_following_game.data_preparation.building.songs import find_songs
from score_following_game.data_preparation.building.sources import Source, find_sources
from score_following_game.data_preparation.engraving.playing import PIANO
from score_following_game.data_preparation.published.sets import ROOT as DATA_FOLDER
from score_following_game.data_processing.manifest import EVALUATION_ONLY

PUBLISHED = "published"  # the collection that is downloaded instead of made
LILYPOND_FOLDERS = f"a clone of Mutopia, or a folder with {PIECES_FILE} and a subfolder COMPOSER__OPUS__BASE for each piece"
ALL_FOR_TRAINING = "1.0/0.0/0.0"
ALL_FOR_TESTS = "0.0/0.0/1.0"
# Options of prepare_game_data.py that choose the sets and how their scores are played.
PLAYING_OPTIONS = ("split", "tempo", "sound_font", "audio", "part", "repeats", "order")


@dataclass(frozen=True)
class Collection:
    """A collection.

    source: description of its --source argument, for messages.
    find: finds the sources in the paths given by --source.
    folder: the sets are DIR/DATA_FOLDER/folder/folder_{train,valid,test}. "*" is replaced by the name of the source; for ""
        the sets are in DIR itself.
    style, split, min_seconds, max_seconds, part: defaults of the command-line options of these names.
    held_out: it may train an agent, so the music of this set's validation and test pieces is left out.
    evaluation_only: it may not train an agent.
    fixed: command-line options that cannot change it.
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
    part: str = ""
    held_out: str = ""
    evaluation_only: bool = False
    fixed: tuple[str, ...] = ()

    def place(self, destination: Path, source: Sequence[str]) -> tuple[Path, str]:
        """Return the folder of the sets and their name. source: names of the --source paths."""
        folder = self.folder.replace("*", "_".join(source))
        return (destination / DATA_FOLDER / folder, folder) if folder else (destination, destination.resolve().name)


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
        LILYPOND_FOLDERS,
        find_msmd_sources,
        "msmd --source MutopiaProject",
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
    "folk": Collection(
        "folk tunes for training beside the set nottingham: its other tunes and corpora of music21",
        "folders of tune books and names of music21's corpora",
        find_tunes,
        "folk --source ABC_FOLDER ryansMammoth oneills1850",
        "folk",
        split="0.9/0.05/0.05",
        min_seconds=10,
        max_seconds=180,
        held_out=NOTTINGHAM,
    ),
    "lieder": Collection(
        "the piano parts of 1,460 songs (OpenScore Lieder, CC0), split by composer",
        "a clone of OpenScore/Lieder, or a folder of its MusicXML files with index.json",
        find_songs,
        "lieder --source Lieder",
        "lieder",
        style="msmd",
        split="0.9/0.05/0.05",
        part=PIANO,
        held_out=MSMD,
    ),
    "mutopia": Collection(
        "other keyboard pieces of Mutopia, engraved by LilyPond; for training",
        LILYPOND_FOLDERS,
        find_mutopia_sources,
        "mutopia --source MutopiaProject",
        "mutopia",
        style="msmd",
        split=ALL_FOR_TRAINING,
        held_out=MSMD,
    ),
    "chopin": Collection(
        "Chopin's piano works in first editions (Humdrum, CC BY); for training",
        "the folder of its Humdrum files",
        find_humdrum_editions,
        "chopin --source CHOPIN_FOLDER",
        "chopin",
        style="msmd",
        split=ALL_FOR_TRAINING,
        held_out=MSMD,
    ),
    "polish": Collection(
        "Polish piano music of the 18th to 20th century (Humdrum, CC BY); for training",
        "the folder of its Humdrum files",
        find_humdrum_editions,
        "polish --source POLISH_FOLDER",
        "polish",
        style="msmd",
        split=ALL_FOR_TRAINING,
        held_out=MSMD,
    ),
    "performances": Collection(
        f"88 human performances of four piano excerpts (Vienna 4x22); {EVALUATION_ONLY}",
        "the folder with their scores (musicxml), match files (match) and MIDI (midi)",
        find_performances,
        "performances --source VIENNA_4X22_FOLDER",
        "performances",
        style="msmd",
        split=ALL_FOR_TESTS,
        evaluation_only=True,
        fixed=PLAYING_OPTIONS,
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
