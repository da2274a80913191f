"""Formats results: the printed rows, rows for CSV, content for JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.intervals import interval_cells, intervals
from score_following_game.evaluation.metrics import SHARE_SECONDS, AlignmentStats, mean_stats, onset_shares
from score_following_game.evaluation.results import Results, mean_of, share_names
from score_following_game.files import replacing

SEPARATOR = "-" * 50
DECIMALS = {"px": 2, "cm": 2, "seconds": 3}  # of printed errors; a pixel is a few hundredths of a second


def printed_report(results: Results, unit: str = "px", shares: bool = False, with_intervals: bool = False) -> str:
    """The output of eval_score_following.py: a line per piece (only for a single trial), a row per trial, the mean row.

    unit: of the errors, one of UNITS. shares: append the mean shares of onsets within SHARE_SECONDS.
    with_intervals: append the intervals of R_tue and R_on over the pieces.
    """
    trials, stats = results.episodes[unit], results.stats(unit)
    lines = [piece_line(episode) for episode in trials[0]] if len(trials) == 1 else []
    rows = [latex_row(figures, DECIMALS[unit]) for figures in (*stats, mean_stats(stats))]
    within = shares_lines(mean_of(results.shares())) if shares else []
    ranges = ["R_tue and R_on in 95 % of resamples of the pieces:", _row(interval_cells(results))] if with_intervals else []
    return "\n".join([*lines, *rows[:-1], SEPARATOR, rows[-1], *within, *ranges])


def piece_line(episode: Episode) -> str:
    """The piece's name, padded to 60 characters, its tracking ratio, and "+" when it was followed to the end."""
    return f"{episode.piece.ljust(60)} tracking ratio: {episode.ratio:.2f}" + (" +" if episode.ratio == 1 else "")


def latex_row(stats: AlignmentStats, decimals: int = 2) -> str:
    """The LaTeX row & R_tue & R_on & mean & std \\\\. decimals: of the errors."""
    return _row(stats_cells(stats, decimals))


def _row(cells: Sequence[str]) -> str:
    return " ".join(f"& {cell}" for cell in cells) + " \\\\"


def columns(unit: str) -> str:
    """What the columns of latex_row are, as a LaTeX comment."""
    return f"% & R_tue & R_on & mean {unit} & std {unit}"


def stats_cells(stats: AlignmentStats, decimals: int) -> list[str]:
    """R_tue, R_on, mean and std as printed."""
    return [
        f"{stats.tracked_until_end_ratio:.2f}",
        f"{stats.global_tracking_ratio:.2f}",
        f"{stats.alignment_errors_mean:.{decimals}f}",
        f"{stats.alignment_errors_std:.{decimals}f}",
    ]


def shares_lines(shares: dict[float, float]) -> list[str]:
    """A caption, and the LaTeX row & share within 0.05 s & ... \\\\"""
    bounds = ", ".join(f"{seconds:g}" for seconds in SHARE_SECONDS)
    return [
        f"within {bounds} seconds, of all onsets (one not tracked is a miss):",
        _row([f"{share:.2f}" for share in shares.values()]),
    ]


def piece_rows(results: Results) -> list[dict[str, Any]]:
    """One row per trial and piece, with absolute errors in every unit; nan when no onset was played."""
    rows = []
    for trial, game in results.games():
        episode = game["px"]
        row = {
            "trial": trial,
            "piece": episode.piece,
            "onsets": len(episode.onset_frames),
            "onsets_tracked": episode.tracked,
            "tracking_ratio": episode.ratio,
            "tracked_until_end": episode.ratio == 1,
            "last_frame": episode.last_frame,
        }
        for unit, same in game.items():
            row |= _summary(same.errors, unit)
        rows.append(row | share_names(onset_shares([game["seconds"]])))
    return rows


def json_content(results: Results) -> dict[str, Any]:
    """`mean`: the figures' means over trials. `intervals`: those of R_tue and R_on. `trials`: the figures of each trial.
    `pieces`: piece_rows."""
    figures = results.figures()
    return {"mean": mean_of(figures), "intervals": intervals(results), "trials": figures, "pieces": piece_rows(results)}


def write_csv(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows with the same keys as a table. Raises WriteError."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: str | Path, content: dict[str, Any]) -> None:
    """Write content with null for numbers that are not finite. Raises WriteError."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_finite(content), indent=1) + "\n", encoding="utf-8")


def _summary(errors: np.ndarray, unit: str) -> dict[str, float]:
    size = np.abs(errors)
    values = (size.mean(), np.median(size), size.std()) if len(size) else (float("nan"),) * 3
    return {f"error_{name}_{unit}": float(value) for name, value in zip(("mean", "median", "std"), values)}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
