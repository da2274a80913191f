"""An agent controlled by a person's keys."""

from __future__ import annotations

import torch
from torch import Tensor

from score_following_game.agents.agents import Agent
from score_following_game.environment.game import Game
from score_following_game.watching.stage import Controls

CONTINUOUS_STEP = 0.5  # pixels per frame: speed change per frame while a key is pressed


class HumanAgent(Agent):
    """Turns the keys of a frame into an action: w the largest speed change, s the smallest, no key the one closest to 0."""

    def __init__(self, controls: Controls) -> None:
        self.controls = controls

    def perform_action(self, game: Game) -> Tensor:
        """The actions (N,): int64 indices, or, in continuous games, float64 speed changes in pixels per frame."""
        direction = self.controls.direction
        if game.config.continuous:
            return torch.full((len(game),), direction * CONTINUOUS_STEP, dtype=torch.float64, device=game.bank.device)
        actions = game.actions
        chosen = {1: actions.argmax(), -1: actions.argmin(), 0: actions.abs().argmin()}[direction]
        return chosen.repeat(len(game))
