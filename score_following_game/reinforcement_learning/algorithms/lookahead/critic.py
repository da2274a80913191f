"""A critic with privileged information: where the music is and where it goes next.

It is used in training only; the player's network sees nothing but spectrogram and sheet. A critic that need not recognise the
position first learns the value of a position within a few thousand steps (asymmetric actor-critic: Pinto et al., RSS 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from score_following_game.environment.game import Game

PAST, FUTURE = 10, 30  # frames of the music's true course in its input
HIDDEN = 128


class PrivilegedCritic(nn.Module):
    """Estimates the value of a game's state: the expected discounted return under the policy that plays."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(PAST + FUTURE + 6, HIDDEN), nn.ELU(), nn.Linear(HIDDEN, HIDDEN), nn.ELU(), nn.Linear(HIDDEN, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Returns values, float32 (N,). features: (N, F), from `game_features`."""
        return self.layers(features)[:, 0]


def game_features(game: Game) -> Tensor:
    """Returns float32 (N, F): tracking error, speed, the music's course around the present frame, frames left to its end.

    Lengths are in units of half the lost threshold, speeds in units of four times the smallest speed change, so that the
    numbers are of order one in every game config.
    """
    bank, config = game.bank, game.config
    length = config.threshold / 2
    error = game.tracking_error() / length
    frames = (game.frame[:, None] + torch.arange(-PAST, FUTURE + 1, device=bank.device)).clamp(min=0)
    course = (bank.true_position(game.piece[:, None].expand_as(frames), frames) - game.true_position()[:, None]) / length
    left = bank.last_onset[game.piece] - game.frame
    rest = torch.stack(
        [error, (error / 2).square(), game.speed / (4 * game.smallest_change), (left / 20).clamp(0, 1), (left <= 1).double()],
        dim=1,
    )
    return torch.cat([rest, course], dim=1).float()
