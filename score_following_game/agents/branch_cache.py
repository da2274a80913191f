"""Each branch of a network run once per window, however many games come by it.

Trials of a piece hear the same and see much the same: of ten trials of the Nottingham test set a tenth of the sound windows
and two fifths of the sheet windows are distinct.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from score_following_game.agents.inference import Judgement, chunks
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.observation import (
    Position,
    sheet_rows,
    sheet_windows,
    spectrogram_rows,
    spectrogram_windows,
)
from score_following_game.environment.score_bank import ScoreBank

MEMORY_BYTES = 2**28  # of features, per branch


class BranchCache:
    """A network, in evaluation mode and with parameters that stay as they are, on the games of a bank on the CPU."""

    def __init__(self, network: ActorCritic, bank: ScoreBank, precision: torch.dtype) -> None:
        self.network, self.bank, self.precision = network, bank, precision
        self._spec, self._sheet = Remembered(), Remembered()

    @torch.no_grad()
    def act(self, position: Position, lstm_state: Tensor | None = None) -> Judgement:
        """As inference.act."""
        spec = self._spec.get(*spectrogram_rows(self.bank, position), self._computed("spec", spectrogram_windows))
        sheet = self._sheet.get(*sheet_rows(self.bank, position), self._computed("sheet", sheet_windows))
        return Judgement.from_network(*self.network.decide(spec, sheet, lstm_state=lstm_state))

    def _computed(self, branch: str, windows: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        def compute(now: Tensor, before: Tensor) -> Tensor:
            return torch.cat(
                [
                    self.network.branch(branch, windows(self.bank, now[part], before[part], self.precision))
                    for part in chunks(self.bank, len(now))
                ]
            )

        return compute


class Remembered:
    """Rows of features by pairs of numbers below 2^31; all are dropped where the room is too small for more."""

    def __init__(self, most_bytes: int = MEMORY_BYTES) -> None:
        self._most_bytes = most_bytes
        self._slots: dict[int, int] = {}
        self._features = torch.empty(0, 0)

    def get(self, first: Tensor, second: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """int64 (N,) twice -> (N, F), by compute(first, second) where a pair is new."""
        pairs = (first << 32 | second).tolist()
        if len(self._slots) + len(pairs) > len(self._features):
            self._slots.clear()
        known = len(self._slots)
        slots, new = [], []
        for index, pair in enumerate(pairs):
            slot = self._slots.setdefault(pair, len(self._slots))
            if slot == known + len(new):
                new.append(index)
            slots.append(slot)
        if new:
            features = compute(first[new], second[new])
            if len(self._features) < len(pairs):
                rows = max(len(pairs), self._most_bytes // (features.shape[1] * features.element_size()))
                self._features = features.new_empty(rows, features.shape[1])
            self._features[known : known + len(new)] = features
        return self._features[slots]
