"""The results of an evaluation, in every unit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.metrics import UNITS, AlignmentStats, alignment_stats, in_unit, onset_shares

Key = TypeVar("Key")


@dataclass(frozen=True)
class Results:
    """The games of a data set played by an agent.

    episodes: unit (of UNITS) -> trials -> episodes in the bank's order; the same games in each unit.
    """

    episodes: dict[str, list[list[Episode]]]

    @classmethod
    def of(cls, trials: Sequence[Sequence[Episode]], bank: ScoreBank) -> Results:
        """Make results of the trials that play_data_set returned for a bank."""
        return cls(
            {
                unit: [
                    [
                        in_unit(episode, unit, piece.onset_x, bank.config.spectrogram_params.fps)
                        for episode, piece in zip(trial, bank.pieces, strict=True)
                    ]
                    for trial in trials
                ]
                for unit in UNITS
            }
        )

    def stats(self, unit: str = "px") -> list[AlignmentStats]:
        """The papers' figures of each trial, with errors in a unit."""
        return [alignment_stats(trial) for trial in self.episodes[unit]]

    def shares(self) -> list[dict[float, float]]:
        """The shares of onsets of each trial (metrics.onset_shares)."""
        return [onset_shares(trial) for trial in self.episodes["seconds"]]

    def figures(self) -> list[dict[str, float]]:
        """All figures of each trial by name: AlignmentStats in pixels, its errors in the other units, the shares of onsets."""
        others = [
            [
                {f"{name}_{unit}": value for name, value in asdict(stats).items() if name.startswith("alignment_errors")}
                for stats in self.stats(unit)
            ]
            for unit in UNITS
            if unit != "px"
        ]
        shares = [share_names(shares) for shares in self.shares()]
        return [
            asdict(stats) | {name: value for part in parts for name, value in part.items()}
            for stats, *parts in zip(self.stats(), *others, shares, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Every number: `mean` over trials, `intervals` of R_tue and R_on, `trials`, and `pieces`, a row per trial and piece.

        Errors are in every unit of UNITS.

        Returns:
            Plain dicts, lists, numbers and strings; nan where no onset was inspected.
        """
        from score_following_game.evaluation.report import json_content

        return json_content(self)

    def __str__(self) -> str:
        """The rows that `eval_score_following.py` prints."""
        from score_following_game.evaluation.report import printed_report

        return printed_report(self)

    def games(self) -> Iterator[tuple[int, dict[str, Episode]]]:
        """Every game: the number of its trial, counted from 1, and its episode by unit."""
        for number, trial in enumerate(zip(*self.episodes.values(), strict=True), start=1):
            for game in zip(*trial, strict=True):
                yield number, dict(zip(self.episodes, game, strict=True))

    def pieces(self) -> list[str]:
        """The pieces' names, in the bank's order."""
        return [episode.piece for episode in self.episodes["px"][0]]

    def only(self, pieces: Collection[str]) -> Results:
        """The results of the named pieces only."""
        return Results(
            {
                unit: [[episode for episode in trial if episode.piece in pieces] for trial in trials]
                for unit, trials in self.episodes.items()
            }
        )


def share_names(shares: dict[float, float]) -> dict[str, float]:
    """Shares of onsets by their names in tables, for instance onsets_within_0.05_seconds."""
    return {f"onsets_within_{seconds:g}_seconds": share for seconds, share in shares.items()}


def mean_of(trials: Sequence[dict[Key, float]]) -> dict[Key, float]:
    """The mean over trials of every value."""
    return {key: float(np.mean([trial[key] for trial in trials])) for key in trials[0]}
