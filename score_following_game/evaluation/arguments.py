"""The arguments of an evaluation, and what cannot work or has no effect among them."""

from __future__ import annotations

import argparse
from pathlib import Path

from score_following_game.agents.inference import PRECISIONS
from score_following_game.agents.loading import WITHOUT_CHOICE, is_localisation, is_reading
from score_following_game.agents.shipped import shipped_agents
from score_following_game.command_line import (
    add_machine_arguments,
    add_music_limit,
    require_separate_files,
    warn_without_effect,
)
from score_following_game.errors import UserError
from score_following_game.evaluation.html_report import NAME as PAGE
from score_following_game.evaluation.metrics import UNITS
from score_following_game.evaluation.plots import require_plottable
from score_following_game.evaluation.robustness import DEFAULT_FONT
from score_following_game.files import require_writable


def add_evaluation_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all arguments: the agent, what it plays, and what is printed and written."""
    parser.add_argument(
        "--params",
        help="parameter file, for instance params/RUN/best_model.pt, or the short name of an agent "
        f"that comes with the project ({', '.join(shipped_agents())})",
    )
    parser.add_argument("--net", help="network (default: read from the run folder of --params)")
    parser.add_argument("--game_config", help="game config (default: read from the run folder of --params)")
    parser.add_argument("--data_set", default="test_sample", help="folder of pieces, or a bundled set (default %(default)s)")
    parser.add_argument("--piece", help="evaluate only this piece: its name or a unique part of it")
    parser.add_argument("--trials", type=int, default=1, help="plays of every piece; 10 in the papers (default %(default)s)")
    parser.add_argument("--deterministic", action="store_true", help="take the most probable action; the papers sample")
    parser.add_argument(
        "--tempo",
        default="1.0",
        metavar="LIST",
        help="tempo factors of the MIDI performances, like 0.5,0.75,1.0,1.25 (default %(default)s)",
    )
    parser.add_argument(
        "--sound_font",
        nargs="+",
        default=[DEFAULT_FONT],
        metavar="FILE.sf2",
        help=f"SoundFonts of the MIDI performances ({DEFAULT_FONT}: the set's own, else pretty_midi's); "
        "with several fonts or tempi one row each is printed, the mean over trials",
    )
    parser.add_argument(
        "--unit",
        choices=UNITS,
        default="px",
        help="unit of the printed errors (default %(default)s, as in 2018; cm refers to the printed page of the MSMD)",
    )
    parser.add_argument(
        "--shares",
        action="store_true",
        help="also print the shares of all onsets followed within 0.05 to 5 seconds; onsets not tracked count as misses",
    )
    parser.add_argument(
        "--intervals",
        action="store_true",
        help="also print in which range R_tue and R_on lie in 95 %% of resamples of the pieces",
    )
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="print a table of the agent and the baselines: constant speed, supervised localisation, "
        "online time warping of the sound, and the optimal agent",
    )
    parser.add_argument(
        "--localisation",
        metavar="FILE",
        help="parameters of the supervised baseline (default: the project's own; beside a reading agent that agent's network, "
        "which then places the music without a belief)",
    )
    parser.add_argument("--header", action="store_true", help="print a line above the rows that says what the columns are")
    parser.add_argument("--plot", metavar="FILE.png", help="plot histograms of the onsets' errors, for each printed row")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="arithmetic of the networks (default %(default)s)",
    )
    parser.add_argument("--csv", metavar="FILE", help="write one row per piece and trial, with errors in every unit")
    parser.add_argument("--json", metavar="FILE", help="write all results: per piece, per trial, and their means")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write DIR/report.html, a page to look through that needs no network: tables with intervals, histograms and the "
        "course of each piece, films of the pieces that were followed best and worst",
    )
    add_music_limit(parser)
    add_machine_arguments(parser)


def check_arguments(arguments: argparse.Namespace) -> None:
    """Raise UserError for arguments that cannot work, before anything is loaded."""
    if not arguments.params and not arguments.baselines:
        raise UserError(
            f"--params is missing: give an agent that comes with the project ({', '.join(shipped_agents())}), or a parameter "
            "file, for instance params/RUN/best_model.pt"
        )
    if arguments.localisation is not None and not arguments.baselines:
        raise UserError("--localisation sets the supervised baseline of --baselines: give both")
    if arguments.trials < 1:
        raise UserError(f"--trials {arguments.trials}: expected at least 1")
    page = arguments.report / PAGE if arguments.report else None
    require_writable(arguments.csv, arguments.json, page)
    require_plottable(arguments.plot)
    require_separate_files(
        {"--csv": arguments.csv, "--json": arguments.json, "--plot": arguments.plot, "--report": page},
        {
            "--params": arguments.params,
            "--localisation": arguments.localisation,
            "--game_config": arguments.game_config,
            **{f"--sound_font {font}": font for font in arguments.sound_font},
        },
    )


def report_unused_options(arguments: argparse.Namespace) -> None:
    """Warn of options that cannot change the results of the agents that play."""
    repeated = arguments.trials > 1
    if not arguments.params:
        if arguments.net is not None:
            warn_without_effect("--net", "without --params")
        if arguments.deterministic:
            warn_without_effect("--deterministic", "without --params: the baselines are always deterministic")
        if repeated:
            warn_without_effect("--trials", "without --params: the baselines are deterministic and played once")
        return
    localises = is_localisation(arguments.params)
    if localises and arguments.deterministic:
        warn_without_effect("--deterministic", WITHOUT_CHOICE["localisation"])
    reads = is_reading(arguments.params)
    if reads and arguments.deterministic:
        warn_without_effect("--deterministic", WITHOUT_CHOICE["reading"])
    if repeated and not reads and (localises or arguments.deterministic):
        warn_without_effect("--trials", "on a deterministic agent: its trials are all the same")
