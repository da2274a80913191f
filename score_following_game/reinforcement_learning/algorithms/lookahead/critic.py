"""A critic that knows what the game knows: where the music is and where it goes next.

It is used in training only, where the game is ours; the player's network sees sound and sheet as ever. A critic that need not
recognise the position first learns within a few thousand steps what a position is worth (asymmetric actor-critic: Pinto et
al., RSS 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from score_following_game.environment.game import Game

PAST, FUTURE = 10, 30  # frames of the music's true course it sees
HIDDEN = 128


class PrivilegedCritic(nn.Module):
    """State of a game -> its value, the expected discounted return under the policy that plays."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(PAST + FUTURE + 6, HIDDEN), nn.ELU(), nn.Linear(HIDDEN, HIDDEN), nn.ELU(), nn.Linear(HIDDEN, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """features (N, F) as of `game_features` -> values float32 (N,)"""
        return self.layers(features)[:, 0]


def game_features(game: Game) -> Tensor:
    """float32 (N, F): tracking error, speed, the music's course around the present frame, how near its end is.

    Lengths are in halves of the lost threshold and speeds in quadruples of the smallest speed change, so that the numbers
    are of order one in every game config.
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
