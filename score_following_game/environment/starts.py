"""Starts of games: piece, frame, speed and offset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError

LAST_START = 20  # smallest distance of a random start from the last onset, frames
# Prioritised sampling: weight of a piece that was followed to its end. Renditions differ in how hard they are, and the hopeless
# ones (loud noise, a long reverberation) shall not be played twenty times as often.
LEAST_WEIGHT, LEAST_WEIGHT_OF_RENDITIONS = 0.05, 0.5


class Start(NamedTuple):
    """The starts of n games.

    piece, frame: int64 (n,). moving: bool (n,), True = begin at the speed of the music, False = standing still. off: float64
    (n,), pixels ahead of the true position.
    """

    piece: Tensor
    frame: Tensor
    moving: Tensor
    off: Tensor

    @classmethod
    def from_beginning(cls, piece: Tensor) -> Start:
        """Starts at frame 0, standing still, as in the paper. piece: int64 (n,)."""
        return cls(
            piece,
            torch.zeros_like(piece),
            torch.zeros_like(piece, dtype=torch.bool),
            torch.zeros_like(piece, dtype=torch.float64),
        )


class StartSampler:
    """Draws random starts.

    random_start: share of games that begin at a random frame, up to random_offset pixels ahead of or behind the true position.
    prioritized: pieces whose latest game went badly are drawn more often; otherwise all are equally likely.

    All random numbers come from the sampler's own generator, on the bank's device, so that a run depends on its seed alone.
    Nothing here makes the device wait for the host.
    """

    def __init__(
        self,
        bank: ScoreBank,
        seed: int,
        random_start: float = 0.0,
        prioritized: bool = False,
        random_offset: float = 0.0,
    ) -> None:
        if not 0 <= random_start <= 1:
            raise ValueError(f"random_start is {random_start}, expected a share between 0 and 1")
        if not 0 <= random_offset < bank.config.threshold:
            raise UserError(
                f"random_offset is {random_offset}, expected a number from 0 to below {bank.config.threshold}, "
                "the tracking error in pixels at which a game is lost"
            )
        self.bank = bank
        self.random_start = random_start
        self.random_offset = random_offset
        self.prioritized = prioritized
        self.generator = torch.Generator(bank.device).manual_seed(seed)
        self.latest_ratio = torch.zeros(len(bank), dtype=torch.float64, device=bank.device)
        self.resting: Tensor | None = None  # bool (pieces,): with which no game begins; None: none

    def draw(self, n: int) -> Start:
        """Draw n starts."""
        if self.prioritized or self.resting is not None:
            least = LEAST_WEIGHT if self.resting is None else LEAST_WEIGHT_OF_RENDITIONS
            piece = self._weighted(n, 1 - self.latest_ratio.clamp(max=1 - least))  # all equal without reports
        else:
            piece = torch.randint(len(self.bank), (n,), generator=self.generator, device=self.bank.device)
        moving = self._shares(n) < self.random_start
        latest = (self.bank.last_onset[piece] - LAST_START).clamp(min=0)
        frame = (self._shares(n) * (latest + 1)).long() * moving
        off = (2 * self._shares(n) - 1) * (self.random_offset * moving)
        return Start(piece, frame, moving, off)

    def draw_by_length(self, n: int) -> Tensor:
        """Draw n pieces, int64 (n,), so that each frame of the music is as likely as every other."""
        return self._weighted(n, (self.bank.last_onset + 1).double())

    def _weighted(self, n: int, weights: Tensor) -> Tensor:
        """n of the pieces that do not rest, in proportion to weights, float64 (pieces,)."""
        # torch.multinomial would wait for the device
        bounds = (weights if self.resting is None else weights * ~self.resting).cumsum(0)
        return torch.searchsorted(bounds, self._shares(n) * bounds[-1], right=True).clamp(max=len(self.bank) - 1)

    def report(self, piece: Tensor, begun: Tensor, frame: Tensor, ended: Tensor) -> None:
        """Record the tracking ratios of games that have ended, for prioritised sampling.

        All arguments are (N,). piece, begun, frame: int64, the games' pieces, first and current frames; ended: bool. The ratio
        is the share of the frames up to the last onset that was played. Of several games of one piece the last one counts.
        """
        if not self.prioritized:
            return
        numbers = torch.arange(len(piece), device=piece.device)
        none = torch.full_like(self.bank.last_onset, -1)
        last = none.scatter_reduce(
            0, piece, torch.where(ended, numbers, -1), "amax"
        )  # deterministic: a maximum does not depend on the order
        last_begun, last_frame = begun[last.clamp(min=0)], frame[last.clamp(min=0)]
        ratio = (last_frame - last_begun).double() / (self.bank.last_onset - last_begun).clamp(min=1)
        self.latest_ratio = torch.where(last >= 0, ratio, self.latest_ratio)

    def _shares(self, n: int) -> Tensor:
        return torch.rand(n, generator=self.generator, dtype=torch.float64, device=self.bank.device)

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state(), "latest_ratio": self.latest_ratio.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.generator.set_state(state["generator"])
        self.latest_ratio.copy_(state["latest_ratio"])
