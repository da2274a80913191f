"""Localisation by a reading network alone, without a belief: what the motion prior of the ReadingAgent is measured against."""

from __future__ import annotations

import torch
from torch import Tensor

from score_following_game.agents.agents import FreelyMovingAgent
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.network import position_of
from score_following_game.environment.game import Game


class PlacingAgent(FreelyMovingAgent):
    """Moves, in every frame, to where the network of a reading agent finds the music: the likeliest place of the window."""

    name = "the localisation agent"

    def __init__(self, reader: ReadingAgent) -> None:
        self.reader = reader

    @torch.no_grad()
    def next_speed(self, game: Game) -> Tensor:
        view = self.reader.view(game)
        beyond = torch.arange(view.heard.shape[1], device=view.heard.device) > view.last
        best = view.heard.masked_fill(beyond, -torch.inf).argmax(dim=1, keepdim=True)
        return position_of(view.first + best, game.config)[:, 0] - game.x
