"""Where the music may be and how fast it moves: particles that go on at their tempi and are drawn again by what is heard.

A window of two seconds says nothing in the middle of a long note, or in a figure that is repeated. The music then goes on at
its tempo; that is the motion prior, in the form of a bootstrap particle filter (Gordon, Salmond and Smith, 1993). Its speed is
the tempo times the pace of the place: music moves slowly over long notes and fast from one system to the next.

Recordings begin with silence, and players pause. Most particles therefore wait at first and begin at random times, each at its
own tempo; later, while it is silent, moving ones pause, and go on at their tempi when it sounds. Else silence would say that
the music is slow: with 0.4 to 2.5 s of it at the beginning R_on fell from .99 to .48 on folk tunes, with pauses of 1 to 3 s to
.66.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.config import GameConfig

LEAST_UNIT, WIDE = 0.5, 512  # pixels per frame; width in pixels of the window for which it is 1
# In units of speed (unit_of):
FASTEST_START = 12.0  # tempi at which the music may begin, above the speed of the game
NEAR_START = 4.0  # width of the range of places around the first position
WAITING, BEGINNING = 0.9, 0.03  # share of particles that wait at first, and of those which begin to move in a frame
# Shares per frame: of moving particles that pause while it is silent; of pausing ones that go on while it is silent, or sounds.
PAUSING, GOING_ON_IN_SILENCE, GOING_ON_IN_SOUND = 0.1, 0.05, 0.5
TEMPO_NOISE, PLACE_NOISE = 0.05, 0.15  # standard deviations per frame
# The tempo may change at once, as after a fermata: share of particles per frame, and the range of the factor.
TEMPO_CHANGES, SLOWER, FASTER = 0.01, 0.5, 2.0

AT_FIRST_NOTE = 0.5  # noteheads passed at the beginning: the music begins in the middle of the first one

WAITS, MOVES, PAUSES = 0.0, 1.0, 2.0  # what a particle does
POSITION, TEMPO, DOING, PASSED, NUMBERS = range(5)  # of a particle, and how many there are


class Estimate(NamedTuple):
    """What N beliefs amount to, (N,) each.

    position: its mean, pixels. speed: its mean, pixels per frame. spread: standard deviation of the position, pixels.
    """

    position: Tensor
    speed: Tensor
    spread: Tensor


def unit_of(config: GameConfig) -> float:
    """The scale of speeds in a game, pixels per frame. Wide windows are for piano music, which takes more room per second."""
    return max(LEAST_UNIT, config.sheet_context / WIDE)


class MotionPrior:
    """Draws particles, float64 (N, P, NUMBERS): positions in pixels of the padded sheet; tempi, the pixels per frame at pace 1;
    what they do: WAITS for the music to begin, MOVES or PAUSES; and the number of noteheads that they have passed lately, which
    the agent counts.

    generator: source of all its random numbers, on the device of the games. unit: of speed, pixels per frame. n: particles of
    each game, P.
    """

    def __init__(self, generator: torch.Generator, unit: float, n: int = 256) -> None:
        self.generator, self.unit, self.n = generator, unit, n

    def begun(self, x: Tensor, tempo: Tensor) -> Tensor:
        """Particles of games that begin at positions x with tempi, float64 (N,) each."""
        shares = self._rand(len(x), 3)
        position = x[:, None] + NEAR_START * self.unit * (shares[..., 0] - 0.5)
        started = tempo[:, None] + FASTEST_START * self.unit * shares[..., 1]
        doing = torch.where(shares[..., 2] < WAITING, WAITS, MOVES).double()
        return torch.stack([position, started, doing, torch.full_like(doing, AT_FIRST_NOTE)], dim=2)

    def moved(self, particles: Tensor, pace: Tensor, silent: Tensor) -> Tensor:
        """The particles a frame later. pace: of the places where they are, (N, P). silent: bool (N,), what is heard."""
        position, tempo, doing, passed = particles.unbind(dim=2)
        noise = self.unit * torch.randn(*tempo.shape, 2, generator=self.generator, dtype=torch.float64, device=tempo.device)
        chances = self._rand(len(particles), 3)
        varied = (tempo + TEMPO_NOISE * noise[..., 1]).clamp(min=0)
        changed = varied * (SLOWER + (FASTER - SLOWER) * chances[..., 1])
        doing = _next(doing, chances[..., 2], silent[:, None])
        moves = doing == MOVES
        tempo = torch.where(moves, torch.where(chances[..., 0] < TEMPO_CHANGES, changed, varied), tempo)
        return torch.stack([position + moves * (tempo * pace + PLACE_NOISE * noise[..., 0]), tempo, doing, passed], dim=2)

    def drawn(self, particles: Tensor, log_weights: Tensor) -> Tensor:
        """Particles (N, P, numbers of each) drawn in proportion to exp(log_weights), (N, P), systematically.

        Equal weights leave all of them.
        """
        bounds = log_weights.double().softmax(dim=1).cumsum(dim=1)
        first = torch.rand(len(particles), 1, generator=self.generator, dtype=torch.float64, device=particles.device)
        ticks = (torch.arange(self.n, device=particles.device) + first) / self.n
        chosen = torch.searchsorted(bounds, ticks).clamp(max=self.n - 1)
        return particles.gather(1, chosen[..., None].expand_as(particles))

    def _rand(self, games: int, numbers: int) -> Tensor:
        shape = (games, self.n, numbers)
        return torch.rand(shape, generator=self.generator, dtype=torch.float64, device=self.generator.device)


def _next(doing: Tensor, chance: Tensor, silent: Tensor) -> Tensor:
    """What particles do in the next frame, (N, P), as doing. chance: random, from 0 to 1. silent: bool (N, 1)."""
    going_on = torch.where(silent, GOING_ON_IN_SILENCE, GOING_ON_IN_SOUND)
    begins = (doing == WAITS) & (chance < BEGINNING)
    pauses = (doing == MOVES) & (chance < PAUSING) & silent
    goes_on = (doing == PAUSES) & (chance < going_on)
    return doing.masked_fill(begins | goes_on, MOVES).masked_fill(pauses, PAUSES)


def speeds(particles: Tensor, pace: Tensor) -> Tensor:
    """Of particles (N, P, NUMBERS), pixels per frame, (N, P). pace: of the places where they are, (N, P)."""
    return particles[..., TEMPO] * (particles[..., DOING] == MOVES) * pace


def estimate(particles: Tensor, pace: Tensor, weights: Tensor) -> Estimate:
    """The mean of particles (N, P, NUMBERS). pace: of the places where they are, (N, P). weights: (N, P), of sum 1."""
    position = particles[..., POSITION]
    mean = (weights * position).sum(dim=1)
    variance = (weights * (position - mean[:, None]).square()).sum(dim=1)
    return Estimate(mean, (weights * speeds(particles, pace)).sum(dim=1), variance.sqrt())
