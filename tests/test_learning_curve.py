"""Learning curves as pictures."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest
from matplotlib.axes import Axes

from score_following_game.errors import UserError
from score_following_game.evaluation.learning_curve import compare_learning_curves, plot_learning_curve, run_labels
from score_following_game.evaluation.metrics import AlignmentStats
from score_following_game.reinforcement_learning.logger import add_to_curve
from score_following_game.run_files import CURVE_FILE, SETTINGS_FILE
from score_following_game.yaml_files import write_yaml


def write_curve(run: Path, ratios: Sequence[float], error: float = 3.0, **settings: object) -> None:
    run.mkdir()
    for number, ratio in enumerate(ratios, 1):
        stats = AlignmentStats(ratio, ratio, error, error, error, ratio)
        add_to_curve(run / CURVE_FILE, number, number * 1000, number * 60, stats)
    if settings:
        write_yaml(run / SETTINGS_FILE, settings)


def test_runs_of_one_name_are_told_apart_by_their_settings(tmp_path: Path):
    for name, settings in (("ppo-Net-a", {"lr": 1, "seed": 1}), ("ppo-Net-b", {"lr": 2, "seed": 1}), ("a2c-Net-c", {"lr": 2})):
        write_curve(tmp_path / name, [0.5], **settings)
    assert run_labels([tmp_path / name for name in ("ppo-Net-a", "ppo-Net-b", "a2c-Net-c")]) == [
        "ppo Net lr 1",
        "ppo Net lr 2",
        "a2c Net",
    ]


@pytest.mark.filterwarnings("error")
def test_a_learning_curve_without_an_error_is_drawn(tmp_path: Path):
    write_curve(tmp_path / "lost", [0.0, 0.0], math.nan)
    plot_learning_curve(tmp_path / "lost" / CURVE_FILE, tmp_path / "lost.png")
    assert (tmp_path / "lost.png").is_file()
    (tmp_path / "lost" / CURVE_FILE).write_text("update,loss\n1,2\n")
    with pytest.raises(UserError, match="has no column steps; expected a file written by a training run"):
        plot_learning_curve(tmp_path / "lost" / CURVE_FILE, tmp_path / "no.png")


def test_learning_curves_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, ratios in (("ppo-ScoreFollowingNet-set-x_1_2-me", (0.1, 0.9)), ("a2c-NetContinuous-set-x_1_2-me", (0.2,))):
        write_curve(tmp_path / name, ratios)
    drawn = []
    monkeypatch.setattr(Axes, "plot", lambda axes, x, y, **style: drawn.append((list(x), list(y), style["label"])))
    tables = [folder / CURVE_FILE for folder in sorted(tmp_path.iterdir())]
    compare_learning_curves(tables, tmp_path / "both.png", reference=0.5)
    assert drawn == [
        ([0.001], [0.2], "a2c NetContinuous"),
        ([1.0], [0.2], "a2c NetContinuous"),
        ([0.001, 0.002], [0.1, 0.9], "ppo ScoreFollowingNet"),
        ([1.0, 2.0], [0.1, 0.9], "ppo ScoreFollowingNet"),
    ]
    assert cv2.imread(str(tmp_path / "both.png")).shape[1] > 1000
    with pytest.raises(UserError, match="no such run folder"):
        compare_learning_curves([tmp_path / "none" / CURVE_FILE], tmp_path / "no.png")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--out", "x.foo"), "--out x.foo: expected a name that ends in .png"),
        (("--out", "tests.png/.."), "--out tests.png/..: expected a name"),
        (("--out", "/proc/none/x.png"), "--out /proc/none/x.png: cannot be written"),
        (("--reference", "nan"), "--reference nan: expected a ratio from 0 to 1"),
    ],
)
def test_mistakes_are_one_line(run_here, tmp_path: Path, more: tuple, message: str):
    write_curve(tmp_path / "run", [0.5])
    result = run_here("score_following_game/evaluation/learning_curve.py", tmp_path / "run", *more)
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1), result.stderr
    assert message in result.stderr


def test_a_damaged_curve_is_one_line(run_here, tmp_path: Path):
    write_curve(tmp_path / "run", [0.5])
    table = tmp_path / "run" / CURVE_FILE
    for damaged in (table.read_text().replace("0.5", "half"), "\0\udcff"):
        table.write_bytes(damaged.encode(errors="surrogateescape"))
        result = run_here("score_following_game/evaluation/learning_curve.py", tmp_path / "run")
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1), result.stderr


def test_a_reference_for_a_single_run_is_reported(run_here, tmp_path: Path):
    write_curve(tmp_path / "run", [0.5])
    result = run_here("score_following_game/evaluation/learning_curve.py", tmp_path / "run", "--reference", 0.5)
    assert (result.returncode, (tmp_path / "run" / "learning_curve.png").is_file()) == (0, True)
    assert result.stderr == "warning: --reference has no effect on the plot of a single run\n"
