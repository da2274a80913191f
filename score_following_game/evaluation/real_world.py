"""Agents under the conditions of the real world: other instruments, rooms, noise, levels, and real recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from score_following_game.agents.agents import Agent
from score_following_game.config import GameConfig
from score_following_game.data_processing.acoustics.conditions import CONDITIONS, DEFAULT, under
from score_following_game.data_processing.piece import Piece, can_be_performed
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError
from score_following_game.evaluation.baselines import Contestant
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.intervals import interval_cells
from score_following_game.evaluation.metrics import SHARE_SECONDS, mean_stats
from score_following_game.evaluation.report import json_content
from score_following_game.evaluation.results import Results, mean_of

Found = dict[str, dict[str, Results]]  # condition -> agent -> results


def play_conditions(
    pieces: Sequence[Piece],
    contestants: Sequence[Contestant],
    config: GameConfig,
    *,
    conditions: Sequence[str] = CONDITIONS,
    recorded: Mapping[str, Sequence[Piece]] | None = None,
    trials: int = 1,
    seed: int = 0,
    font: Path | None = None,
) -> Found:
    """Let every contestant play the pieces under every condition, and sets of real performances as they are.

    recorded: name -> pieces of such sets. Raises UserError for pieces whose sound does not come from their MIDI files.
    """
    fixed = [piece.name for piece in pieces if not can_be_performed(piece)]
    if fixed and set(conditions) - {DEFAULT}:
        raise UserError(f"{fixed[0]}: has a recording or a precomputed spectrogram and cannot be played under other conditions")
    found: Found = {}
    for condition in conditions:
        found[condition] = _play(under(condition, pieces, config, seed, font), contestants, config, trials)
    for name, own in (recorded or {}).items():
        found[name] = _play(own, contestants, config, trials)
    return found


def _play(pieces: Sequence[Piece], contestants: Sequence[Contestant], config: GameConfig, trials: int) -> dict[str, Results]:
    banks: dict[GameConfig, ScoreBank] = {}
    results = {}
    for contestant in contestants:
        agent: Agent = contestant.make(pieces, config)
        rules = agent.rules(config)
        bank = banks.setdefault(rules, ScoreBank(pieces, rules))
        played = play_data_set(agent, bank, 1 if contestant.certain else trials, progress=True)
        results[contestant.name] = Results.of(played, bank)
    return results


def table(found: Found) -> str:
    """Aligned rows: condition, agent, R_tue, R_on with its interval, px, shares of onsets within SHARE_SECONDS."""
    rows = [["condition", "agent", "R_tue", "R_on", "95 %", "px", *(f"<= {bound:g} s" for bound in SHARE_SECONDS)]]
    for condition, own in found.items():
        for name, results in own.items():
            stats, shares = mean_stats(results.stats()), mean_of(results.shares())
            rows.append(
                [
                    condition,
                    name,
                    f"{stats.tracked_until_end_ratio:.2f}",
                    f"{stats.global_tracking_ratio:.3f}",
                    interval_cells(results)[1],
                    f"{stats.alignment_errors_mean:.2f}",
                    *(f"{share:.2f}" for share in shares.values()),
                ]
            )
    if len(found) > 1:
        for name in next(iter(found.values())):
            ratios = [mean_stats(own[name].stats()).global_tracking_ratio for own in found.values()]
            rows.append(["mean of conditions", name, "", f"{np.mean(ratios):.3f}"])
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def content(found: Found) -> dict[str, Any]:
    """Every number, per condition and agent: as json_content."""
    return {condition: {name: json_content(results) for name, results in own.items()} for condition, own in found.items()}
