"""The baseline that reads no sheet: follow the performance in the sound of the score (Dixon, "Live tracking of musical
performances using on-line time warping", DAFx 2005)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from score_following_game.agents.agents import FreelyMovingAgent
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank

if TYPE_CHECKING:  # brings numba, slow to import
    from score_following_game.agents.warping_path import Paths


class TimeWarpingAgent(FreelyMovingAgent):
    """Aligns what it has heard with the score's own rendition, frame by frame, and goes to where that one stands in the sheet.

    It hears what the other agents do, from the piece's beginning up to the present observation, and knows which note of the
    rendition is which notehead. Where the performance is the rendition (no other tempo or instrument, no recording) nothing is
    left to find out, and the result is perfect. Over the last frames, which are not heard yet, it goes on at the rendition's
    tempo: it lags a little behind a faster performance.
    """

    name = "time warping"

    def __init__(self, scores: ScoreBank) -> None:
        """scores: a rendition (renditions.score_renditions) of each piece of the games' bank, in its order, by its config."""
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
        """int64 (N,), on the CPU: the frame of the rendition at which the music is believed to be at each game's frame."""
        from score_following_game.agents.warping_path import HEARD, best_places, hear

        paths, piece, frame = self._remembered(game), game.piece.cpu(), game.frame.cpu()
        heard = torch.from_numpy(paths.state)[:, HEARD]  # a view: it goes on
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

    def _remembered(self, game: Game) -> Paths:
        """The games' paths, of those that were begun anew without anything heard."""
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
    """The row of a bank's sound that is the newest in the observation at a piece's frame; int64 (n,)."""
    return bank.spec_offset[piece] + frame.to(bank.device) + bank.config.spec_context - int(1 / bank.config.spec_factor)


def rises(now: Tensor, before: Tensor) -> Tensor:
    """Rows of sound (n, bands) and those a frame before -> what has risen in each band: onsets, whatever sounds on."""
    return (now - before).clamp(min=0)
