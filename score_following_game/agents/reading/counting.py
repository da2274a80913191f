"""Notes are counted: where the music is, as many noteheads have been passed lately as notes have begun to sound.

Where a note is repeated each of its noteheads fits what is heard, and the tempo alone would decide, which is not known in the
first bars. What it brought: experiments/reading, "Counting notes".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from score_following_game.agents.reading.network import NEWEST
from score_following_game.environment.game import Game

MEMORY = 1.0  # seconds after which a note counts 1 / e
# Variance of the difference between both numbers: in any case; per note, which may be an ornament, a tie or two voices; and per
# note that may have been heard or not. SHARE is a standard deviation, of the number itself: in a figure that is repeated the
# network hears three notes of four for many bars, and that would slow the music down without end (Beethoven, op. 79).
LEAST, PER_NOTE, PER_DOUBT, SHARE = 0.25, 0.1, 1.0, 0.4


class Counting:
    """The number of notes that N games have heard begin lately."""

    def __init__(self) -> None:
        self._heard: Tensor | None = None  # (2, N): the number, and its variance as the network's own doubt has it

    def hear(self, game: Game, continues: Tensor, began: Tensor) -> None:
        """Hear a frame. continues: bool (N,), as of Silence. began: (N,), the probability that a note has just begun.

        A note is heard as just begun in NEWEST frames, so each of them counts a share.
        """
        now = torch.stack([began, began * (1 - began)]).double() / NEWEST
        if self._heard is not None and self._heard.shape[1] == len(game):
            now = now + continues * faded(self._heard, game)
        self._heard = now

    def log_likelihood(self, passed: Tensor) -> Tensor:
        """Of what has been heard, nats, if so many noteheads have been passed lately, (N, n)."""
        assert self._heard is not None
        number, doubt = self._heard[..., None]
        variance = LEAST + PER_NOTE * number + PER_DOUBT * doubt + (SHARE * number).square()
        return -(passed - number).square() / 2 / variance

    def keep(self, games: Tensor) -> None:
        """Keep only some games, bool (N,)."""
        if self._heard is not None:
            self._heard = self._heard[:, games]


def faded(number: Tensor, game: Game) -> Tensor:
    """What a number of notes counts for a frame later."""
    return number * math.exp(-1 / (MEMORY * game.config.spectrogram_params.fps))
