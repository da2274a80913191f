"""Pieces are performed again while they are played: no rendition is heard for long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from score_following_game.data_processing.acoustics.world import Performer, World
from score_following_game.data_processing.piece import Piece, can_be_performed
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.machine import worker_threads

RESTING = 0.25  # largest share of the pieces that wait for a new rendition
FRAMES = 200  # of a piece that are performed in the time of an update: on one core, about as long as that takes
_STATE = ("original", "number", "since", "updates", "due", "quiet", "resting")
ATTEMPTS = 20  # renditions that may be too long for their place, one after the other


class Renewal:
    """Replaces renditions in the bank, one after the other: the one that has been there longest.

    Its piece first rests: no game begins with it. It is replaced when its last game has ended and the learner has forgotten its
    states. A new rendition is computed in another thread and taken after a number of updates that the length of the piece
    decides, so that a run depends on its seed alone. Where more pieces wait than the bank has places for, it is one of that
    piece which was performed least.
    """

    def __init__(
        self,
        bank: ScoreBank,
        sampler: StartSampler,
        world: World,
        seed: int,
        remembered: int,
        waiting: Sequence[Piece] = (),
    ) -> None:
        """remembered: updates for which the learner keeps states. waiting: pieces that have no place in the bank yet."""
        self.bank, self.sampler, self.world, self.seed, self.remembered = bank, sampler, world, seed, remembered
        self._originals = [*bank.pieces, *waiting]
        device = bank.device
        self.original = torch.arange(len(bank))  # of the rendition in each place
        self.number = torch.zeros(len(self._originals), dtype=torch.int64)  # of each original's latest rendition; 0: as on disk
        self.since = torch.arange(len(bank), device=device) - len(bank)  # update in which each place got its rendition
        self.updates = torch.zeros(1, dtype=torch.int64)
        self.due = torch.zeros(1, dtype=torch.int64)  # update after which the rendition that is computed is taken
        self.quiet = torch.zeros(len(bank), dtype=torch.int64, device=device)  # updates since the last game of a resting piece
        self.resting = torch.zeros(len(bank), dtype=torch.bool, device=device)
        self.fixed = torch.tensor([not can_be_performed(piece) for piece in bank.pieces], device=device)
        sampler.resting = self.resting
        self._pool = ThreadPoolExecutor(1, "renditions")
        self._pending: tuple[int, int, Future[tuple[int, Piece]]] | None = None  # place, original, rendition

    def begin(self) -> None:
        """Perform the pieces of the first places, if they have no sound yet."""
        self._fill(place for place, piece in enumerate(self.bank.pieces) if not piece.spectrogram.shape[1])

    def after_update(self, playing: Tensor) -> None:
        """To be called after each update. playing: int64 (n,), the pieces of which games are being played."""
        if int(self.updates) + 1 >= int(self.due):
            self._take()
        self.updates += 1
        present = torch.bincount(playing, minlength=len(self.bank))
        self.quiet = torch.where(self.resting & (present == 0), self.quiet + 1, 0)
        if int(self.resting.sum()) < max(1, int(RESTING * len(self.bank))):
            self.resting[self.since.masked_fill(self.resting | self.fixed, 2**62).argmin()] = True
        ripe = (self.quiet * self.resting).masked_fill(self.fixed, 0)
        if self._pending is None and int(ripe.max()) > self.remembered:
            place = int(ripe.argmax())
            self._begin(place)
            self.due[0] = int(self.updates) + max(1, int(self.bank.last_onset[place]) // FRAMES)

    def _begin(self, place: int) -> None:
        own = int(self.original[place])
        waiting = torch.ones(len(self._originals), dtype=torch.bool).index_fill(0, self.original, False)
        original = int(self.number.masked_fill(~waiting, 2**62).argmin()) if waiting.any() else own
        self._pending = place, original, self._pool.submit(self._render, place, original, int(self.number[original]) + 1)

    def _take(self) -> None:
        if self._pending is None:
            return
        place, original, future = self._pending
        self._put(place, original, *future.result())
        self._pending = None
        self.since[place] = int(self.updates)
        self.resting[place] = False
        self.sampler.latest_ratio[place] = 0.0

    def _put(self, place: int, original: int, number: int, piece: Piece) -> None:
        self.original[place], self.number[original] = original, number
        self.bank.replace(place, piece)

    def _fill(self, places: Iterable[int]) -> None:
        """Perform the originals of some places: the rendition of the number that each has, or the first."""
        chosen = [(place, int(self.original[place])) for place in places]

        def render(place: int, original: int) -> tuple[int, Piece]:
            return self._render(place, original, max(1, int(self.number[original])))

        with ThreadPoolExecutor(worker_threads()) as pool:
            rendered = pool.map(render, *zip(*chosen)) if chosen else []
            shown = tqdm(rendered, total=len(chosen), desc="performing the pieces", unit="piece", disable=None, leave=False)
            for (place, original), (number, piece) in zip(chosen, shown):
                self._put(place, original, number, piece)

    def _render(self, place: int, original: int, number: int) -> tuple[int, Piece]:
        """The rendition of this number, or the next that has room in its place, and its number."""
        performer = Performer(self._originals[original], self.bank.config)
        for attempt in range(number, number + ATTEMPTS):
            piece = self.world.rendition(performer, [self.seed, original, attempt])
            if self.bank.has_room_for(place, piece):
                return attempt, piece
        return number, performer.plain()

    def state_dict(self) -> dict[str, Any]:
        own = {name: getattr(self, name).clone() for name in _STATE}
        return {**own, "pending": -1 if self._pending is None else self._pending[0]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in _STATE:
            getattr(self, name).copy_(state[name])
        self._fill(self.number[self.original].nonzero()[:, 0].tolist())
        if state["pending"] >= 0:
            self._begin(state["pending"])
