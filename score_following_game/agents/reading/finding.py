"""Looks for the music over the whole sheet: after a jump, a pause or a wrong turn it may be where the window is not.

The sound of the last seconds is aligned with the sheet from wherever it fits best. For every place the alignment that ends
there has a score: the likelihoods of the frames along it, in nats above those of a place at chance, the older the less they
count. The follower is lost when another place has had a much better score than its own in some looks in a row.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.features import arithmetic
from score_following_game.agents.reading.network import place_at, position_of
from score_following_game.environment.game import Game

STRIDE = 3  # frames from one look to the next: neighbouring ones hear nearly the same
MEMORY = 5.0  # seconds after which a frame counts 1 / e
FLOOR = -2.0  # nats; what one frame can say against a place, however sure it is
STEPS = 2  # places by which the alignment may move on in a look
OWN = 6  # places on both sides of the follower's that are its own, as of a peak
# Another place must be better by so many nats in so many looks in a row. While human players were followed well, passages that
# resemble the present one were better by up to 27 (99 % of the looks); after a jump the right place is, within 4 to 5 s.
MARGIN, LOOKS = 40.0, 2
AS_GOOD = 10.0  # nats; of peaks that are so nearly as good as the best, as where a passage is repeated, the nearest counts


class Finder:
    """Looks over the sheet of one game in which an agent plays.

    The whole sheet is read, also what the agent's window does not show; so this is for following music, not for judging agents.
    The agent is told how much better another place is (ReadingAgent.elsewhere).
    """

    def __init__(self, agent: ReadingAgent) -> None:
        self.agent = agent
        self._scores: Tensor | None = None
        self._looks = 0

    @torch.no_grad()
    def look(self, game: Game) -> Tensor | None:
        """Hear the present frame. Returns where the music is, (1,) float64 in padded pixels, if it is elsewhere; else None.

        game: one game, in every frame of which the agent has just acted.
        """
        if int(game.frame[0]) % STRIDE:
            return None
        likelihood = self._likelihood(game)
        if self._scores is None:
            self._scores = torch.zeros_like(likelihood)
        self._scores = math.exp(-STRIDE / (MEMORY * game.config.spectrogram_params.fps)) * _moved(self._scores) + likelihood
        distance = (torch.arange(len(likelihood), device=likelihood.device) - place_at(game.x, game.config)).abs()
        own = distance <= OWN
        others = self._scores.masked_fill(own, -torch.inf)
        best, own_score = others.max(), self._scores[own].max() if own.any() else self._scores.min()
        self.agent.elsewhere = float(best - own_score)
        self._looks = self._looks + 1 if self.agent.elsewhere > MARGIN else 0
        if self._looks < LOOKS:
            return None
        self._looks = 0
        nearest = distance.masked_fill(~_peaks(others) | (others < best - AS_GOOD), torch.inf).argmin()
        return position_of(nearest[None], game.config)

    def _likelihood(self, game: Game) -> Tensor:
        """Of the present frame at every place of the sheet, nats above chance, (P,)."""
        cells, query = self.agent.features(game.bank).whole(game.piece, game.frame)
        with arithmetic(self.agent.precision, game.bank.device):
            logits = self.agent.network.compare(cells.part, cells.key, query[:, None])[0, 0]
        return (logits.log_softmax(dim=0) + math.log(len(logits))).clamp(min=FLOOR)


def _moved(scores: Tensor) -> Tensor:
    """The best score, (P,), from which each place can be reached in one look."""
    reached = [torch.cat([scores[:1].expand(step), scores[: len(scores) - step]]) for step in range(1, STEPS + 1)]
    return torch.stack([scores, *reached]).amax(dim=0)


def _peaks(scores: Tensor) -> Tensor:
    """bool (P,): no place nearby is better."""
    return scores >= torch.nn.functional.max_pool1d(scores[None, None], 2 * OWN + 1, stride=1, padding=OWN)[0, 0]
