"""What an evaluation gave, in every unit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.metrics import UNITS, AlignmentStats, alignment_stats, in_unit, onset_shares


@dataclass(frozen=True)
class Results:
    """A data set played by an agent. episodes: by unit (UNITS) and trial, the same games with their errors in that unit."""

    episodes: dict[str, list[list[Episode]]]

    @classmethod
    def of(cls, trials: Sequence[Sequence[Episode]], bank: ScoreBank) -> Results:
        """From what play_data_set gave for the pieces of a bank."""
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
        """The papers' figures per trial, errors in a unit."""
        return [alignment_stats(trial) for trial in self.episodes[unit]]

    def shares(self) -> list[dict[float, float]]:
        """Per trial, the share of all onsets within so many seconds (metrics.onset_shares)."""
        return [onset_shares(trial) for trial in self.episodes["seconds"]]

    def figures(self) -> list[dict[str, float]]:
        """Per trial every figure by name: AlignmentStats (pixels), its errors in the other units, and the shares of onsets."""
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
        """Every number: `mean` over trials, `trials`, and `pieces`, a row per trial and piece; errors in every unit of UNITS.

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
        """Every game: the number of its trial, from 1, and its episode by unit."""
        for number, trial in enumerate(zip(*self.episodes.values(), strict=True), start=1):
            for game in zip(*trial, strict=True):
                yield number, dict(zip(self.episodes, game, strict=True))

    def pieces(self) -> list[str]:
        """Names, in the bank's order."""
        return [episode.piece for episode in self.episodes["px"][0]]

    def only(self, pieces: Collection[str]) -> Results:
        """The games of some of the pieces."""
        return Results(
            {
                unit: [[episode for episode in trial if episode.piece in pieces] for trial in trials]
                for unit, trials in self.episodes.items()
            }
        )


def share_names(shares: dict[float, float]) -> dict[str, float]:
    """Shares of onsets by a name for tables, onsets_within_0.05_seconds."""
    return {f"onsets_within_{seconds:g}_seconds": share for seconds, share in shares.items()}


def mean_of(trials: Sequence[dict]) -> dict:
    """The mean over trials of every figure, key by key."""
    return {key: float(np.mean([trial[key] for trial in trials])) for key in trials[0]}
