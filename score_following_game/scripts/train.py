"""Train a score-following agent."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from score_following_game.command_line import Parser, script
from score_following_game.config import load_game_config, parse_game_config, read_yaml
from score_following_game.errors import UserError
from score_following_game.machine import prepare_machine
from score_following_game.reinforcement_learning import settings as knobs
from score_following_game.reinforcement_learning.algorithms.table import algorithm_for
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.processes.process_group import joined
from score_following_game.reinforcement_learning.run_directory import create_run_directory
from score_following_game.reinforcement_learning.trainer import Trainer
from score_following_game.run_files import CHECKPOINT_FILE, GAME_CONFIG_FILE, SETTINGS_FILE

OWN_ARGUMENTS = ("threads", *knobs.PLACES)  # of several processes each may have its own


def _train() -> None:
    parser = Parser(description=__doc__)
    knobs.add_arguments(parser)
    parser.add_argument(
        "--resume",
        metavar="RUN_DIR",
        help=f"go on with a run; of the other arguments only {', '.join('--' + name for name in knobs.RESUMABLE)} may be given",
    )
    given = vars(parser.parse_args())
    distributed.require_same(lambda: {key: value for key, value in given.items() if key not in OWN_ARGUMENTS})
    resume = given.pop("resume")
    trainer = fresh(given) if resume is None else resumed(Path(resume), given)
    print(f"Run directory: {trainer.directory}", flush=True)
    trainer.train()


def fresh(given: dict) -> Trainer:
    settings = knobs.settings_from(given)
    config = load_game_config(settings.game_config)
    algorithm_for(settings, config)  # a mistake is told before the machine is tried
    prepare(settings)
    # Built before its folder is made: a mistake in the arguments leaves nothing behind.
    trainer = Trainer(settings, config, Path())
    trainer.directory = distributed.from_first(lambda: create_run_directory(settings, config))
    if (idle := knobs.without_effect(settings, given)) and distributed.is_first():
        print(f"--agent {settings.agent} does not go by --{', --'.join(idle)}", file=sys.stderr, flush=True)
    return trainer


def resumed(directory: Path, given: dict) -> Trainer:
    kept, game = distributed.from_first(lambda: read_run(directory))
    if fixed := sorted(set(given) - set(knobs.RESUMABLE)):
        raise UserError(f"--resume goes on with the run's own settings; leave out --{', --'.join(fixed)}")
    settings = knobs.settings_from({**kept, **given}, str(directory / SETTINGS_FILE))
    config = parse_game_config(game, str(directory / GAME_CONFIG_FILE))
    prepare(settings)
    return Trainer(settings, config, directory, resume=True)


def read_run(directory: Path) -> tuple[dict, dict]:
    """The settings and the game config of a run that can be gone on with."""
    if not (directory / CHECKPOINT_FILE).is_file():
        raise UserError(f"--resume {directory}: holds no {CHECKPOINT_FILE}")
    return read_yaml(directory / SETTINGS_FILE), read_yaml(directory / GAME_CONFIG_FILE)


def prepare(settings: knobs.Settings) -> None:
    if told := prepare_machine(settings.seed, settings.device, distributed.share_of_cores(settings.threads), trial=True):
        print(told, flush=True)
    distributed.take_device(settings.device)
    settings.threads = torch.get_num_threads()  # a run is gone on with by as many, and so exactly, unless told otherwise


def main() -> None:
    """The command: a user's mistake is one line on stderr and exit code 2."""
    with script(), joined():
        _train()


if __name__ == "__main__":
    main()
