"""The learning curve of a run as a picture: python -m score_following_game.evaluation.learning_curve RUN_DIR"""
from __future__ import annotations

import csv
from pathlib import Path

from matplotlib.figure import Figure

from score_following_game.errors import UserError
from score_following_game.files import replacing

CURVE_FILE = "learning_curve.csv"


def plot_learning_curve(table: Path, picture: Path) -> None:
    """learning_curve.csv of a run -> png: tracking ratios and error over steps. Raises UserError when there is no row yet."""
    if not table.parent.is_dir():
        raise UserError(f"{table.parent}: no such run folder")
    try:
        with table.open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        rows = []
    if not rows:
        raise UserError(f"{table}: no evaluation has been written yet")
    steps = [float(row["steps"]) / 1e6 for row in rows]
    figure = Figure(figsize=(9, 5.5), dpi=110, layout="constrained")
    ratios, error = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for name, label in (("global_tracking_ratio", "R_on: onsets tracked"),
                        ("tracked_until_end_ratio", "R_tue: pieces tracked to the end")):
        ratios.plot(steps, [float(row[name]) for row in rows], marker="o", markersize=3, label=label)
    error.plot(steps, [float(row["alignment_errors_mean"]) for row in rows], color="tab:red", marker="o", markersize=3)
    ratios.set(ylim=(0, 1.02), ylabel="ratio, validation set")
    ratios.legend(loc="best")
    largest = max(float(row["alignment_errors_mean"]) for row in rows)
    error.set(ylim=(0, 1.1 * largest), ylabel="mean error, px", xlabel="million game steps")
    last = rows[-1]
    ratios.set_title(f"{table.parent.name}\n{float(last['seconds']) / 60:.0f} minutes of training", fontsize=9, loc="left")
    for axes in (ratios, error):
        axes.grid(alpha=0.3)
    with replacing(picture) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    from score_following_game.command_line import Parser, script

    with script():
        parser = Parser(description=__doc__)
        parser.add_argument("run", type=Path, help="a run's folder below --param_root")
        directory = parser.parse_args().run
        plot_learning_curve(directory / CURVE_FILE, directory / "learning_curve.png")
        print(directory / "learning_curve.png")
