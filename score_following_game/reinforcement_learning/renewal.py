"""Pieces are performed again while they are played: no rendition is heard for long."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from tqdm import tqdm

from score_following_game.data_processing.acoustics.world import Performer, World, can_be_performed
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler

RESTING = 0.25  # largest share of the pieces that wait for a new rendition
ATTEMPTS = 20  # renditions that may be too long for their place, one after the other


class Renewal:
    """Replaces one rendition in the bank after each update, the one that was played most.

    Its piece first rests: no game begins with it. It is replaced when its last game has ended and the learner has forgotten its
    states. A new rendition is computed in another thread during an update and taken after it, so that a run depends on its seed
    alone.
    """

    def __init__(self, bank: ScoreBank, sampler: StartSampler, world: World, seed: int, remembered: int) -> None:
        """remembered: updates for which the learner keeps states."""
        self.bank, self.sampler, self.world, self.seed, self.remembered = bank, sampler, world, seed, remembered
        self._originals = {index: piece for index, piece in enumerate(bank.pieces) if can_be_performed(piece)}
        device = bank.device
        self.number = torch.zeros(len(bank), dtype=torch.int64)  # of the rendition in the bank; 0: as on disk
        self.played = torch.zeros(len(bank), dtype=torch.float64, device=device)  # times the whole piece
        self.quiet = torch.zeros(len(bank), dtype=torch.int64, device=device)  # updates since the last game of a resting piece
        self.resting = torch.zeros(len(bank), dtype=torch.bool, device=device)
        self.fixed = torch.tensor([index not in self._originals for index in range(len(bank))], device=device)
        sampler.resting = self.resting
        self._pool = ThreadPoolExecutor(1, "renditions")
        self._pending: tuple[int, Future[tuple[int, Piece]]] | None = None

    def after_update(self, game: Game, steps: int) -> None:
        """To be called after each update. steps: how many each game has played since the last call."""
        self._take()
        present = torch.bincount(game.piece, minlength=len(self.bank))
        self.played += present * steps / self.bank.last_onset.clamp(min=1)
        self.quiet = torch.where(self.resting & (present == 0), self.quiet + 1, 0)
        if int(self.resting.sum()) < max(1, int(RESTING * len(self.bank))):
            self.resting[self.played.masked_fill(self.resting | self.fixed, -1).argmax()] = True
        ripe = (self.quiet * self.resting).masked_fill(self.fixed, 0)
        if int(ripe.max()) > self.remembered:
            self._begin(int(ripe.argmax()))

    def _begin(self, index: int) -> None:
        self._pending = index, self._pool.submit(self._render, index, int(self.number[index]) + 1)

    def _take(self) -> None:
        if self._pending is None:
            return
        index, future = self._pending
        self.number[index], piece = future.result()
        self._pending = None
        self.bank.replace(index, piece)
        self.played[index] = 0
        self.resting[index] = False

    def _render(self, index: int, number: int) -> tuple[int, Piece]:
        """The rendition of this number, or the next that has room in the bank, and its number."""
        performer = Performer(self._originals[index], self.bank.config)
        for attempt in range(number, number + ATTEMPTS):
            piece = self.world.rendition(performer, [self.seed, index, attempt])
            if self.bank.has_room_for(index, piece):
                return attempt, piece
        return number, performer.piece

    def state_dict(self) -> dict[str, Any]:
        own = {name: getattr(self, name).clone() for name in ("number", "played", "quiet", "resting")}
        return {**own, "pending": -1 if self._pending is None else self._pending[0]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in ("number", "played", "quiet", "resting"):
            getattr(self, name).copy_(state[name])
        drawn = self.number.nonzero()[:, 0].tolist()
        for index in tqdm(drawn, desc="performing the pieces again", unit="piece", disable=None, leave=False):
            self.bank.replace(index, self._render(index, int(self.number[index]))[1])
        if state["pending"] >= 0:
            self._begin(state["pending"])
