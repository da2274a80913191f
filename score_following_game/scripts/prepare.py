"""Make game data (sheet images, notehead positions, MIDI) from music scores, or fetch the published sets.

python prepare_game_data.py --list
python prepare_game_data.py --destination DATA_ROOT
python prepare_game_data.py nottingham --source ABC_FOLDER --destination DATA_ROOT
python prepare_game_data.py folder --source my_scores --destination my_data --split 0.8/0.1/0.1 --check
python prepare_game_data.py --verify DATA_ROOT
python prepare_game_data.py --to-published DATA_SET --destination OUT
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from score_following_game.command_line import Parser, script
from score_following_game.data_preparation.building.build import LEFT_OUT_NAME, BuildOptions, build
from score_following_game.data_preparation.building.catalogue import (
    COLLECTIONS,
    DATA_FOLDER,
    PIECES_FILE,
    PUBLISHED,
    Collection,
    list_collections,
)
from score_following_game.data_preparation.building.options import Performances
from score_following_game.data_preparation.building.sources import SUFFIXES
from score_following_game.data_preparation.building.split import GivenSplit, Split, parse_split
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.published.export import LAYOUTS, to_published
from score_following_game.data_preparation.published.fetch import PUBLISHED as FILES
from score_following_game.data_preparation.published.fetch import PublishedGone, fetch_published
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.tempo import parse_tempi
from score_following_game.errors import UserError
from score_following_game.machine import available_cores


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "collection",
        nargs="?",
        metavar="COLLECTION",
        choices=[PUBLISHED, *COLLECTIONS],
        help=f"what to make: {', '.join([PUBLISHED, *COLLECTIONS])} (default: folder with --source, else "
        f"{PUBLISHED}); --list tells more",
    )
    parser.add_argument("--list", action="store_true", help="tell of the collections, and how each is made")
    parser.add_argument(
        "--verify",
        type=Path,
        metavar="DIR",
        help="check the data sets below DIR against their manifests and the rules of the game",
    )
    parser.add_argument(
        "--to-published",
        "--to_published",
        type=Path,
        metavar="DIR",
        help="write a data set as the code of "
        "2018 reads it (pickled npz, one for each performance), into the new folder --destination",
    )
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default=LAYOUTS[0],
        help="--to-published: 2018, one folder, or 2019, score/ and performance/ (default %(default)s)",
    )
    parser.add_argument(
        "--source",
        nargs="+",
        type=Path,
        metavar="PATH",
        help=f"scores ({', '.join(SUFFIXES)}), files or folders (searched recursively); music21: names",
    )
    parser.add_argument(
        "--destination",
        "--destination_dir",
        type=Path,
        default=Path(),
        metavar="DIR",
        help=f"where the data goes (default: here); of a collection: DIR/{DATA_FOLDER}/...",
    )
    parser.add_argument("--archive", type=Path, metavar="FILE", help=f"{PUBLISHED}: take this file instead of downloading it")
    parser.add_argument("--mirror", metavar="URL", help=f"{PUBLISHED}: where the files lie, in place of their own servers")
    parser.add_argument(
        "--style",
        choices=sorted(STYLES),
        help="nottingham: one staff, 40 px high; msmd: two staves, 200 px high (default: the collection's)",
    )
    parser.add_argument(
        "--split",
        metavar="RULE",
        help="make DIR/NAME_train, _valid and _test: pieces like 187/63/46, shares "
        "like 0.8/0.1/0.1 (ranked by a hash of their melody, a work's movements together), or a YAML or JSON "
        "file with their names",
    )
    parser.add_argument("--name", default="", help="NAME of the split's folders (default: the collection's, or that of DIR)")
    parser.add_argument("--min_seconds", type=float, metavar="S", help="leave out shorter pieces (default: the collection's)")
    parser.add_argument("--max_seconds", type=float, metavar="S", help="leave out longer pieces (default: the collection's)")
    parser.add_argument(
        "--sound_font",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE.sf2",
        help="play the pieces by these: one is chosen for each by a hash of its name",
    )
    parser.add_argument(
        "--tempo",
        default="1.0",
        metavar="LIST",
        help="play each piece at these times its speed, like 0.9,1.0,1.1; 1.0 is always made",
    )
    parser.add_argument(
        "--audio",
        type=Path,
        metavar="FOLDER",
        help="recordings named as the pieces: each is aligned with its score and heard instead of it",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N sources, in name order")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: the cores this process may use)")
    parser.add_argument(
        "--time_limit",
        type=float,
        default=120.0,
        metavar="S",
        help="give a piece up after S seconds of engraving (default 120)",
    )
    parser.add_argument("--check", action="store_true", help="also write DIR/check/NAME.png, a marker on every notehead")
    return parser.parse_args()


def options_from(arguments: argparse.Namespace, collection: Collection) -> BuildOptions:
    """The arguments, checked; what was not given is the collection's."""
    chosen = {
        name: getattr(collection, name) if getattr(arguments, name) is None else getattr(arguments, name)
        for name in ("style", "min_seconds", "max_seconds")
    }
    for flag, least in (("jobs", 1), ("limit", 1), ("min_seconds", 0), ("max_seconds", 0), ("time_limit", 1)):
        value = chosen.get(flag, getattr(arguments, flag))
        if value is not None and not value >= least:
            raise UserError(f"--{flag} {value}: wanted at least {least}")
    if chosen["min_seconds"] > chosen["max_seconds"]:
        raise UserError(f"--min_seconds {chosen['min_seconds']:g} is more than --max_seconds {chosen['max_seconds']:g}")
    if arguments.destination.exists() and not arguments.destination.is_dir():
        raise UserError(f"--destination {arguments.destination}: a file is there, wanted a folder")
    if Path(arguments.name).name != arguments.name:
        raise UserError(f"--name {arguments.name}: wanted a name, not a path")
    destination, name = collection.place(arguments.destination, [path.name for path in arguments.source])
    performances = Performances(tempi_from(arguments.tempo), tuple(arguments.sound_font), arguments.audio)
    performances.require()
    return BuildOptions(
        destination,
        chosen["style"],
        split_from(arguments, collection),
        arguments.name or name,
        arguments.jobs or available_cores(),
        arguments.check,
        chosen["min_seconds"],
        chosen["max_seconds"],
        arguments.time_limit,
        performances,
    )


def split_from(arguments: argparse.Namespace, collection: Collection) -> Split | GivenSplit | None:
    """The one given; else the collection's: a rule, or the file that lies in the source's folder."""
    if arguments.split is not None:
        return parse_split(arguments.split)
    if collection.split == PIECES_FILE:
        listed = arguments.source[0] / PIECES_FILE
        return parse_split(str(listed)) if listed.is_file() else None  # that it is wanted is told when sources are looked for
    split = parse_split(collection.split) if collection.split else None
    if arguments.limit is not None and isinstance(split, Split) and split.counts:  # a few, to try: in the same proportions
        split = Split(tuple(size / sum(split.sizes) for size in split.sizes), counts=False)
    return split


def refuse_what_does_not_apply(arguments: argparse.Namespace, wanted: str) -> None:
    """Arguments that the other kind of collection takes."""
    if wanted == PUBLISHED:
        names = ("source", "split", "name", "audio", "sound_font", "style", "limit")
        given = [name for name in names if getattr(arguments, name)]
    else:
        given = [name for name in ("archive", "mirror") if getattr(arguments, name)]
    if given:
        raise UserError(f"--{given[0]} does not go with the collection {wanted}; --list tells of each")


def tempi_from(text: str) -> tuple[float, ...]:
    """ "0.9,1.0,1.1" -> the numbers, 1.0 among them."""
    return tuple(sorted({1.0, *parse_tempi(text)}))


def make(arguments: argparse.Namespace, collection: Collection) -> None:
    """Build a data set and tell of it."""
    options = options_from(arguments, collection)
    began = time.monotonic()
    sources = collection.find(arguments.source)[: arguments.limit]
    try:
        report = build(sources, options)
    except KeyboardInterrupt:
        print("stopped; finished pieces are kept: run the same command again to go on")
        raise
    for line in report.lines():
        print(line)
    if report.left_out:
        print(f"the full list: {options.destination / LEFT_OUT_NAME}")
    seconds = time.monotonic() - began
    print(f"{seconds:.1f} s ({seconds / max(1, report.engraved):.2f} for each piece engraved), in {options.destination}")


def published_urls(indent: int = 2) -> list[str]:
    """A line for each published file."""
    return [f"{'':{indent}}{file.url} ({file.what})" for file in FILES]


def fetch(arguments: argparse.Namespace) -> None:
    """The published files; where their servers are gone, what can be made instead."""
    try:
        report = fetch_published(arguments.destination, arguments.archive, arguments.mirror)
    except PublishedGone as error:
        print("fetched by hand, each of these is taken by --archive FILE:", *published_urls(), *list_collections(), sep="\n")
        raise UserError(f"{error}; what can be made instead, from scores, is told above") from None
    for line in report.lines():
        print(line)
    if report.missing:
        raise UserError(f"not fetched: {', '.join(report.missing)}; the reasons are told above")


def _prepare() -> None:
    arguments = parse_arguments()
    wanted = arguments.collection or ("folder" if arguments.source else PUBLISHED)
    if arguments.list:
        print(
            f"{PUBLISHED:11}the archives and weights of 2018 and 2019, where their servers still have them\n"
            f"{'':11}python prepare_game_data.py --destination DATA_ROOT",
            *published_urls(indent=13),
            *list_collections(),
            sep="\n",
        )
    elif arguments.verify is not None:
        report = verify(arguments.verify)
        print("\n".join(report.lines()))
        if report.problems:
            raise UserError(
                f"--verify {arguments.verify}: {len(report.problems)} problems, told above; if they are not "
                "meant, remove what is wrong and make the set again"
            )
    elif arguments.to_published is not None:
        print("\n".join(to_published(arguments.to_published, arguments.destination, arguments.layout).lines()))
    else:
        refuse_what_does_not_apply(arguments, wanted)
        if wanted == PUBLISHED:
            fetch(arguments)
        elif not arguments.source:
            raise UserError(f"--source is missing; {wanted} wants {COLLECTIONS[wanted].wanted}")
        else:
            make(arguments, COLLECTIONS[wanted])


def main() -> None:
    """The command: a user's mistake is one line on stderr and exit code 2."""
    with script():
        _prepare()


if __name__ == "__main__":
    main()
