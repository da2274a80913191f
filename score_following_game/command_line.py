"""Shared by all scripts: their names, error reports of one line with exit code 2, and the arguments about the machine."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from score_following_game.errors import UserError, printable
from score_following_game.limits import MINUTES_OF_MUSIC, MUSIC_LIMIT_HELP, set_minutes_of_music
from score_following_game.machine import DEFAULT_SEED, DEVICE_HELP, THREADS_HELP
from score_following_game.streams import guarded_streams

SCRIPTS = {  # console command of an installation -> script at the top level of the repository
    "sfg-train": "sf_experiment.py",
    "sfg-eval": "eval_score_following.py",
    "sfg-watch": "test_score_following.py",
    "sfg-play": "environment_test.py",
    "sfg-prepare": "prepare_game_data.py",
}
Files = Mapping[str, str | Path | None]  # by option; None where the option is not given


class Parser(argparse.ArgumentParser):
    """The scripts' argument parser. Raises UserError for a wrong argument, so it must be used within `script`."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


def command_name(console_command: str) -> str:
    """One of SCRIPTS as the user types it: `python SCRIPT` if this program is one of the scripts, else the console command."""
    runs_scripts = Path(sys.argv[0]).name in SCRIPTS.values()
    return f"python {SCRIPTS[console_command]}" if runs_scripts else console_command


@contextlib.contextmanager
def script() -> Iterator[None]:
    """Run a script's work with plain log lines. A UserError becomes one line on stderr and exit code 2, Ctrl-C code 130.

    Where standard output is lost, the work is interrupted; it ends with code 141 if its reader has exited, else with code 2.
    """
    with guarded_streams() as output:
        logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO, stream=sys.stderr)
        _end_as_by_interrupt()
        code = 0
        try:
            yield
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            if not (isinstance(error, KeyboardInterrupt) and output.failure):
                code = _reported(error)
        if isinstance(output.failure, BrokenPipeError):  # the reader of our output (head, less) has exited
            code = code or 141
        elif output.failure is not None:
            print(f"error: standard output cannot be written ({output.failure.strerror})", file=sys.stderr)
            code = code or 2
    if code:
        sys.exit(code)


def _reported(error: BaseException) -> int:
    """Print the line for what a script ended with. Returns the exit code; raises the error where it is a defect."""
    if isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    if isinstance(error, UserError):
        message = str(error)
    elif isinstance(error, (MemoryError, RuntimeError)) and _is_out_of_memory(error):
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        message = f"out of memory ({reason}); run fewer games at once (--n_worker, --trials)"
    elif isinstance(error, OSError):  # of the machine: a full disk, a folder that is gone
        message = printable(f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}", 500)
    else:
        raise error
    print(f"error: {message}", file=sys.stderr)
    return 2


def _is_out_of_memory(error: Exception) -> bool:
    """torch reports a lack of memory as RuntimeErrors with different messages."""
    message = str(error).lower()
    signs = ("allocate memory", "out of memory", "storage size calculation overflowed")
    return isinstance(error, MemoryError) or any(words in message for words in signs)


def _end_as_by_interrupt() -> None:
    signal.signal(signal.SIGTERM, _as_interrupt)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup has it ignored
        signal.signal(signal.SIGHUP, _as_interrupt)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """End, and save, as after Ctrl-C; also in the background, where shells make scripts ignore SIGINT."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    if callable(on_interrupt):
        on_interrupt(signal.SIGINT, frame)
    else:
        raise KeyboardInterrupt


class _LimitMusic(argparse.Action):
    """Sets the limit where it is parsed, so that it holds for everything the script reads."""

    def __call__(self, parser: object, namespace: argparse.Namespace, values: Any, option_string: str | None = None) -> None:
        set_minutes_of_music(values)
        setattr(namespace, self.dest, values)


def add_music_limit(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add --max_minutes_of_music, the same for every script that reads music."""
    parser.add_argument(
        "--max_minutes_of_music",
        type=float,
        action=_LimitMusic,
        default=MINUTES_OF_MUSIC,
        metavar="MINUTES",
        help=MUSIC_LIMIT_HELP + " (default %(default)g)",
    )


def add_playing_arguments(parser: argparse.ArgumentParser | argparse._ArgumentGroup, part: str = "the whole score") -> None:
    """Add --part, --repeats and --order, the same for every script that engraves scores. part: the default, in words."""
    parser.add_argument(
        "--part",
        metavar="NAME_OR_NUMBER",
        help="engrave one part of the score (its name, or its number from the top); piano: the two staves of the pianist; "
        f"right, left: one of them (default: {part})",
    )
    parser.add_argument(
        "--repeats",
        choices=("once", "written"),
        default="once",
        help="once: each bar once, of endings the first; written: repeats, endings, da capo, dal segno and coda as written, "
        "with the bars of the sheet in the order in which they sound (default %(default)s)",
    )
    parser.add_argument(
        "--order",
        default="",
        metavar="BARS",
        help="for one score: the bars in the order in which they are played, like 1-8,1-8,9-16",
    )


def add_machine_arguments(parser: argparse.ArgumentParser, seed: int | None = DEFAULT_SEED) -> None:
    """Add --seed, --device and --threads, the same for every script that runs a network."""
    parser.add_argument(
        "--seed",
        type=int,
        default=seed,
        help="seeds every random choice "
        + ("(default: a different seed each time)" if seed is None else "(default %(default)s)"),
    )
    parser.add_argument("--device", default="cpu", help=f"{DEVICE_HELP} (default %(default)s)")
    parser.add_argument("--threads", type=int, default=None, metavar="N", help=THREADS_HELP)


def require_separate_files(outputs: Files, inputs: Files | None = None) -> None:
    """Raise UserError when writing one option's file would overwrite the file of another option.

    Different spellings of a path (relative, `..`, links) count as the same file.
    """
    used = {_real(path): option for option, path in (inputs or {}).items() if path is not None and os.path.isfile(path)}
    for option, path in outputs.items():
        if path is None:
            continue
        other = used.setdefault(_real(path), option)
        if other != option:
            raise UserError(f"{other} and {option} name the same file ({path}); choose another name for {option}")


def warn_without_effect(option: str, reason: str) -> None:
    """One line on stderr. reason: continues "--option has no effect ..."."""
    print(f"warning: {option} has no effect {reason}", file=sys.stderr, flush=True)


def _real(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))
