"""The arguments of the scripts that show a game."""

from __future__ import annotations

import argparse

from score_following_game.command_line import add_music_limit


def add_watching_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --data_set, --piece, --video, --no_sound and --max_minutes_of_music."""
    parser.add_argument(
        "--data_set", default="test_sample", help="folder of pieces, or the name of a bundled set (default %(default)s)"
    )
    parser.add_argument("--piece", metavar="NAME", help="the piece's name or a unique part of it (default: a random piece)")
    parser.add_argument(
        "--video", metavar="FILE.mp4", help="write a film with sound instead of opening a window; runs faster than real time"
    )
    add_music_limit(parser)
    parser.add_argument("--no_sound", action="store_true", help="play no sound and write none into the film")
