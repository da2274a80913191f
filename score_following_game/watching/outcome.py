"""What a game came to, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from score_following_game.data_processing.piece import Piece
from score_following_game.environment.rendering import names
from score_following_game.errors import counted
from score_following_game.watching.record import WatchedGame


@dataclass(frozen=True)
class Outcome:
    """The outcome of one game.

    Attributes:
        score: sum of the rewards.
        onsets: how many onsets were reached, as in R_on.
        of: onsets of the piece.
        seconds: of the music that were played.
        finished: followed to the last onset.
        lost: the game ended because the player lost track; neither finished nor lost: the player left.
    """

    score: float
    onsets: int
    of: int
    seconds: float
    finished: bool
    lost: bool

    @classmethod
    def of_game(cls, episode: WatchedGame, piece: Piece) -> Outcome:
        frame = episode.frames[-1] if episode.frames else 0
        onsets = int(np.searchsorted(piece.onset_frames, frame, side="right"))
        return cls(episode.score, onsets, len(piece.onset_frames), episode.seconds, episode.finished, episode.lost)

    @property
    def ending(self) -> str:
        """How the game ended, in words."""
        return names.ending(self.finished, self.lost, self.seconds)

    @property
    def reached(self) -> str:
        """How many onsets were reached, in words."""
        return f"{self.onsets} of {counted(self.of, 'onset')} ({100 * self.onsets / max(self.of, 1):.0f} %)"
