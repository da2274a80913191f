"""Whether games hear silence now: their level against the loudest and the quietest that they have heard lately."""

from __future__ import annotations

import torch
from torch import Tensor

from score_following_game.agents.reading.network import rows_heard
from score_following_game.environment.game import Game

SILENT = 0.05  # share of the range from the quietest to the loudest, below which it is silent
# Shares per frame by which both come back to the present level: after 17 and 25 seconds by 1 - 1 / e.
LOUDEST_FALLS, QUIETEST_RISES = 0.003, 0.002


class Silence:
    """The range of levels of N games; a room's noise, which never ends, is silence too.

    A level is the mean of the newest row of sound over its bands, which are logarithmic.
    """

    def __init__(self) -> None:
        self._range: Tensor | None = None

    def heard(self, game: Game, continues: Tensor) -> Tensor:
        """bool (N,): it is silent in the present frame.

        continues: bool (N,), games that go on; the others have heard nothing yet.
        """
        newest = game.bank.spec_offset[game.piece] + game.frame + rows_heard(game.config) - 1
        level = game.bank.spec[newest].mean(dim=1)
        quietest = loudest = level
        if self._range is not None and self._range.shape[1] == len(game):
            before_quietest, before_loudest = self._range
            risen = before_quietest + QUIETEST_RISES * (level - before_quietest)
            fallen = before_loudest + LOUDEST_FALLS * (level - before_loudest)
            quietest = torch.where(continues, torch.minimum(risen, level), level)
            loudest = torch.where(continues, torch.maximum(fallen, level), level)
        self._range = torch.stack([quietest, loudest])
        return level <= quietest + SILENT * (loudest - quietest)

    def keep(self, games: Tensor) -> None:
        """Keep only some games, bool (N,)."""
        if self._range is not None:
            self._range = self._range[:, games]
