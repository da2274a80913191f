"""The training run of the demo: the fast preset, made shorter, and a progress bar."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from score_following_game.config import GameConfig
from score_following_game.evaluation.learning_curve import read_curve
from score_following_game.machine import prepare_machine
from score_following_game.reinforcement_learning.run_directory import create_run_directory
from score_following_game.reinforcement_learning.settings import Settings, settings_from
from score_following_game.reinforcement_learning.trainer import Trainer
from score_following_game.run_files import CURVE_FILE

# The preset is tuned for half an hour. In a few minutes: smaller minibatches, a higher learning rate, an average that forgets
# sooner, starts off the music, more evaluations, each of several trials, since with one the few validation tunes say little.
FOR_MINUTES = {
    "batch_size": 1,
    "optim_params": {"lr": 3e-3, "betas": (0.9, 0.999)},
    "averaging": 0.88,
    "random_offset": 25.0,
    "eval_interval": 20,
    "eval_trials": 4,
    "log_interval": 20,
}
# How many steps the minutes hold depends on the machine, so that the run cools by time. It would be cold after COOLING times
# its minutes: in a run that was cold at its end validation R_on fell from 0.71 to 0.58 in the last minute.
COOLING = 3.0
LOOK_SECONDS = 0.5  # between two looks at the run


def settings_for(output: Path, minutes: float, threads: int) -> Settings:
    """The settings of a run of so many minutes on the tunes in output/data."""
    return settings_from(
        {
            "preset": "fast",
            **FOR_MINUTES,
            "anneal_minutes": COOLING * minutes,
            "train_set": str(output / "data" / "train"),
            "eval_set": str(output / "data" / "valid"),
            "param_root": str(output / "params"),
            "log_root": str(output / "runs"),
            "max_minutes": minutes,
            "threads": threads,
        }
    )


def train(settings: Settings, config: GameConfig, log: Path) -> Path:
    """Train, with what the trainer prints in the file `log`. Returns the run's directory."""
    prepare_machine(settings.seed, settings.device, settings.threads)
    print(f"   (its log: {log})", flush=True)
    with log.open("w", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        trainer = Trainer(settings, config)
        trainer.directory = create_run_directory(settings, config)
    with _progress(trainer), log.open("a", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        trainer.train()
    if trainer.watch.seconds < 60 * (settings.max_minutes or 0):
        print(f"   stopped after {trainer.watch.seconds:.0f} s; going on with what it has learnt", flush=True)
    return trainer.directory


@contextlib.contextmanager
def _progress(trainer: Trainer) -> Iterator[None]:
    """Show the seconds of training and the latest R_on: a bar, or, not on a terminal, a line for each evaluation."""
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(trainer, ended, sys.stdout), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(trainer: Trainer, ended: threading.Event, out: TextIO) -> None:
    assert trainer.directory is not None
    seconds = 60 * (trainer.settings.max_minutes or 0)
    told = 0
    layout = "   {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of training{postfix}"
    with tqdm(total=seconds, disable=None, bar_format=layout) as bar:
        last = False
        while not last:
            last = ended.wait(LOOK_SECONDS)  # after the end once more, for the last evaluation
            curve = curve_so_far(trainer.directory)
            bar.n = min(trainer.watch.seconds, seconds)
            bar.set_postfix_str(f"R_on {curve[-1][1]:.2f}" if curve else "R_on not measured yet")
            for when, ratio in curve[told:] if bar.disable else ():
                print(f"   {when:4.0f} s: R_on {ratio:.2f}", file=out, flush=True)
            told = len(curve)


def curve_so_far(directory: Path) -> list[tuple[float, float]]:
    """(seconds of training, R_on) of each evaluation of a run."""
    table = directory / CURVE_FILE  # complete at any time: it is replaced, not written to
    return [(row["seconds"], row["global_tracking_ratio"]) for row in read_curve(table)] if table.exists() else []
