#!/usr/bin/env python
"""Judge agents under the conditions of the real world, beside online time warping and constant speed.

    python benchmarks/real_world.py --data_set DATA/nottingham_test --params nottingham --trials 3
    python benchmarks/real_world.py --data_set DATA/nottingham_test --params nottingham runs/folk/best_model.pt \\
        --recorded DATA/real_violin --font FluidR3_GM.sf2 --json real_world.json

Each piece is played with one thing other than in the data set: instrument, room, noise, level, tuning or timing. Time warping
hears the performance and compares it with the score's own sound, played evenly on the default piano. The intervals are
bootstrapped over pieces.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.command_line import Parser, add_machine_arguments, script
from score_following_game.config import GameConfig
from score_following_game.data_processing.acoustics.conditions import CONDITIONS
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError
from score_following_game.evaluation.baselines import Contestant, baselines
from score_following_game.evaluation.real_world import content, play_conditions, table
from score_following_game.evaluation.report import write_json
from score_following_game.files import require_writable
from score_following_game.machine import prepare_machine


def trained(params: str, arguments: argparse.Namespace) -> tuple[Contestant, GameConfig]:
    """An agent and the game it was made for."""
    net, config = resolve_network_and_config(params, None, None)

    def make(*_: object):
        return load_trained_agent(params, net, config, seed=arguments.seed, precision=arguments.precision)

    return Contestant(Path(params).parent.name or params, make, certain=False), config


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_set", default="test_sample", help="folder of pieces played from MIDI (default %(default)s)")
    parser.add_argument(
        "--params", nargs="+", default=["nottingham"], help="agents, all made for one game (default nottingham)"
    )
    parser.add_argument("--recorded", nargs="*", default=[], metavar="FOLDER", help="sets that are heard as they are")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS), metavar="NAME")
    parser.add_argument("--font", type=Path, metavar="FILE.sf2", help="SoundFont of the instruments (default: pretty_midi's)")
    parser.add_argument("--no_baselines", action="store_true", help="judge the agents only, which takes half the time")
    parser.add_argument("--limit", type=int, metavar="N", help="use only the first N pieces")
    parser.add_argument("--trials", type=int, default=3, help="plays of every piece (default %(default)s)")
    parser.add_argument("--precision", choices=("float32", "bfloat16", "auto"), default="float32")
    parser.add_argument("--json", metavar="FILE", help="write all numbers, per piece and pooled")
    add_machine_arguments(parser)
    arguments = parser.parse_args()
    require_writable(arguments.json)
    if arguments.font:
        require_sound_font(arguments.font)
    prepare_machine(arguments.seed, arguments.device, arguments.threads)
    agents = [trained(params, arguments) for params in arguments.params]
    config = agents[0][1]
    if any(own != config for _, own in agents):
        raise UserError(f"--params {' '.join(arguments.params)}: are made for different games; judge them one after the other")
    contestants = [agent for agent, _ in agents]
    if not arguments.no_baselines:
        contestants += [one for one in baselines(None) if one.name != "optimal"]
    found = play_conditions(
        load_data_set(arguments.data_set, config)[: arguments.limit],
        contestants,
        config,
        conditions=arguments.conditions,
        recorded={Path(folder).name: load_data_set(folder, config) for folder in arguments.recorded},
        trials=arguments.trials,
        seed=arguments.seed,
        font=arguments.font,
    )
    print(table(found))
    if arguments.json:
        write_json(arguments.json, {"about": {"command": shlex.join(sys.argv)}, **content(found)})


if __name__ == "__main__":
    with script():
        main()
