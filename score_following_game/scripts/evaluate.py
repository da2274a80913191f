"""Evaluate a trained agent on a data set: tracking ratios and alignment errors, also at other tempi and with other fonts."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from score_following_game.agents.agents import Agent
from score_following_game.agents.fitting import require_fitting
from score_following_game.agents.loading import (
    is_reading,
    load_trained_agent,
    resolve_network_and_config,
)
from score_following_game.command_line import (
    Parser,
    command_name,
    script,
    warn_without_effect,
)
from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, config_as_dict, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.tempo import parse_tempi
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.alignment_plots import plot_error_histograms
from score_following_game.evaluation.arguments import add_evaluation_arguments, check_arguments, report_unused_options
from score_following_game.evaluation.baselines import LOCALISATION, Contestant, baselines, supervised
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.excerpts import excerpt
from score_following_game.evaluation.html_report import best_and_worst, write_report
from score_following_game.evaluation.report import columns, write_csv, write_json
from score_following_game.evaluation.results import Results
from score_following_game.evaluation.robustness import (
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
from score_following_game.machine import prepare_machine

FILMED = 2  # best and worst pieces each, in a report


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(description=__doc__)
    add_evaluation_arguments(parser)
    return parser


def evaluate(arguments: argparse.Namespace) -> None:
    """Play, print and write what the arguments ask for. Raises UserError."""
    check_arguments(arguments)
    prepare_machine(arguments.seed, arguments.device, arguments.threads)
    conditions = all_conditions(parse_tempi(arguments.tempo), arguments.sound_font)
    net, config = network_and_config(arguments)
    report_unused_options(arguments)
    contestants = [
        *([trained(arguments, net, config)] if net is not None else []),
        *(baselines(localisation(arguments, config)) if arguments.baselines else []),
    ]
    if contestants[0].name in [contestant.name for contestant in contestants[1:]]:
        contestants[0] = replace(contestants[0], name=arguments.params)
    results = {condition: play_under(condition, contestants, config, arguments) for condition in conditions}
    played: dict[str, dict[Condition, Results]] = {}
    for contestant in contestants:
        own = {condition: found[contestant.name] for condition, found in results.items()}
        played[contestant.name] = play_conditions(conditions, own.__getitem__)
    first = next(iter(played.values()))
    explain_columns(arguments, is_table=arguments.baselines or len(conditions) > 1)
    print(
        comparison_table(played, arguments.unit, arguments.shares, arguments.intervals)
        if arguments.baselines
        else report(first, arguments.unit, arguments.shares, arguments.intervals)
    )
    if arguments.csv:
        write_csv(arguments.csv, agent_rows(played) if arguments.baselines else condition_rows(first))
    if arguments.json:
        content = agent_content(played) if arguments.baselines else condition_content(first)
        write_json(arguments.json, {"about": about(arguments, net, config), **content})
    if arguments.plot:
        plot_error_histograms(by_label(played), config.threshold, arguments.plot)
    if arguments.report:
        write_page(arguments, contestants[0], conditions[0], played, config)


def write_page(
    arguments: argparse.Namespace,
    contestant: Contestant,
    condition: Condition,
    played: Mapping[str, Mapping[Condition, Results]],
    config: GameConfig,
) -> None:
    """Write the page of --report, with films of new games of a contestant under a condition."""
    results = by_label(played)
    films = []
    best, worst = best_and_worst(next(iter(results.values())), FILMED)
    for name in (*best, *worst):
        pieces = load_data_set(arguments.data_set, config, name, condition.sound_font, condition.tempo)
        films.append(excerpt(contestant.make(pieces, config), pieces[0], config, arguments.device))
    facts = {"command": shlex.join(sys.argv), "data set": str(arguments.data_set), "trials": str(arguments.trials)}
    heading = f"{contestant.name} on {Path(arguments.data_set).name}"
    path = write_report(arguments.report, heading, facts, results, config.threshold, config.spectrogram_params.fps, films)
    print(f"Written: {path}", file=sys.stderr, flush=True)


def explain_columns(arguments: argparse.Namespace, is_table: bool) -> None:
    """Say what the columns are: above the rows for --header, else, to a person at a terminal, on stderr.

    is_table: the rows have a header of their own.
    """
    if not is_table and (arguments.header or sys.stdout.isatty()):
        print(columns(arguments.unit), file=sys.stdout if arguments.header else sys.stderr, flush=True)
    elif is_table and arguments.header:
        warn_without_effect("--header", "on a table, which always has one")


def network_and_config(arguments: argparse.Namespace) -> tuple[str | None, GameConfig]:
    """The network's name, None without --params, and the game config."""
    if arguments.params:
        return resolve_network_and_config(arguments.params, arguments.net, arguments.game_config)
    return None, load_game_config(arguments.game_config or DEFAULT_GAME_CONFIG)


def trained(arguments: argparse.Namespace, net: str, config: GameConfig) -> Contestant:
    """The agent of --params. Each condition gets a new one, so that its random choices do not depend on other conditions."""

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
    """The supervised baseline; None when the one that comes with the project does not fit the game.

    Beside a reading agent it is that agent's own network. Raises UserError when the one of --localisation does not fit.
    """
    params = arguments.localisation or localisation_beside(arguments)
    named = (arguments.net, arguments.game_config) if params == arguments.params else (None, None)
    try:
        return supervised(params, resolve_network_and_config(params, *named)[0], config, arguments.device, arguments.precision)
    except UserError as error:
        if arguments.localisation is not None:
            raise
        print(
            f"no row for localisation ({error}); train one with {command_name('sfg-train')} --agent localisation "
            "and give it by --localisation",
            file=sys.stderr,
        )
        return None


def localisation_beside(arguments: argparse.Namespace) -> str:
    """The supervised baseline that nobody chose."""
    return arguments.params if arguments.params and is_reading(arguments.params) else LOCALISATION


def play_under(
    condition: Condition,
    contestants: Sequence[Contestant],
    config: GameConfig,
    arguments: argparse.Namespace,
) -> dict[str, Results]:
    """Load the data set under one condition and let every contestant play it. Returns the results by name."""
    pieces = load_data_set(arguments.data_set, config, arguments.piece, condition.sound_font, condition.tempo)
    report_unused_font(condition, pieces)
    if arguments.params:
        require_fitting(pieces, config, arguments.params)
    banks: dict[GameConfig, ScoreBank] = {}
    found: dict[str, Results] = {}
    for contestant in contestants:
        agent = contestant.make(pieces, config)
        rules = agent.rules(config)
        if rules not in banks:
            banks[rules] = ScoreBank(pieces, rules, arguments.device)
        trials = 1 if contestant.certain else arguments.trials
        found[contestant.name] = Results.of(play_data_set(agent, banks[rules], trials, progress=True), banks[rules])
    return found


def report_unused_font(condition: Condition, pieces: Sequence[Piece]) -> None:
    """Warn of pieces that are not synthesised, so that no sound font changes them."""
    fixed = [piece.name for piece in pieces if piece.source != piece.midi_path]
    if condition.sound_font is not None and fixed:
        warn_without_effect(
            f"--sound_font {condition.sound_font}",
            f"on pieces with a recording or a precomputed spectrogram: {len(fixed)} of {len(pieces)} (the first: {fixed[0]})",
        )


def about(arguments: argparse.Namespace, net: str | None, config: GameConfig) -> dict[str, Any]:
    """The command, arguments, network and game config that gave the results."""
    localisation = (arguments.localisation or localisation_beside(arguments)) if arguments.baselines else None
    return {
        "command": shlex.join(sys.argv),
        **vars(arguments),
        "localisation": localisation,
        "net": net,
        "game_config": config_as_dict(config),
    }


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    with script():
        evaluate(make_parser().parse_args())


if __name__ == "__main__":
    main()
