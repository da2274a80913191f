"""Make game data (sheet images, notehead positions, MIDI) from music scores.

    python prepare_game_data.py --source my_scores --destination my_data
    python prepare_game_data.py --source tunes.abc --destination data/tunes --name tunes --split 0.8/0.1/0.1 --check
"""
from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from score_following_game.command_line import Parser, script
from score_following_game.data_processing.engraving.style import STYLES
from score_following_game.data_processing.sources.build import LEFT_OUT_NAME, BuildOptions, build
from score_following_game.data_processing.sources.find import SUFFIXES
from score_following_game.data_processing.sources.split import parse_split
from score_following_game.errors import UserError
from score_following_game.machine import available_cores


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", nargs="+", type=Path, metavar="FILE_OR_FOLDER",
                        help=f"scores ({', '.join(SUFFIXES)}); folders are searched recursively")
    parser.add_argument("--destination", "--destination_dir", type=Path, default=Path(), metavar="DIR",
                        help="where NAME.npz and NAME.mid go (default: here)")
    parser.add_argument("--style", choices=sorted(STYLES), default="nottingham",
                        help="nottingham: one staff, 40 px high; msmd: two staves, 200 px high (default %(default)s)")
    parser.add_argument("--split", metavar="RULE", help="make DIR/NAME_train, _valid and _test: pieces like 187/63/46, or "
                        "shares like 0.8/0.1/0.1; pieces are ranked by a hash of their melody")
    parser.add_argument("--name", default="", help="NAME of the split's folders (default: the name of DIR)")
    parser.add_argument("--min_seconds", type=float, default=0.0, metavar="S", help="leave out shorter pieces (default 0)")
    parser.add_argument("--max_seconds", type=float, default=math.inf, metavar="S", help="leave out longer pieces")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N sources, in name order")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: the cores this process may use)")
    parser.add_argument("--time_limit", type=float, default=120.0, metavar="S",
                        help="give a piece up after S seconds of engraving (default 120)")
    parser.add_argument("--check", action="store_true", help="also write DIR/check/NAME.png, a marker on every notehead")
    return parser.parse_args()


def options_from(arguments: argparse.Namespace) -> BuildOptions:
    """The arguments, checked."""
    for flag, least in (("jobs", 1), ("limit", 1), ("min_seconds", 0), ("max_seconds", 0), ("time_limit", 1)):
        value = getattr(arguments, flag)
        if value is not None and not value >= least:
            raise UserError(f"--{flag} {value}: wanted at least {least}")
    if arguments.min_seconds > arguments.max_seconds:
        raise UserError(f"--min_seconds {arguments.min_seconds:g} is more than --max_seconds {arguments.max_seconds:g}")
    if arguments.destination.exists() and not arguments.destination.is_dir():
        raise UserError(f"--destination {arguments.destination}: a file is there, wanted a folder")
    if Path(arguments.name).name != arguments.name:
        raise UserError(f"--name {arguments.name}: wanted a name, not a path")
    return BuildOptions(
        destination=arguments.destination, style=arguments.style, split=arguments.split and parse_split(arguments.split),
        name=arguments.name or arguments.destination.resolve().name, jobs=arguments.jobs or available_cores(),
        check=arguments.check, min_seconds=arguments.min_seconds, max_seconds=arguments.max_seconds, limit=arguments.limit,
        time_limit=arguments.time_limit)


def main() -> None:
    arguments = parse_arguments()
    if not arguments.source:
        raise UserError("--source is missing: downloads of the published archives and named collections are not in this "
                        "version; build from your own scores: python prepare_game_data.py --source MY_SCORES --destination DIR")
    options = options_from(arguments)
    began = time.monotonic()
    try:
        report = build(arguments.source, options)
    except KeyboardInterrupt:
        print("stopped; finished pieces are kept: run the same command again to go on")
        raise
    for line in report.lines():
        print(line)
    if report.left_out:
        print(f"the full list: {options.destination / LEFT_OUT_NAME}")
    print(f"{time.monotonic() - began:.1f} s, in {options.destination}")


if __name__ == "__main__":
    with script():
        main()
