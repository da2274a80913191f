"""The best parameters of a run so far, and the evaluation that they reached."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

from torch import nn

from score_following_game.errors import UserError, shown
from score_following_game.evaluation.metrics import AlignmentStats
from score_following_game.reinforcement_learning.run_directory import save_parameters
from score_following_game.run_files import BEST_MODEL_FILE, BEST_SCORE_FILE
from score_following_game.yaml_files import read_yaml, write_yaml


def save_if_best(directory: Path, network: nn.Module, update: int, stats: AlignmentStats) -> None:
    """Write best_model.pt unless an earlier evaluation of the run, before or after a --resume, was as good."""
    if stats.global_tracking_ratio > saved_score(directory):
        print(f"New best model at update {update}", flush=True)
        save_parameters(network, directory / BEST_MODEL_FILE)
        write_yaml(directory / BEST_SCORE_FILE, {"update": update, **asdict(stats)})


def save_until_evaluated(directory: Path, network: nn.Module) -> None:
    """Write best_model.pt if no evaluation has chosen one yet."""
    if not (directory / BEST_SCORE_FILE).exists():
        save_parameters(network, directory / BEST_MODEL_FILE)


def saved_score(directory: Path) -> float:
    """The tracking ratio of the best evaluation so far, -inf before the first. Raises UserError if the file is unusable."""
    path = directory / BEST_SCORE_FILE
    score = read_yaml(path).get("global_tracking_ratio") if path.exists() else float("-inf")
    if not isinstance(score, (int, float)) or isinstance(score, bool) or math.isnan(score):
        raise UserError(f"{path}: global_tracking_ratio is {shown(score)}, expected a number; remove the file to start over")
    return score
