"""What a watched game needs of whoever plays it, and of whatever looks for the music."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from score_following_game.environment.game import Game


class Player(Protocol):
    """A player, for instance an agents.agents.Agent.

    Attributes `value` (N,), `confidence` (N,), 0 to 1, and `policy` (agents.policy) are optional.
    """

    def perform_action(self, game: Game) -> Tensor: ...


class Searcher(Protocol):
    """Looks for the music where the player is not, for instance an agents.reading.finding.Finder."""

    def look(self, game: Game) -> Tensor | None: ...
