"""A replay buffer of game states, stored as indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from score_following_game.environment.game import GameState
from score_following_game.environment.observation import Position


class ReplayBuffer:
    """Holds the latest `size` states, 48 bytes each."""

    def __init__(self, size: int, device: torch.device) -> None:
        whole = torch.zeros(size, dtype=torch.int64, device=device)
        real = torch.zeros(size, dtype=torch.float64, device=device)
        self.states = GameState(Position(whole, whole.clone(), real, whole.clone(), real.clone()), real.clone())
        self.size, self.added = size, 0

    def __len__(self) -> int:
        return min(self.size, self.added)

    def add(self, states: GameState) -> None:
        """Replace the oldest states; of more than `size` new ones only the last are kept."""
        states = states.at(slice(-self.size, None))
        count = len(states.speed)
        places = (torch.arange(count, device=states.speed.device) + self.added) % self.size
        for kept, new in zip((*self.states.position, self.states.speed), (*states.position, states.speed)):
            kept[places] = new
        self.added += count

    def draw(self, n: int, generator: torch.Generator) -> GameState:
        """Draw n states uniformly with replacement."""
        return self.states.at(torch.randint(len(self), (n,), generator=generator, device=generator.device))

    def state_dict(self) -> dict[str, Any]:
        kept = self.states.at(slice(len(self)))
        return {"added": self.added, "position": [value.clone() for value in kept.position], "speed": kept.speed.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        kept = self.states.at(slice(len(state["speed"])))
        for own, value in zip((*kept.position, kept.speed), (*state["position"], state["speed"])):
            own.copy_(value)
        self.added = state["added"]
