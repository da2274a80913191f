"""What the sittings of a run leave to those after: the file that --resume goes on from, the best parameters and score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from score_following_game.config import read_yaml
from score_following_game.errors import UserError
from score_following_game.evaluation.metrics import AlignmentStats
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.run_directory import save_parameters, write_yaml
from score_following_game.reinforcement_learning.settings import Settings, require_same
from score_following_game.run_files import BEST_MODEL_FILE, BEST_SCORE_FILE, CHECKPOINT_FILE, SETTINGS_FILE

CHECKPOINT_VERSION = 6  # 4: the states of several processes; 6: steps, LSTM memory

Pieces = Mapping[str, Mapping[str, int]]  # "train_set", "eval_set" -> name -> digest


def read_checkpoint(directory: Path, settings: Settings, pieces: Pieces) -> dict[str, Any]:
    """A run directory's checkpoint, tensors on the CPU.

    Raises UserError when it is unreadable, or was made with other settings, pieces or another number of processes.
    """
    path = directory / CHECKPOINT_FILE
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a missing or broken file, whichever way torch says it
        raise UserError(f"{path}: cannot resume from it ({type(error).__name__})") from None
    if not isinstance(state, dict) or state.get("version") != CHECKPOINT_VERSION:
        raise UserError(f"{path}: is no checkpoint of this version; begin a new run with --ini_params")
    processes = len(state["processes"])
    if processes != distributed.world_size():
        raise UserError(
            f"{path}: is of a run by {processes} process{'es' * (processes > 1)}, not {distributed.world_size()}; "
            f"go on with: {distributed.command(f'--resume {directory}', processes)}"
        )
    require_same(settings, state["settings"], str(directory / SETTINGS_FILE))
    for folder, now in pieces.items():
        if changed := sorted(set(now.items()) ^ set(state["pieces"][folder].items())):
            raise UserError(
                f"{path}: was made with other pieces than {getattr(settings, folder)} holds now (the "
                f"first that differs: {changed[0][0]}); begin a new run with --ini_params"
            )
    return state


def keep_if_best(directory: Path, network: nn.Module, update: int, stats: AlignmentStats) -> None:
    """Write best_model.pt where no evaluation of any sitting was better, also of those that only ended one."""
    if stats.global_tracking_ratio > saved_score(directory):
        print(f"New best model at update {update}", flush=True)
        save_parameters(network, directory / BEST_MODEL_FILE)
        write_yaml(directory / BEST_SCORE_FILE, {"update": update, **asdict(stats)})


def saved_score(directory: Path) -> float:
    """The tracking ratio of the best evaluation so far, -inf before the first. Raises UserError where the file is no such."""
    path = directory / BEST_SCORE_FILE
    score = read_yaml(path).get("global_tracking_ratio") if path.exists() else float("-inf")
    if not isinstance(score, (int, float)):
        raise UserError(f"{path}: global_tracking_ratio is {score!r}, wanted a number; remove the file to begin anew")
    return score
