#!/usr/bin/env python
"""Evaluate a trained agent: tracking ratios and alignment errors on a data set."""
from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from score_following_game.agents.agents import load_trained_agent
from score_following_game.agents.inference import PRECISIONS
from score_following_game.command_line import Parser, add_machine_arguments, script
from score_following_game.config import GameConfig, config_as_dict
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.report import piece_rows, printed_report, write_csv, write_json
from score_following_game.files import require_writable
from score_following_game.machine import prepare_machine
from score_following_game.reinforcement_learning.run_directory import resolve_network_and_config


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--params", help="parameter file, for instance params/RUN/best_model.pt, or the short name of an agent "
                        "that comes with the project: nottingham")
    parser.add_argument("--net", help="network (default: the one the parameter file belongs to)")
    parser.add_argument("--game_config", help="game config (default: the one the parameter file belongs to)")
    parser.add_argument("--data_set", default="test_sample_clip", help="folder with the pieces (default %(default)s)")
    parser.add_argument("--piece", help="evaluate this piece only: its name or a unique part of it")
    parser.add_argument("--trials", type=int, default=1, help="the papers use 10 (default %(default)s)")
    parser.add_argument("--deterministic", action="store_true", help="play the likeliest action; the papers sample")
    parser.add_argument("--sound_font", type=Path, help="SoundFont for MIDI performances (default: pretty_midi's)")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="arithmetic (default %(default)s)")
    parser.add_argument("--csv", metavar="FILE", help="write a row per piece and trial, errors also in seconds")
    parser.add_argument("--json", metavar="FILE", help="write everything, also as means per trial")
    add_machine_arguments(parser)
    evaluate(parser.parse_args())


def evaluate(arguments: argparse.Namespace) -> None:
    if not arguments.params:
        raise UserError("--params is missing: the parameter file to evaluate, for instance params/RUN/best_model.pt")
    if arguments.trials < 1:
        raise UserError(f"--trials {arguments.trials}: wanted at least 1")
    require_writable(arguments.csv, arguments.json)
    prepare_machine(arguments.seed, arguments.device, arguments.threads)
    net, config = resolve_network_and_config(arguments.params, arguments.net, arguments.game_config)
    agent = load_trained_agent(arguments.params, net, config, seed=arguments.seed, device=arguments.device,
                               deterministic=arguments.deterministic, precision=arguments.precision)
    pieces = load_data_set(arguments.data_set, config, arguments.piece, arguments.sound_font)
    bank = ScoreBank(pieces, config, arguments.device)
    trials = play_data_set(agent, bank, arguments.trials, progress=True)
    print(printed_report(trials))
    if arguments.csv:
        write_csv(arguments.csv, piece_rows(trials, bank))
    if arguments.json:
        write_json(arguments.json, trials, bank, about(arguments, net, config))


def about(arguments: argparse.Namespace, net: str, config: GameConfig) -> dict[str, Any]:
    """How the figures were made."""
    values = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    return {"command": shlex.join(sys.argv), **values, "net": net, "game_config": config_as_dict(config)}


if __name__ == "__main__":
    with script():
        main()
