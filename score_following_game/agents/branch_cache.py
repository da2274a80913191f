"""Runs each branch of a network once per distinct window, however many games reach that window.

Trials of one piece hear the same sound and see nearly the same sheet: in ten trials of the Nottingham test set only a tenth of
the sound windows and two fifths of the sheet windows are distinct.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from score_following_game.agents.inference import Judgement, chunks
from score_following_game.agents.layers import parameter_version
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.observation import (
    Position,
    sheet_rows,
    sheet_windows,
    spectrogram_rows,
    spectrogram_windows,
)
from score_following_game.environment.score_bank import ScoreBank

CACHE_BYTES = 2**28  # of features, per branch


class BranchCache:
    """Cached branch features of a network in evaluation mode, for the games of a bank on the CPU.

    When the network's parameters or buffers change, the cached features are dropped.
    """

    def __init__(self, network: ActorCritic, bank: ScoreBank, precision: torch.dtype) -> None:
        self.network, self.bank, self.precision = network, bank, precision
        self._spec, self._sheet = FeatureRows(), FeatureRows()
        self._watch = ParameterWatch(network)

    @torch.no_grad()
    def act(self, position: Position, lstm_state: Tensor | None = None) -> Judgement:
        """Same results as inference.act."""
        if self._watch.changed():
            self._spec, self._sheet = FeatureRows(), FeatureRows()
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


class ParameterWatch:
    """Says whether the parameters or buffers of a network have changed in place since it was last asked.

    Those that are replaced by other tensors are not seen.
    """

    def __init__(self, network: nn.Module) -> None:
        self._tensors = [*network.parameters(), *network.buffers()]
        self._seen = self._version()

    def changed(self) -> bool:
        before, self._seen = self._seen, self._version()
        return self._seen != before

    @torch.no_grad()
    def _version(self) -> tuple[list[tuple[int, int]], float]:
        """torch's fused optimisers do not increment the version counters. They do change the biases, which are cheap to sum."""
        vectors = torch.cat([tensor for tensor in self._tensors if tensor.dim() == 1])
        return [parameter_version(tensor) for tensor in self._tensors], vectors.double().sum().item()


class FeatureRows:
    """Rows of features keyed by pairs of integers below 2^31. When the rows are full, all of them are dropped."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._slots: dict[int, int] = {}
        self._features = torch.empty(0, 0)

    def get(self, first: Tensor, second: Tensor, compute: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Return the features (N, F) of N pairs, given as two int64 (N,); compute(first, second) is called for new pairs."""
        pairs = (first << 32 | second).tolist()
        if len(self._slots) + len(pairs) > len(self._features):
            self._slots.clear()
        known = len(self._slots)
        slots: list[int] = []
        new: list[int] = []
        for index, pair in enumerate(pairs):
            slot = self._slots.setdefault(pair, len(self._slots))
            if slot == known + len(new):
                new.append(index)
            slots.append(slot)
        if new:
            try:
                features = compute(first[new], second[new])
            except BaseException:  # the new pairs have slots, but no features
                self._slots.clear()
                raise
            if len(self._features) < len(pairs):
                rows = max(len(pairs), self._max_bytes // (features.shape[1] * features.element_size()))
                self._features = features.new_empty(rows, features.shape[1])
            self._features[known : known + len(new)] = features
        return self._features[slots]
