"""Plot the learning curve of a training run, or compare those of several runs.

python -m score_following_game.evaluation.learning_curve RUN_DIR [RUN_DIR ...] [--out FILE.png]
"""

from __future__ import annotations

import argparse
import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from score_following_game import limits
from score_following_game.errors import UserError, counted
from score_following_game.evaluation.metrics import STATISTICS
from score_following_game.evaluation.plots import new_figure, require_plottable, write_figure
from score_following_game.reading import read_bytes, reading
from score_following_game.run_files import CURVE_FILE, SETTINGS_FILE
from score_following_game.yaml_files import read_yaml


def plot_learning_curve(table: Path, picture: Path) -> None:
    """Plot tracking ratios and error over game steps. Raises UserError as read_curve and plots.write_figure do.

    table: a run's learning_curve.csv.
    """
    rows = read_curve(table)
    steps = [row["steps"] / 1e6 for row in rows]
    figure = new_figure(9, 5.5, dpi=110)
    ratios, error = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for name, label in (
        ("global_tracking_ratio", "R_on: onsets tracked"),
        ("tracked_until_end_ratio", "R_tue: pieces tracked to the end"),
    ):
        ratios.plot(steps, [row[name] for row in rows], marker="o", markersize=3, label=label)
    error.plot(steps, [row["alignment_errors_mean"] for row in rows], color="tab:red", marker="o", markersize=3)
    ratios.set(ylim=(0, 1.02), ylabel="ratio, validation set")
    ratios.legend(loc="best")
    known = [row["alignment_errors_mean"] for row in rows if not math.isnan(row["alignment_errors_mean"])]
    # matplotlib needs a range above 0; an error is nan when nothing was tracked.
    error.set(ylim=(0, 1.1 * max(known, default=0) or 1), ylabel="mean error, px", xlabel="million game steps")
    last = rows[-1]
    trained = counted(round(last["seconds"] / 60), "minute")
    ratios.set_title(f"{table.parent.name}\n{trained} of training", fontsize=9, loc="left")
    for axes in (ratios, error):
        axes.grid(alpha=0.3)
    error.set_xlim(0, 1.05 * steps[-1] or 1)  # a curve of one point has no range of its own
    write_figure(figure, picture)


def compare_learning_curves(tables: Sequence[Path], picture: Path, reference: float | None = None) -> None:
    """Plot the tracking ratio R_on of each run over game steps and over minutes. Raises UserError as plot_learning_curve does.

    reference: a ratio to compare with, drawn as a line.
    """
    figure = new_figure(12, 5.5, dpi=110)
    by_steps, by_time = figure.subplots(1, 2, sharey=True)
    for number, (table, label) in enumerate(zip(tables, run_labels([table.parent for table in tables]), strict=True)):
        rows = read_curve(table)
        ratio = [row["global_tracking_ratio"] for row in rows]
        style: dict[str, Any] = {
            "label": label,
            "marker": "os^D"[number // 10 % 4],
            "markersize": 3,
            "color": f"C{number % 10}",
            "linestyle": "--" if "Continuous" in table.parent.name else "-",
        }
        by_steps.plot([row["steps"] / 1e6 for row in rows], ratio, **style)
        by_time.plot([row["seconds"] / 60 for row in rows], ratio, **style)
    for axes, label in ((by_steps, "million game steps"), (by_time, "minutes of training")):
        widest = max((x for line in axes.lines for x in line.get_xdata()), default=0)
        axes.set_xlim(0, 1.05 * widest or 1)  # one point has no range of its own
        if reference is not None:
            axes.axhline(reference, color="#666666", lw=1, ls=":", label="reference")
        axes.set(ylim=(0, 1.02), xlabel=label)
        axes.grid(alpha=0.3)
    by_steps.set_ylabel("R_on, validation set")
    figure.legend(*by_steps.get_legend_handles_labels(), loc="outside right upper", fontsize=9)
    write_figure(figure, picture)


def run_labels(runs: Sequence[Path]) -> list[str]:
    """Labels of run folders: algorithm and network, and, for runs that share both, the settings in which they differ."""
    plain = [" ".join(run.resolve().name.split("-")[:2]) for run in runs]
    settings = [read_yaml(path) if (path := run / SETTINGS_FILE).is_file() else {} for run in runs]
    return [
        name if Counter(plain)[name] == 1 else f"{name} {_own_settings(own, group) or run.name}"
        for run, name, own in zip(runs, plain, settings, strict=True)
        for group in [[other for other, others in zip(settings, plain, strict=True) if others == name]]
    ]


def _own_settings(own: dict[str, Any], group: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{key} {value}" for key, value in own.items() if any(other.get(key) != value for other in group))


def read_curve(table: Path) -> list[dict[str, float]]:
    """The rows of a run's learning_curve.csv: steps, seconds, and every figure of metrics.STATISTICS.

    Raises UserError when there is no such run, when the file cannot be read, has no row yet, or lacks a column or a number.
    """
    if not table.parent.is_dir():
        raise UserError(f"{table.parent}: no such run folder")
    rows: list[dict[str, str]] = []
    if table.exists():
        with reading(table, "cannot be read"):
            rows = list(csv.DictReader(io.StringIO(read_bytes(table, limits.CURVE_FILE).decode("utf-8"), newline="")))
    if not rows:
        raise UserError(f"{table}: no evaluation has been written yet")
    columns = ("steps", "seconds", *STATISTICS)
    if missing := [name for name in columns if rows[-1].get(name) is None]:
        raise UserError(f"{table}: has no column {missing[0]}; expected a file written by a training run")
    try:
        return [{name: float(row[name]) for name in columns} for row in rows]
    except (TypeError, ValueError):
        raise UserError(f"{table}: holds a value that is not a number; expected a file written by a training run") from None


def make_parser() -> argparse.ArgumentParser:
    from score_following_game.command_line import Parser

    parser = Parser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="+", help="a run's folder in --param_root")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE.png",
        help="the plot (default: learning_curve.png in the run's folder; for several runs ./learning_curves.png)",
    )
    parser.add_argument("--reference", type=float, help="with several runs: draw a line at this R_on, 0 to 1")
    return parser


def main() -> None:
    """Run the command; a user's mistake is one line on stderr and exit code 2."""
    from score_following_game.command_line import script, warn_without_effect

    with script():
        given = make_parser().parse_args()
        require_plottable(given.out, "--out")
        if given.reference is not None and not 0 <= given.reference <= 1:
            raise UserError(f"--reference {given.reference:g}: expected a ratio from 0 to 1")
        if len(given.run) == 1:
            if given.reference is not None:
                warn_without_effect("--reference", "on the plot of a single run")
            out = given.out or given.run[0] / "learning_curve.png"
            plot_learning_curve(given.run[0] / CURVE_FILE, out)
        else:
            out = given.out or Path("learning_curves.png")
            compare_learning_curves([run / CURVE_FILE for run in given.run], out, given.reference)
        print(out)


if __name__ == "__main__":
    main()
