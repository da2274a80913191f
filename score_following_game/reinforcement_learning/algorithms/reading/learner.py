"""Trains the reading network to place the music in a strip of sheet, to read noteheads and pace, and to hear onsets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from score_following_game.agents.reading.features import arithmetic
from score_following_game.agents.reading.network import KEYS, ReadingNetwork
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.losses import Losses
from score_following_game.reinforcement_learning.algorithms.reading.passages import STRIDE, Passages

WIDTH = 0.22  # standard deviation of the target around the true place, places: a frame or two of music
NEAR = 1.5  # places; the share of answers within it is logged
READ, HEARD = 0.6, 0.3  # weights of the two cross-entropies, which are sums over the 88 keys
PACE = 1.0  # weight of the error of the pace
LEVEL = 0.01  # weight of the level of all paces, which no music determines


class Reading(Learner):
    """Loss: KL(target || places) + READ * (noteheads of the cells) + HEARD * (onsets of the frames) + PACE * (pace of the
    places); one step per collection.

    The place alone teaches nothing for long, since hearing and reading help only together; each has a target of its own here.
    """

    network: ReadingNetwork  # type: ignore[assignment]  # the table gives this learner no other

    def update(self, passages: Passages) -> Losses:
        """Take one gradient step. Losses: policy, the KL divergence; value, all others, weighted; entropy."""
        network = self.network
        with arithmetic(self.precision, self.bank.device):
            cells = network.sheet(passages.strip)
            queries = network.sound(passages.sound)[:, ::STRIDE]
            places = network.match(cells, queries).log_softmax(dim=2)
            read, heard = network.read_notes(cells).float(), network.hear_notes(queries).float()
            paces = network.paces(cells)
        divergence = _mean(_divergence(places, passages.place), passages.counts)
        notes = READ * _entropy(read, passages.heads, passages.labelled)
        notes = notes + HEARD * _entropy(heard, passages.begun, passages.labelled)
        others = notes + PACE * _pace_error(paces, passages) + LEVEL * _mean(paces, passages.paced).square()
        self.optimiser.zero_grad()
        (divergence + others).backward()
        with torch.no_grad():
            uncertainty = _mean(-(places.exp() * places).sum(dim=2), passages.counts)
            near = (places.argmax(dim=2) - passages.place).abs() <= NEAR
            self.meter.add("near", _mean(near, passages.counts)[None])
        losses = Losses(*torch.stack([divergence, others, uncertainty]).tolist())
        self.step(losses)
        return losses


def _divergence(log_probabilities: Tensor, place: Tensor) -> Tensor:
    """KL divergence (B, T) from a Gaussian around each place, (B, T), to probabilities (B, T, P)."""
    numbers = torch.arange(log_probabilities.shape[2], device=place.device)
    target = (-((numbers - place[..., None]) / WIDTH).square() / 2).log_softmax(dim=2).float()
    return (target.exp() * (target - log_probabilities)).sum(dim=2)


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    """The mean of the values that count; 0 where none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)


def _pace_error(paces: Tensor, passages: Passages) -> Tensor:
    """Huber loss of the logarithm of the pace, after the tempo of each passage has been taken away."""
    error, counts = paces - passages.log_pace, passages.paced
    tempo = (error * counts).sum(dim=1) / counts.sum(dim=1).clamp(min=1)
    each = functional.huber_loss(paces - tempo[:, None], passages.log_pace, reduction="none")
    return _mean(each, counts)


def _entropy(logits: Tensor, targets: Tensor, labelled: Tensor) -> Tensor:
    """Cross-entropy per cell or frame, summed over the keys; of passages without labels 0."""
    each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=(1, 2))
    return KEYS * _mean(each, labelled)
