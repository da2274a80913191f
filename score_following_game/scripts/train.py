"""Train a score-following agent."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from score_following_game.agents.torch_files import SAFETENSORS
from score_following_game.command_line import Parser, script
from score_following_game.config import load_game_config, parse_game_config
from score_following_game.errors import UserError
from score_following_game.files import locked, remove_leftovers
from score_following_game.machine import prepare_machine
from score_following_game.reinforcement_learning.algorithms.table import algorithm_for
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.processes.process_group import joined
from score_following_game.reinforcement_learning.run_directory import create_run_directory
from score_following_game.reinforcement_learning.settings import (
    PATH_OPTIONS,
    RESUMABLE,
    Settings,
    add_arguments,
    settings_from,
    without_effect,
)
from score_following_game.reinforcement_learning.trainer import Trainer
from score_following_game.run_files import (
    BEST_MODEL_FILE,
    BEST_SCORE_FILE,
    CHECKPOINT_FILE,
    CURVE_FILE,
    GAME_CONFIG_FILE,
    SETTINGS_FILE,
)
from score_following_game.yaml_files import read_yaml

PROCESS_ARGUMENTS = ("threads", *PATH_OPTIONS)  # may differ between the processes of a run


def make_parser() -> Parser:
    parser = Parser(description=__doc__)
    parser.add_argument("--resume", metavar="RUN_DIR", help=f"continue a run; only {_options(RESUMABLE)} may be given with it")
    add_arguments(parser)
    return parser


def _train() -> None:
    given = vars(make_parser().parse_args())
    distributed.require_same(lambda: {key: value for key, value in given.items() if key not in PROCESS_ARGUMENTS})
    resume = given.pop("resume")
    with contextlib.ExitStack() as alone:
        trainer = fresh(given, alone) if resume is None else resumed(Path(resume), given, alone)
        print(f"Run directory: {trainer.directory}", flush=True)
        trainer.train()


def fresh(given: dict[str, Any], alone: contextlib.ExitStack) -> Trainer:
    """A new run from the options given on the command line. Raises UserError before it creates a file.

    alone: the lock of the run directory is held until it is closed.
    """
    settings = settings_from(given)
    config = load_game_config(settings.game_config)
    algorithm_for(settings, config)  # reports a mistake before the thread trial, which takes seconds
    prepare(settings)
    trainer = Trainer(settings, config)
    directory = trainer.directory = distributed.from_first(lambda: create_run_directory(settings, config))
    distributed.from_first(lambda: alone.enter_context(locked(directory)))
    if (idle := without_effect(settings, given)) and distributed.is_first():
        print(f"warning: {'; '.join(idle)}", file=sys.stderr, flush=True)
    return trainer


def resumed(directory: Path, given: dict[str, Any], alone: contextlib.ExitStack) -> Trainer:
    """The run of a directory, at its checkpoint; alone as in `fresh`. Raises UserError if it cannot be continued with the given
    options, or if another process continues it.
    """
    kept, game = distributed.from_first(lambda: read_run(directory))
    if fixed := sorted(set(given) - set(RESUMABLE)):
        raise UserError(f"--resume uses the settings of the run; leave out {_options(fixed)}")
    settings = settings_from({**kept, **given}, str(directory / SETTINGS_FILE))
    config = parse_game_config(game, str(directory / GAME_CONFIG_FILE))
    distributed.from_first(lambda: _take(directory, alone))
    prepare(settings)
    return Trainer(settings, config, directory, resume=True)


def _take(directory: Path, alone: contextlib.ExitStack) -> None:
    """Lock a run directory, and remove what a process that was killed while it wrote has left there."""
    alone.enter_context(locked(directory))
    names = (CHECKPOINT_FILE, BEST_MODEL_FILE, BEST_SCORE_FILE, CURVE_FILE)
    paths = [directory / name for name in names]
    remove_leftovers(*paths, *(path.with_suffix(SAFETENSORS) for path in paths if path.suffix == ".pt"))


def read_run(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the game config of a run directory. Raises UserError if there is no checkpoint in it."""
    if not (directory / CHECKPOINT_FILE).is_file():
        raise UserError(f"--resume {directory}: holds no {CHECKPOINT_FILE}")
    return read_yaml(directory / SETTINGS_FILE), read_yaml(directory / GAME_CONFIG_FILE)


def prepare(settings: Settings) -> None:
    """Seed, choose device and threads, and record the number of threads: a resumed run is exact only with the same number."""
    threads = distributed.share_of_cores(settings.threads)
    if report := prepare_machine(settings.seed, settings.device, threads, trial=True):
        print(report, flush=True)
    distributed.take_device(settings.device)
    settings.threads = torch.get_num_threads()


def _options(names: Iterable[str]) -> str:
    return ", ".join(f"--{name}" for name in names)


def main() -> None:
    """Run the command. A user's mistake is one line on stderr and exit code 2."""
    with script(), joined():
        _train()


if __name__ == "__main__":
    main()
