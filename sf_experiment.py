#!/usr/bin/env python
"""Train a score-following agent."""
from __future__ import annotations

from pathlib import Path

from score_following_game.command_line import Parser, script
from score_following_game.config import load_game_config, parse_game_config, read_yaml
from score_following_game.errors import UserError
from score_following_game.machine import prepare_machine
from score_following_game.reinforcement_learning import settings as knobs
from score_following_game.reinforcement_learning.run_directory import (
    CHECKPOINT_FILE,
    GAME_CONFIG_FILE,
    SETTINGS_FILE,
    create_run_directory,
)
from score_following_game.reinforcement_learning.trainer import Trainer


def main() -> None:
    parser = Parser(description=__doc__)
    knobs.add_arguments(parser)
    parser.add_argument("--resume", metavar="RUN_DIR", help="go on with a run; of the other arguments only "
                        f"{', '.join('--' + name for name in knobs.RESUMABLE)} may be given")
    given = vars(parser.parse_args())
    resume = given.pop("resume")
    trainer = fresh(given) if resume is None else resumed(Path(resume), given)
    print(f"Run directory: {trainer.directory}", flush=True)
    trainer.train()


def fresh(given: dict) -> Trainer:
    settings = knobs.settings_from(given)
    config = load_game_config(settings.game_config)
    prepare_machine(settings.seed, settings.device, settings.threads)
    # Built before its folder is made: a mistake in the arguments leaves nothing behind.
    trainer = Trainer(settings, config, Path())
    trainer.directory = create_run_directory(settings, config)
    return trainer


def resumed(directory: Path, given: dict) -> Trainer:
    if not (directory / CHECKPOINT_FILE).is_file():
        raise UserError(f"--resume {directory}: holds no {CHECKPOINT_FILE}")
    if fixed := sorted(set(given) - set(knobs.RESUMABLE)):
        raise UserError(f"--resume goes on with the run's own settings; leave out --{', --'.join(fixed)}")
    settings = knobs.settings_from({**read_yaml(directory / SETTINGS_FILE), **given}, str(directory / SETTINGS_FILE))
    config = parse_game_config(read_yaml(directory / GAME_CONFIG_FILE), str(directory / GAME_CONFIG_FILE))
    prepare_machine(settings.seed, settings.device, settings.threads)
    return Trainer(settings, config, directory, resume=True)


if __name__ == "__main__":
    with script():
        main()
