"""Evaluate a trained agent: tracking ratios and alignment errors on a data set, and how robust they are."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from score_following_game.agents.agents import Agent
from score_following_game.agents.inference import PRECISIONS
from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.command_line import Parser, add_machine_arguments, script
from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, config_as_dict, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.tempo import parse_tempi
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.alignment_plots import plot_error_histograms
from score_following_game.evaluation.baselines import LOCALISATION, Contestant, baselines, supervised
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.metrics import UNITS
from score_following_game.evaluation.plots import require_plottable
from score_following_game.evaluation.report import write_csv, write_json
from score_following_game.evaluation.results import Results
from score_following_game.evaluation.robustness import (
    DEFAULT_FONT,
    Condition,
    agent_content,
    agent_rows,
    all_conditions,
    by_label,
    comparison_table,
    condition_content,
    condition_rows,
    play_conditions,
    report,
)
from score_following_game.files import require_writable
from score_following_game.machine import prepare_machine


def _run() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--params",
        help="parameter file, for instance params/RUN/best_model.pt, or the short name of an agent "
        "that comes with the project: nottingham, localisation",
    )
    parser.add_argument("--net", help="network (default: the one the parameter file belongs to)")
    parser.add_argument("--game_config", help="game config (default: the one the parameter file belongs to)")
    parser.add_argument("--data_set", default="test_sample_clip", help="folder with the pieces (default %(default)s)")
    parser.add_argument("--piece", help="evaluate this piece only: its name or a unique part of it")
    parser.add_argument("--trials", type=int, default=1, help="the papers use 10 (default %(default)s)")
    parser.add_argument("--deterministic", action="store_true", help="play the likeliest action; the papers sample")
    parser.add_argument(
        "--tempo",
        default="1.0",
        metavar="LIST",
        help="play the MIDI performances at these times their speed, like 0.5,0.75,1.0,1.25 (default %(default)s)",
    )
    parser.add_argument(
        "--sound_font",
        nargs="+",
        default=[DEFAULT_FONT],
        metavar="FILE.sf2",
        help="SoundFonts for MIDI "
        f"performances ({DEFAULT_FONT}: the set's own, else pretty_midi's); with several fonts or tempi a row "
        "for each is printed, the mean over trials",
    )
    parser.add_argument(
        "--unit",
        choices=UNITS,
        default="px",
        help="of the errors printed (default %(default)s, as in 2018; cm of the MSMD's printed page)",
    )
    parser.add_argument(
        "--shares",
        action="store_true",
        help="print also the shares of all onsets within 0.05 to 5 seconds; an onset that was not tracked is a miss",
    )
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="print a table with the baselines beside the agent: one speed "
        "for all, the supervised localisation, online time warping of the sound, and the optimal agent",
    )
    parser.add_argument(
        "--localisation", metavar="FILE", help="parameters of the supervised baseline (default: the project's own)"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="draw how many onsets had which error, for each row printed")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="arithmetic (default %(default)s)")
    parser.add_argument("--csv", metavar="FILE", help="write a row per piece and trial, errors in every unit")
    parser.add_argument("--json", metavar="FILE", help="write everything, also as means per trial")
    add_machine_arguments(parser)
    evaluate(parser.parse_args())


def evaluate(arguments: argparse.Namespace) -> None:
    if not arguments.params and not arguments.baselines:
        raise UserError("--params is missing: the parameter file to evaluate, for instance params/RUN/best_model.pt")
    if arguments.localisation and not arguments.baselines:
        raise UserError("--localisation names the supervised one of --baselines: give both")
    if arguments.trials < 1:
        raise UserError(f"--trials {arguments.trials}: wanted at least 1")
    require_writable(arguments.csv, arguments.json)
    require_plottable(arguments.plot)
    prepare_machine(arguments.seed, arguments.device, arguments.threads)
    conditions = all_conditions(parse_tempi(arguments.tempo), arguments.sound_font)
    net, config = network_and_config(arguments)
    contestants = [
        *([trained(arguments, net, config)] if arguments.params else []),
        *(baselines(localisation(arguments, config)) if arguments.baselines else []),
    ]
    if contestants[0].name in [contestant.name for contestant in contestants[1:]]:
        contestants[0] = replace(contestants[0], name=arguments.params)
    results = {condition: play_under(condition, contestants, config, arguments) for condition in conditions}
    played = {
        contestant.name: play_conditions(conditions, lambda condition, name=contestant.name: results[condition][name])
        for contestant in contestants
    }
    first = next(iter(played.values()))
    print(
        comparison_table(played, arguments.unit, arguments.shares)
        if arguments.baselines
        else report(first, arguments.unit, arguments.shares)
    )
    if arguments.csv:
        write_csv(arguments.csv, agent_rows(played) if arguments.baselines else condition_rows(first))
    if arguments.json:
        content = agent_content(played) if arguments.baselines else condition_content(first)
        write_json(arguments.json, {"about": about(arguments, net, config), **content})
    if arguments.plot:
        plot_error_histograms(by_label(played), config.threshold, arguments.plot)


def network_and_config(arguments: argparse.Namespace) -> tuple[str | None, GameConfig]:
    if arguments.params:
        return resolve_network_and_config(arguments.params, arguments.net, arguments.game_config)
    return None, load_game_config(arguments.game_config or DEFAULT_GAME_CONFIG)


def trained(arguments: argparse.Namespace, net: str, config: GameConfig) -> Contestant:
    """The agent of --params. Each condition has one of its own: its random choices are those it would have alone."""

    def make(_pieces: Sequence[Piece], _config: GameConfig) -> Agent:
        return load_trained_agent(
            arguments.params,
            net,
            config,
            seed=arguments.seed,
            device=arguments.device,
            deterministic=arguments.deterministic,
            precision=arguments.precision,
        )

    return Contestant(Path(arguments.params).parent.name or str(arguments.params), make, certain=False)


def localisation(arguments: argparse.Namespace, config: GameConfig) -> Contestant | None:
    """The supervised baseline of --localisation; the one that comes with the project is left out of games it does not fit."""
    params = arguments.localisation or LOCALISATION
    try:
        return supervised(params, resolve_network_and_config(params)[0], config, arguments.device, arguments.precision)
    except UserError as error:
        if arguments.localisation:
            raise
        print(
            f"no row for localisation ({error}); sf_experiment.py --agent localisation trains one, --localisation names it",
            file=sys.stderr,
        )
        return None


def play_under(
    condition: Condition,
    contestants: Sequence[Contestant],
    config: GameConfig,
    arguments: argparse.Namespace,
) -> dict[str, Results]:
    """The data set, loaded once for a condition, played by each contestant, by its name."""
    pieces = load_data_set(arguments.data_set, config, arguments.piece, condition.sound_font, condition.tempo)
    banks, found = {}, {}
    for contestant in contestants:
        agent = contestant.make(pieces, config)
        rules = agent.rules(config)
        if rules not in banks:
            banks[rules] = ScoreBank(pieces, rules, arguments.device)
        trials = 1 if contestant.certain else arguments.trials
        found[contestant.name] = Results.of(play_data_set(agent, banks[rules], trials, progress=True), banks[rules])
    return found


def about(arguments: argparse.Namespace, net: str, config: GameConfig) -> dict[str, Any]:
    """How the figures were made."""
    localisation = (arguments.localisation or LOCALISATION) if arguments.baselines else None
    return {
        "command": shlex.join(sys.argv),
        **vars(arguments),
        "localisation": localisation,
        "net": net,
        "game_config": config_as_dict(config),
    }


def main() -> None:
    """The command: a user's mistake is one line on stderr and exit code 2."""
    with script():
        _run()


if __name__ == "__main__":
    main()
