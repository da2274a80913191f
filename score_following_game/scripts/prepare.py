"""Make game data (sheet images, notehead positions, MIDI) from music scores, or download the published sets.

sfg-prepare --list
sfg-prepare --destination DATA_ROOT
sfg-prepare nottingham --source ABC_FOLDER --destination DATA_ROOT
sfg-prepare folder --source my_scores --destination my_data --split 0.8/0.1/0.1 --check
sfg-prepare --verify DATA_ROOT
sfg-prepare --to-published DATA_SET --destination OUT
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from score_following_game.command_line import Parser, add_music_limit, add_playing_arguments, command_name, script
from score_following_game.data_preparation.building.build import LEFT_OUT_NAME, BuildOptions, build
from score_following_game.data_preparation.building.catalogue import (
    COLLECTIONS,
    DATA_FOLDER,
    PLAYING_OPTIONS,
    PUBLISHED,
    Collection,
    list_collections,
)
from score_following_game.data_preparation.building.lilypond_pieces import PIECES_FILE
from score_following_game.data_preparation.building.mutopia import msmd_split
from score_following_game.data_preparation.building.options import Performances
from score_following_game.data_preparation.building.sources import SCORES
from score_following_game.data_preparation.building.split import GivenSplit, Split, parse_split
from score_following_game.data_preparation.engraving.playing import Playing
from score_following_game.data_preparation.engraving.style import STYLES
from score_following_game.data_preparation.pages.files import SUFFIXES as PAGES
from score_following_game.data_preparation.published.export import LAYOUTS, to_published
from score_following_game.data_preparation.published.fetch import PublishedGone, fetch_published, list_published
from score_following_game.data_preparation.verify import verify
from score_following_game.data_processing.tempo import parse_tempi
from score_following_game.errors import UserError, counted
from score_following_game.machine import available_cores


def make_parser() -> Parser:
    description = (__doc__ or "").replace("sfg-prepare", command_name("sfg-prepare"))
    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "collection",
        nargs="?",
        metavar="COLLECTION",
        choices=[PUBLISHED, *COLLECTIONS],
        help=f"what to make: {', '.join([PUBLISHED, *COLLECTIONS])} (default: folder if --source is given, else "
        f"{PUBLISHED}); see --list",
    )
    parser.add_argument("--list", action="store_true", help="list the collections and how to make them")
    parser.add_argument(
        "--source",
        nargs="+",
        type=Path,
        metavar="PATH",
        help=f"scores ({', '.join(SCORES)}) or their pages ({', '.join(PAGES)}), as files or "
        "folders (searched recursively); for music21: names of corpora",
    )
    parser.add_argument(
        "--destination",
        "--destination_dir",
        type=Path,
        default=Path(),
        metavar="DIR",
        help=f"output folder (default: the current one); named collections are written to DIR/{DATA_FOLDER}/...",
    )
    add_set_arguments(parser)
    add_run_arguments(parser)
    add_other_arguments(parser)
    return parser


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments about the pieces of a set and their performances."""
    group = parser.add_argument_group("what the set holds")
    group.add_argument(
        "--style",
        choices=sorted(STYLES),
        help="nottingham: one staff, 40 px high; msmd: two staves, 200 px high (default: the collection's; of "
        "pages, the one for their number of staves)",
    )
    group.add_argument(
        "--staff", type=int, default=0, metavar="N", help="take staff N of each system of pages; 1 is the highest"
    )
    add_playing_arguments(group, part="the collection's, else the whole score")
    group.add_argument("--min_seconds", type=float, metavar="S", help="leave out shorter pieces (default: the collection's)")
    group.add_argument("--max_seconds", type=float, metavar="S", help="leave out longer pieces (default: the collection's)")
    add_music_limit(group)
    group.add_argument("--limit", type=int, metavar="N", help="use only the first N sources, in name order")
    group.add_argument(
        "--split",
        metavar="RULE",
        help="make DIR/NAME_train, _valid and _test: numbers of pieces like 187/63/46, shares like 0.8/0.1/0.1 (both order the "
        "pieces by a hash of the melody and keep the movements of a work together), or a YAML or JSON file with the names",
    )
    group.add_argument("--name", default="", help="NAME of the split's folders (default: name of the collection or of DIR)")
    group.add_argument(
        "--tempo",
        default="1.0",
        metavar="LIST",
        help="tempo factors of the performances of each piece, like 0.9,1.0,1.1; 1.0 is always included",
    )
    group.add_argument(
        "--sound_font",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE.sf2",
        help="sound fonts for the pieces; a hash of a performance's name chooses one",
    )
    group.add_argument(
        "--audio",
        type=Path,
        metavar="FOLDER",
        help="recordings named like the pieces, or one recording of one score; each is aligned with its score and used as "
        "the performance",
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say how to make a set and do not change it."""
    group = parser.add_argument_group("how it is made")
    group.add_argument("--jobs", type=int, metavar="N", help="number of processes (default: the available cores)")
    group.add_argument(
        "--time_limit",
        type=float,
        default=120.0,
        metavar="S",
        help="leave out a piece after S seconds of engraving on an idle machine (default 120)",
    )
    group.add_argument("--check", action="store_true", help="also draw DIR/check/NAME.png, with a marker on every notehead")


def add_other_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for work other than making a set: fetching, checking and converting sets."""
    group = parser.add_argument_group("fetching, checking and converting sets")
    group.add_argument("--archive", type=Path, metavar="FILE", help=f"{PUBLISHED}: use this file instead of downloading")
    group.add_argument("--mirror", metavar="URL", help=f"{PUBLISHED}: download from URL instead of the original servers")
    group.add_argument(
        "--verify",
        type=Path,
        metavar="DIR",
        help="check the data sets below DIR against their manifests and the rules of the game",
    )
    group.add_argument(
        "--to-published",
        "--to_published",
        type=Path,
        metavar="DIR",
        help="convert a data set to the published format of 2018 (pickled npz, one for each performance), into the new folder "
        "--destination",
    )
    group.add_argument(
        "--layout",
        choices=LAYOUTS,
        default=LAYOUTS[0],
        help="with --to-published: 2018 (one folder) or 2019 (score/ and performance/) (default %(default)s)",
    )


def options_from(arguments: argparse.Namespace, collection: Collection) -> BuildOptions:
    """Check the arguments; the collection has the defaults of those not given. Raises UserError."""
    chosen = {
        name: getattr(collection, name) if getattr(arguments, name) is None else getattr(arguments, name)
        for name in ("style", "min_seconds", "max_seconds", "part")
    }
    for flag, least in (("jobs", 1), ("staff", 0), ("limit", 1), ("min_seconds", 0), ("max_seconds", 0), ("time_limit", 1)):
        value = chosen.get(flag, getattr(arguments, flag))
        if value is not None and not value >= least:
            raise UserError(f"--{flag} {value}: must be at least {least}")
    if chosen["min_seconds"] > chosen["max_seconds"]:
        raise UserError(f"--min_seconds {chosen['min_seconds']:g} is greater than --max_seconds {chosen['max_seconds']:g}")
    if arguments.destination.exists() and not arguments.destination.is_dir():
        raise UserError(f"--destination {arguments.destination}: is a file, expected a folder")
    if Path(arguments.name).name != arguments.name:
        raise UserError(f"--name {arguments.name}: expected a name, not a path")
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
        Playing(chosen["part"], arguments.repeats, arguments.order),
        arguments.style or "",
        arguments.staff,
        collection.held_out,
        collection.evaluation_only,
    )


def split_from(arguments: argparse.Namespace, collection: Collection) -> Split | GivenSplit | None:
    """The split given by --split; else that of the collection: a rule, or a file in the source folder."""
    if arguments.split is not None:
        return parse_split(arguments.split)
    if collection.split == PIECES_FILE:
        listed = arguments.source[0] / PIECES_FILE
        return parse_split(str(listed)) if listed.is_file() else msmd_split()
    split = parse_split(collection.split) if collection.split else None
    if arguments.limit is not None and isinstance(split, Split) and split.counts:
        return split.as_shares()  # there may be fewer pieces than the numbers add up to
    return split


def require_applicable(arguments: argparse.Namespace, collection: str) -> None:
    """Raise UserError for options that this collection does not use."""
    if collection == PUBLISHED:
        names: tuple[str, ...] = ("source", "name", "style", "limit", *PLAYING_OPTIONS)
    else:
        names = ("archive", "mirror", *COLLECTIONS[collection].fixed)
    usual = vars(make_parser().parse_args([]))
    if given := [name for name in names if getattr(arguments, name) != usual[name]]:
        raise UserError(f"--{given[0]} has no effect on the collection {collection}; see --list")


def tempi_from(text: str) -> tuple[float, ...]:
    """Parse --tempo. The result is sorted and includes 1.0."""
    return tuple(sorted({1.0, *parse_tempi(text)}))


def make(arguments: argparse.Namespace, collection: Collection) -> None:
    """Build a data set and print the report."""
    options = options_from(arguments, collection)
    began = time.monotonic()
    sources = collection.find(arguments.source)[: arguments.limit]
    if options.playing.bars and len(sources) > 1:
        raise UserError(f"--order {options.playing.bars}: is for one score, and {len(sources)} were found; name one file")
    try:
        report = build(sources, options)
    except KeyboardInterrupt:
        print("stopped; finished pieces are kept: run the same command again to continue")
        raise
    for line in report.lines():
        print(line)
    if report.left_out:
        print(f"full list: {options.destination / LEFT_OUT_NAME}")
    seconds = time.monotonic() - began
    each = f" ({seconds / report.engraved:.2f} s per engraved piece)" if report.engraved else ""
    print(f"{seconds:.1f} s{each}, in {options.destination}")
    if report.refused:
        raise UserError(
            f"--audio {options.performances.recordings}: not used for {counted(len(report.refused), 'piece')} (the first: "
            f"{report.refused[0]}), for the reasons above; the score is played instead"
        )


def fetch(arguments: argparse.Namespace) -> None:
    """Fetch the published files; if their servers are gone, list what can be made instead."""
    try:
        report = fetch_published(arguments.destination, arguments.archive, arguments.mirror)
    except PublishedGone as error:
        print("use --archive FILE for any of these that you downloaded yourself:", *list_published(), sep="\n")
        print("collections that can be made from scores instead:", *list_collections(), sep="\n")
        raise UserError(f"{error}; see above for collections that can be made from scores") from None
    for line in report.lines():
        print(line)
    if report.missing:
        raise UserError(f"not fetched: {', '.join(report.missing)}; see above for the reasons")


def _prepare() -> None:
    arguments = make_parser().parse_args()
    name = arguments.collection or ("folder" if arguments.source else PUBLISHED)
    if arguments.list:
        print(
            f"{PUBLISHED:13}the published data sets and weights of 2018 and 2019, if their servers still have them\n"
            f"{'':13}{command_name('sfg-prepare')} --destination DATA_ROOT",
            *list_published(indent=15),
            *list_collections(),
            sep="\n",
        )
    elif arguments.verify is not None:
        report = verify(arguments.verify)
        print("\n".join(report.lines()))
        if report.problems:
            raise UserError(
                f"--verify {arguments.verify}: {counted(len(report.problems), 'problem')}, listed above; "
                + (
                    "run the command of the stopped build again"
                    if report.stopped
                    else "if they are not intentional, remove the affected files and make the set again"
                )
            )
    elif arguments.to_published is not None:
        print("\n".join(to_published(arguments.to_published, arguments.destination, arguments.layout).lines()))
    else:
        require_applicable(arguments, name)
        if name == PUBLISHED:
            fetch(arguments)
        elif not arguments.source:
            raise UserError(f"--source is missing; {name} needs {COLLECTIONS[name].source}")
        else:
            make(arguments, COLLECTIONS[name])


def main() -> None:
    """Entry point. A UserError is printed as one line on stderr; the exit code is 2."""
    with script():
        _prepare()


if __name__ == "__main__":
    main()
