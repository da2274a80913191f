"""Results as printed rows, CSV and JSON."""
from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.metrics import AlignmentStats, alignment_stats, errors_in_seconds, mean_stats
from score_following_game.files import replacing

SEPARATOR = "-" * 50


def printed_report(trials: Sequence[Sequence[Episode]]) -> str:
    """What eval_score_following.py prints: a line per piece for a single trial, a row per trial, the mean row."""
    lines = [piece_line(episode) for episode in trials[0]] if len(trials) == 1 else []
    stats = [alignment_stats(episodes) for episodes in trials]
    return "\n".join([*lines, *map(latex_row, stats), SEPARATOR, latex_row(mean_stats(stats))])


def piece_line(episode: Episode) -> str:
    """NAME, padded to 60, its tracking ratio, and + when it was followed to the end."""
    return f"{episode.piece.ljust(60)} tracking ratio: {episode.ratio:.2f}" + (" +" if episode.ratio == 1 else "")


def latex_row(stats: AlignmentStats) -> str:
    """& R_tue & R_on & mean & std \\\\ (errors in pixels)."""
    return (f"& {stats.tracked_until_end_ratio:.2f} & {stats.global_tracking_ratio:.2f} & "
            f"{stats.alignment_errors_mean:.2f} & {stats.alignment_errors_std:.2f} \\\\")


def piece_rows(trials: Sequence[Sequence[Episode]], bank: ScoreBank) -> list[dict[str, Any]]:
    """One row per trial and piece, with errors in pixels and seconds (absolute; nan where no onset was noted)."""
    rows = []
    for trial, episodes in enumerate(trials, start=1):
        for episode, piece in zip(episodes, bank.pieces, strict=True):
            seconds = errors_in_seconds(episode, piece.onset_x, bank.config.spectrogram_params.fps)
            rows.append({
                "trial": trial, "piece": episode.piece, "onsets": len(episode.onset_frames), "onsets_tracked": episode.tracked,
                "tracking_ratio": episode.ratio, "tracked_until_end": episode.ratio == 1, "last_frame": episode.last_frame,
                **_summary(episode.errors, "px"), **_summary(seconds, "seconds"),
            })
    return rows


def write_csv(path: str | Path, rows: Sequence[dict[str, Any]]) -> None:
    """piece_rows as a table."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: str | Path, trials: Sequence[Sequence[Episode]], bank: ScoreBank, about: dict[str, Any]) -> None:
    """Everything: how it was made, the figures per trial and their mean, a row per piece and trial. nan becomes null."""
    stats = [alignment_stats(episodes) for episodes in trials]
    content = {"about": about, "mean": asdict(mean_stats(stats)), "trials": [asdict(trial) for trial in stats],
               "pieces": piece_rows(trials, bank)}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(_without_nan(content), indent=1) + "\n", encoding="utf-8")


def _summary(errors: np.ndarray, unit: str) -> dict[str, float]:
    size = np.abs(errors)
    values = (size.mean(), np.median(size), size.std()) if len(size) else (float("nan"),) * 3
    return {f"error_{name}_{unit}": float(value) for name, value in zip(("mean", "median", "std"), values)}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
