"""The arguments of the scripts that show a game."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from score_following_game.command_line import add_music_limit, add_playing_arguments
from score_following_game.data_processing.tempo import parse_tempi
from score_following_game.environment.rendering.picture import HEIGHT, WIDTH
from score_following_game.errors import UserError
from score_following_game.watching.listening.sources import MicrophoneWish, parse_audio
from score_following_game.watching.own_score import OwnScore
from score_following_game.watching.setup import PAGE, STRIP, VIEWS

DATA_SET = "test_sample"
LOUDEST_GAIN = 80  # dB
_OF_OWN_SCORES = {"audio": None, "style": None, "part": None, "repeats": "once", "order": "", "tempo": "1.0", "staff": 0}


def add_watching_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --data_set, --piece, --video, --no_sound and --max_minutes_of_music."""
    parser.add_argument(
        "--data_set", default=DATA_SET, help=f"folder of pieces, or the name of a bundled set (default {DATA_SET})"
    )
    parser.add_argument("--piece", metavar="NAME", help="the piece's name or a unique part of it (default: a random piece)")
    parser.add_argument(
        "--video", metavar="FILE.mp4", help="write a film with sound instead of opening a window; runs faster than real time"
    )
    add_music_limit(parser)
    parser.add_argument("--no_sound", action="store_true", help="play no sound and write none into the film")


def add_view_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --view and --size; both are None where they are not given."""
    parser.add_argument(
        "--view",
        choices=VIEWS,
        help=f"{PAGE}: the pages of the score, with a cursor; {STRIP}: what the agent sees and hears (default: {PAGE} for a "
        f"score made of pages, else {STRIP})",
    )
    parser.add_argument(
        "--size",
        type=picture_size,
        metavar="WIDTHxHEIGHT",
        help=f"pixels of the pictures with --view {PAGE} (default {WIDTH}x{HEIGHT})",
    )


def picture_size(words: str) -> tuple[int, int]:
    """Width and height from words such as 1920x1080. Raises ArgumentTypeError."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", words)
    if found is None:
        raise argparse.ArgumentTypeError(f"{words!r}: expected pixels, for instance 1920x1080")
    return int(found[1]), int(found[2])


def add_own_score_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --score and what goes with it; --data_set is None where it is not given."""
    parser.set_defaults(data_set=None)
    group = parser.add_argument_group("your own score, instead of a piece of a data set")
    group.add_argument(
        "--score",
        type=Path,
        metavar="FILE",
        help="a score (ABC, MusicXML, MEI, Humdrum, LilyPond), or its pages (PDF, picture, or folder of pictures); it is read "
        "once and kept in your cache folder. Without --params the agent is taken that reads such sheets. --piece chooses a "
        "tune of a book",
    )
    group.add_argument(
        "--audio",
        type=parse_audio,
        metavar="FILE|mic",
        help="a recording of the score, to be followed (default: the score is synthesised), or what is played into a "
        "microphone: mic, mic:NAME_OR_NUMBER for one of several, mic:FILE.wav to rehearse with a recording in real time. "
        "mic also follows a piece of --data_set",
    )
    add_playing_arguments(group)
    group.add_argument("--style", help="nottingham: one staff; msmd: two staves (default: as many as the score has)")
    group.add_argument(
        "--staff", type=int, default=0, metavar="N", help="of pages, follow staff N of each system; 1 is the highest"
    )
    group.add_argument(
        "--tempo",
        default="1.0",
        metavar="FACTOR",
        help="play the synthesised score this many times as fast (default %(default)s)",
    )
    live = parser.add_argument_group("with --audio mic")
    live.add_argument(
        "--gain",
        type=float,
        metavar="DB",
        help="amplify the microphone by so many dB (default: its level is measured and followed)",
    )
    live.add_argument("--record", type=Path, metavar="FILE.wav", help="keep what is heard, also when you leave by Ctrl-C")


def live_wish(args: argparse.Namespace) -> MicrophoneWish | None:
    """The microphone that --audio names, None where it names none. Raises UserError for options that do not go with it."""
    if isinstance(args.audio, MicrophoneWish):
        if args.tempo != "1.0":
            raise UserError(f"--tempo {args.tempo}: a microphone hears what is played; leave --tempo out")
        if args.saliency:
            raise UserError(
                "--saliency goes with a recording: keep one with --record FILE.wav, then follow it: --audio FILE.wav"
            )
        if args.gain is not None and not abs(args.gain) <= LOUDEST_GAIN:
            raise UserError(f"--gain {args.gain:g}: expected dB from -{LOUDEST_GAIN} to {LOUDEST_GAIN}")
        return args.audio
    for name in ("gain", "record"):
        if getattr(args, name) is not None:
            raise UserError(f"--{name} goes with --audio mic, which is missing")
    return None


def own_score(args: argparse.Namespace) -> OwnScore | None:
    """The score that the arguments name, None where they name a data set. Raises UserError where they do not fit together."""
    live = isinstance(args.audio, MicrophoneWish)
    if args.score is None:
        for name, usual in _OF_OWN_SCORES.items():
            if getattr(args, name) != usual and not (name == "audio" and live):
                raise UserError(f"--{name} goes with --score FILE, which is missing")
        return None
    if args.data_set is not None:
        raise UserError(f"--score {args.score} and --data_set {args.data_set}: name one of them")
    tempi = parse_tempi(args.tempo)
    if len(tempi) > 1:
        raise UserError(f"--tempo {args.tempo}: expected one number")
    return OwnScore(
        args.score,
        None if live else args.audio,
        args.piece,
        args.style,
        args.part or "",
        args.repeats,
        args.order,
        tempi[0],
        args.staff,
        live,
    )
