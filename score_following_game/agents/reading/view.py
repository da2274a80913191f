"""What games show, place by place, and what is known of positions between the places."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.reading.network import place_at
from score_following_game.config import GameConfig

# Columns: of four values in a row, the weights for a point between the middle ones; rows: by the powers of its distance.
CUBICS = torch.tensor([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]], dtype=torch.float64) / 2
OUT_OF_VIEW = 10.0  # nats by which a position outside the window is less likely than one at its edge
BEYOND = 0.5  # places beyond the outermost ones that still count as in view
MOST_PACE = 8.0  # times as fast as usual, or as slow


class There(NamedTuple):
    """What is known of n positions in each of N games, float64 (N, n) each.

    log_likelihood: nats, of what is heard now, if the music were there. pace: how fast music moves there, relative to its
    tempo. noteheads: the number of them from the beginning of the sheet.
    """

    log_likelihood: Tensor
    pace: Tensor
    noteheads: Tensor


class View(NamedTuple):
    """What N games show of P places now.

    first: int64 (N, 1), number of the first place. last: int64 (N, 1), the last one within the window, from the first.
    log_likelihood: float32 (N, P), nats, of what is heard, at each place, with the notes that may still sound (sustain.py);
    -inf beyond the last. log_pace: float32 (N, P). noteheads: float32 (N, P), the number of them from the beginning of the
    sheet up to each place. heard: float32 (N, P), the network's logits without the notes that may still sound. Beyond the last
    place they mean nothing. began: float32 (N,), the probability that a note has just begun.
    """

    first: Tensor
    last: Tensor
    log_likelihood: Tensor
    log_pace: Tensor
    noteheads: Tensor
    heard: Tensor
    began: Tensor

    def there(self, position: Tensor, config: GameConfig) -> There:
        """What is known of positions (N, n), padded pixels."""
        at = place_at(position, config) - self.first
        outside = (at < -BEYOND) | (at > self.last + BEYOND)
        log_likelihood, log_pace, noteheads = self._between(at).unbind(dim=1)
        pace = log_pace.exp().clamp(1 / MOST_PACE, MOST_PACE)
        return There(log_likelihood - OUT_OF_VIEW * outside, pace, noteheads)

    def _between(self, at: Tensor) -> Tensor:
        """What is known of places (N, n) by number from the first, with fractions: float64 (N, 3, n).

        It is interpolated by cubics (Catmull and Rom, 1974); beyond the outermost places it is theirs. Straight lines have
        their maxima at places, 8 columns apart, and the music is between them.
        """
        known = torch.stack([self.log_likelihood, self.log_pace, self.noteheads], dim=1).double()
        before = at.floor().clamp(min=0).minimum(self.last - 1.0)
        share = (at - before).clamp(0, 1)[..., None]
        powers = torch.cat([torch.ones_like(share), share, share.square(), share**3], dim=2)
        weights = powers @ CUBICS.to(at.device)
        around = before.long()[..., None] + torch.arange(-1, 3, device=at.device)
        around = around.clamp(min=0).minimum(self.last[..., None])
        values = known.gather(2, around.flatten(1)[:, None].expand(-1, 3, -1)).unflatten(2, around.shape[1:])
        return (values * weights[:, None]).sum(dim=3)
