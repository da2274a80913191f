"""The best parameters of a run so far, and the evaluation that they reached."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from score_following_game.errors import UserError, shown
from score_following_game.evaluation.metrics import AlignmentStats
from score_following_game.reinforcement_learning.run_directory import save_parameters
from score_following_game.run_files import BEST_MODEL_FILE, BEST_SCORE_FILE
from score_following_game.yaml_files import read_yaml, write_yaml


def save_if_best(directory: Path, network: nn.Module, update: int, stats: AlignmentStats) -> None:
    """Write best_model.pt unless an earlier evaluation of the run, before or after a --resume, was as good.

    The better one has the larger R_on; where that is the same, as it is once every piece is followed, the smaller error.
    """
    if _order(stats.global_tracking_ratio, stats.alignment_errors_mean) > _best_so_far(directory):
        print(f"New best model at update {update}", flush=True)
        save_parameters(network, directory / BEST_MODEL_FILE)
        write_yaml(directory / BEST_SCORE_FILE, {"update": update, **asdict(stats)})


def save_until_evaluated(directory: Path, network: nn.Module) -> None:
    """Write best_model.pt if no evaluation has chosen one yet."""
    if not (directory / BEST_SCORE_FILE).exists():
        save_parameters(network, directory / BEST_MODEL_FILE)


def _order(tracked: float, error: float) -> tuple[float, float]:
    """What is larger for the better evaluation: R_on, then the mean error, nan where no onset was played."""
    return tracked, -math.inf if math.isnan(error) else -error


def _best_so_far(directory: Path) -> tuple[float, float]:
    """The _order of the best evaluation so far, or what any surpasses. Raises UserError if the file is unusable."""
    path = directory / BEST_SCORE_FILE
    if not path.exists():
        return -math.inf, -math.inf
    scores = read_yaml(path)
    tracked, error = (_number(scores, key, path) for key in ("global_tracking_ratio", "alignment_errors_mean"))
    if math.isnan(tracked):
        raise _unusable(path, "global_tracking_ratio", tracked)
    return _order(tracked, error)


def _number(scores: dict[str, Any], key: str, path: Path) -> float:
    value = scores.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _unusable(path, key, value)
    return value


def _unusable(path: Path, key: str, value: object) -> UserError:
    return UserError(f"{path}: {key} is {shown(value)}, expected a number; remove the file to start over")
