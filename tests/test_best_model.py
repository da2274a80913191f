"""Which evaluation of a run has the best model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from score_following_game.errors import UserError
from score_following_game.evaluation.metrics import AlignmentStats
from score_following_game.reinforcement_learning.best_model import save_if_best


def scores(tracked: float, error: float) -> AlignmentStats:
    return AlignmentStats(tracked, tracked, error, error, 1.0, tracked)


def kept(directory: Path, evaluations: list[tuple[float, float]]) -> int:
    """The number, from 1, of the evaluation whose parameters are the best model."""
    network = nn.Linear(1, 1)
    for number, each in enumerate(evaluations, 1):
        nn.init.constant_(network.bias, number)
        save_if_best(directory, network, number, scores(*each))
    best = int(torch.load(directory / "best_model.pt", weights_only=True)["bias"])
    assert yaml.safe_load((directory / "best_model.yaml").read_text())["update"] == best
    return best


@pytest.mark.parametrize(
    "evaluations, best",
    [
        ([(0.5, 3.0), (0.6, 9.0), (0.55, 1.0)], 2),
        ([(1.0, 3.0), (1.0, 2.5), (1.0, 2.75)], 2),
        ([(0.5, 3.0), (0.5, 3.0)], 1),
        ([(0.0, float("nan")), (0.0, 30.0), (0.0, float("nan"))], 2),
    ],
)
def test_the_best_has_the_largest_r_on_and_of_equal_ones_the_smallest_error(tmp_path: Path, evaluations, best: int):
    assert kept(tmp_path, evaluations) == best


@pytest.mark.parametrize("key", ["global_tracking_ratio", "alignment_errors_mean"])
@pytest.mark.parametrize("value", ["much", None, True])
def test_scores_that_are_no_numbers_are_refused_by_their_name(tmp_path: Path, key: str, value: object):
    kept(tmp_path, [(0.5, 3.0)])
    path = tmp_path / "best_model.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {key: value}))
    with pytest.raises(UserError, match=f"{key} is .*expected a number"):
        kept(tmp_path, [(0.6, 3.0)])
