"""A baseline that reads no sheet: it aligns the performance with a rendition of the score (Dixon, "Live tracking of musical
performances using on-line time warping", DAFx 2005)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from score_following_game.agents.agents import FreelyMovingAgent
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank

if TYPE_CHECKING:  # imports numba, which is slow
    from score_following_game.agents.warping_path import Paths


class TimeWarpingAgent(FreelyMovingAgent):
    """Aligns the performance with the score's rendition, frame by frame, and moves to the rendition's position in the sheet.

    It hears the same sound as the other agents, from the piece's beginning to the present observation, and knows the notehead
    of every note of the rendition. When the performance equals the rendition (same tempo and instrument, no recording) the
    result is perfect. The observation ends before the game's present frame; for the frames between, the rendition's tempo is
    assumed, so that the agent lags a little behind a faster performance.
    """

    name = "time warping"

    def __init__(self, scores: ScoreBank) -> None:
        """scores: renditions (renditions.score_renditions) of the pieces of the games' bank, in the same order and config."""
        self.scores = scores
        changes = rises(scores.spec[1:], scores.spec[:-1])
        self._rises = torch.cat([torch.zeros_like(changes[:1]), changes]).numpy()
        self._piece = torch.zeros(0, dtype=torch.int64)
        self._paths: Paths | None = None

    def next_speed(self, game: Game) -> Tensor:
        if game.bank.names != self.scores.names:
            raise ValueError("the renditions are of other pieces than the games")
        piece, frame = game.piece.cpu(), self.score_frames(game)
        return self.scores.true_position(piece, frame + 1).to(game.x.device) - game.x

    def keep(self, games: Tensor) -> None:
        games = games.cpu()
        self._piece = self._piece[games]
        if self._paths is not None:
            self._paths = self._paths.of(games.numpy())

    def score_frames(self, game: Game) -> Tensor:
        """The estimated frame in the rendition for each game's present frame: int64 (N,), on the CPU."""
        from score_following_game.agents.warping_path import HEARD, best_places, hear

        paths, piece, frame = self._current_paths(game), game.piece.cpu(), game.frame.cpu()
        heard = torch.from_numpy(paths.state)[:, HEARD]  # a view, which hear() updates
        while len(behind := (heard < frame).nonzero()[:, 0]):
            where = piece[behind]
            row = newest_row(game.bank, where.to(game.bank.device), heard[behind] + 1)
            new = rises(*game.bank.spec[torch.stack([row, row - 1])].cpu())
            zeros = torch.zeros_like(where)
            hear(
                paths,
                behind.numpy(),
                new.numpy(),
                self._rises,
                newest_row(self.scores, where, zeros).numpy(),
                self.scores.last_onset[where].numpy() + 1,
            )
        return torch.from_numpy(best_places(paths))

    def _current_paths(self, game: Game) -> Paths:
        """The games' paths; those of games that have begun again are reset."""
        from score_following_game.agents.warping_path import HEARD, Paths

        piece, values = game.piece.cpu(), self.scores.spec.shape[1]
        if self._paths is None or len(self._piece) != len(piece):
            self._paths = Paths.none(len(piece), values)
        else:
            begun = (piece != self._piece) | (game.frame.cpu() < torch.from_numpy(self._paths.state[:, HEARD]))
            self._paths.forget(begun.numpy())
        self._piece = piece.clone()
        return self._paths


def newest_row(bank: ScoreBank, piece: Tensor, frame: Tensor) -> Tensor:
    """The last row of a bank's spectrograms that is observed at a frame of a piece: int64 (n,)."""
    return bank.spec_offset[piece] + frame.to(bank.device) + bank.config.spec_context - int(1 / bank.config.spec_factor)


def rises(now: Tensor, before: Tensor) -> Tensor:
    """The increase in each band from `before` to `now`, both (n, bands): shows onsets and ignores sustained notes."""
    return (now - before).clamp(min=0)
