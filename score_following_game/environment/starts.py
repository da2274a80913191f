"""Where games begin: which piece, which frame."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from score_following_game.environment.score_bank import ScoreBank

LAST_START = 20  # frames before the last onset: the latest random start
LEAST_WEIGHT = 0.05  # of a piece that is followed to its end, under prioritised sampling


class Start(NamedTuple):
    """piece, frame: int64 (n,); moving: bool (n,), True where the game begins at the music's own speed."""

    piece: Tensor
    frame: Tensor
    moving: Tensor

    @classmethod
    def from_beginning(cls, piece: Tensor) -> Start:
        """At frame 0, standing still, as the papers play; piece: int64 (n,)."""
        return cls(piece, torch.zeros_like(piece), torch.zeros_like(piece, dtype=torch.bool))


class StartSampler:
    """Draws starts: pieces uniformly, or by how badly their latest game went; a share of the games at a random frame.

    All draws come from one generator of its own, on the CPU, so that a run depends on its seed alone.
    """

    def __init__(self, bank: ScoreBank, seed: int, random_start: float = 0.0, prioritized: bool = False) -> None:
        if not 0 <= random_start <= 1:
            raise ValueError(f"random_start is {random_start}, wanted a share between 0 and 1")
        self.bank = bank
        self.random_start = random_start
        self.prioritized = prioritized
        self.generator = torch.Generator().manual_seed(seed)
        self.latest_ratio = torch.zeros(len(bank), dtype=torch.float64)

    def draw(self, n: int) -> Start:
        """n starts."""
        if self.prioritized:
            weights = 1 - self.latest_ratio.clamp(max=1 - LEAST_WEIGHT)
            piece = torch.multinomial(weights, n, replacement=True, generator=self.generator)
        else:
            piece = torch.randint(len(self.bank), (n,), generator=self.generator)
        moving = torch.rand(n, generator=self.generator) < self.random_start
        latest = (self.bank.last_onset.cpu()[piece] - LAST_START).clamp(min=0)
        share = torch.rand(n, generator=self.generator, dtype=torch.float64)
        frame = torch.where(moving, (share * (latest + 1)).long(), 0)
        return Start(*(values.to(self.bank.device) for values in (piece, frame, moving)))

    def report(self, piece: Tensor, last_frame: Tensor) -> None:
        """Tell where games ended: the latest tracking ratio of their pieces (frame reached / frame of the last onset)."""
        ratio = last_frame.double() / self.bank.last_onset[piece].clamp(min=1)
        # One by one, so that of two games of a piece ending together the last counts, on every device alike.
        for index, value in zip(piece.tolist(), ratio.tolist()):
            self.latest_ratio[index] = value

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state(), "latest_ratio": self.latest_ratio.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.generator.set_state(state["generator"])
        self.latest_ratio.copy_(state["latest_ratio"])
