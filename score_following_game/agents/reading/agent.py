"""Plays by reading and listening: a belief about place and tempo, weighed by the reading network, and a controller."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from score_following_game.agents.agents import Agent
from score_following_game.agents.policy import CategoricalPolicy, NormalPolicy, Policy
from score_following_game.agents.reading.belief import WAITS, MotionPrior, estimate, speeds, unit_of
from score_following_game.agents.reading.counting import Counting, faded
from score_following_game.agents.reading.features import Features, arithmetic
from score_following_game.agents.reading.network import (
    CELL,
    PLACE_COLUMNS,
    ReadingNetwork,
    column_step,
    place_at,
    places_in_view,
)
from score_following_game.agents.reading.silence import Silence
from score_following_game.agents.reading.sustain import sustained
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank

# Power of each frame's evidence. Neighbouring frames hear nearly the same sound, so they are not independent.
POWER = 0.1
# Of the newest frame, in the estimate of the position: the next one, which will say nearly the same, is yet to come.
PRESENT = 0.5
# Columns: of four values in a row, the weights for a point between the middle ones; rows: by the powers of its distance.
CUBICS = torch.tensor([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
OUT_OF_VIEW = 10.0  # nats by which a particle outside the window is less likely than one at its edge
BEYOND = 0.5  # places beyond the outermost ones that still count as in view
GAIN = 0.3  # share of the distance to the believed position that is made up in a frame
LEAST_STD = 1e-3  # pixels per frame
MOST_PACE = 8.0  # times as fast as usual, or as slow
# Confidence: the logistic function of these, fitted to plays of both agents (docs/results.md).
SURE, FITS, ELSEWHERE = 1.3, 2.1, -2.7  # constant, and weights of the fit and of doubt
FIT_MEMORY = 1.0  # seconds after which a frame counts 1 / e
MOST_FIT = 6.0  # nats
DOUBT_FROM, DOUBT_UNIT = -10.0, 20.0  # nats by which another place of the sheet is better


class View(NamedTuple):
    """What N games show of P places now.

    first: int64 (N, 1), number of the first place. last: int64 (N, 1), the last one within the window, from the first.
    log_likelihood: float32 (N, P), nats, of what is heard, at each place, with the notes that may still sound (sustain.py);
    -inf beyond the last. log_pace: float32 (N, P). heard: float32 (N, P), the network's logits without the notes that may still
    sound; beyond the last one they mean nothing. noteheads: float32 (N, P), the number of them up to each place. began: float32
    (N,), the probability that a note has just begun.
    """

    first: Tensor
    last: Tensor
    log_likelihood: Tensor
    log_pace: Tensor
    heard: Tensor
    noteheads: Tensor
    began: Tensor

    def at(self, position: Tensor, config: GameConfig) -> Tensor:
        """Numbers of places, with fractions, from the first; of positions (N, n), padded pixels."""
        return place_at(position, config) - self.first

    def between(self, values: Tensor, at: Tensor) -> Tensor:
        """Interpolate values (N, P) at places (N, n) by cubics (Catmull and Rom, 1974); beyond the outermost places, theirs.

        Straight lines have their maxima at places, 8 columns apart, and the music is between them.
        """
        before = at.floor().clamp(min=0).minimum(self.last - 1.0).long()
        share = (at - before).clamp(0, 1).float()
        around = torch.stack([before - 1, before, before + 1, before + 2], dim=2).clamp(min=0).minimum(self.last[..., None])
        powers = torch.stack([torch.ones_like(share), share, share.square(), share**3], dim=2)
        return (values.gather(1, around.flatten(1)).view_as(around) * (powers @ CUBICS.to(share.device))).sum(dim=2)


class ReadingAgent(Agent):
    """Follows with a reading network. It sees the window of the game and hears the sound up to the present frame.

    Each game has a belief of its own, which begins anew when the game does.

    Args:
        network: put into evaluation mode; its parameters may change between calls.
        generator: source of its random numbers, on the games' device.
        precision: dtype of the network's arithmetic.

    Attributes:
        policy: a distribution over actions, the share of particles for which each would be the right one; None at first. The
            agent does not sample it: it does what is right for the mean of its particles.
        confidence: (N,), the probability that the position is within half a second of the music: by how well the place has
            fitted the sound of the last second, and by `elsewhere`; None at first.
        elsewhere: nats by which another place of the sheet fits the last seconds better, as a finder sees it.
    """

    def __init__(
        self,
        network: ReadingNetwork,
        generator: torch.Generator,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.network = network.eval()
        self.generator, self.precision = generator, precision
        self.policy: Policy | None = None
        self.confidence: Tensor | None = None
        self.elsewhere = -torch.inf
        self._fit: Tensor | None = None
        self._particles: Tensor | None = None
        self._silence, self._counting = Silence(), Counting()
        self._features: Features | None = None

    @torch.no_grad()
    def perform_action(self, game: Game) -> Tensor:
        prior, view = MotionPrior(self.generator, unit_of(game.config)), self.view(game)
        particles = self._before(game, prior, view)
        likelihood = self.log_likelihood(game, view, particles[..., 0])
        evidence = POWER * (likelihood + self._counting.log_likelihood(particles[..., 3]))
        drawn = prior.drawn(torch.cat([particles, likelihood[..., None].double()], dim=2), evidence)
        particles, weights = drawn[..., :-1], (PRESENT * drawn[..., -1]).softmax(dim=1)
        pace = self.pace(game, view, particles[..., 0])
        self._particles, believed = particles, estimate(particles, pace, weights)
        self.confidence = self._judge(game, view, likelihood)
        wanted = _speed_towards(game, believed.position[:, None], believed.speed[:, None])[:, 0]
        each = _speed_towards(game, particles[..., 0], speeds(particles, pace))
        if game.config.continuous:
            self.policy = NormalPolicy((wanted - game.speed).float(), each.std(dim=1).float() + LEAST_STD)
            return wanted - game.speed
        right = torch.nn.functional.one_hot(_nearest_action(game, each), len(game.actions))
        shares = (weights[..., None] * right).sum(dim=1)
        self.policy = CategoricalPolicy((shares + 1e-6).log().log_softmax(dim=1).float())
        return _nearest_action(game, wanted[:, None])[:, 0]

    def keep(self, games: Tensor) -> None:
        if self._particles is not None:
            self._particles = self._particles[games]
        if self._fit is not None:
            self._fit = self._fit[games]
        self._silence.keep(games)
        self._counting.keep(games)

    def _before(self, game: Game, prior: MotionPrior, view: View) -> Tensor:
        """The particles of every game at the present frame, before what is heard in it."""
        continues = _continues(game)
        begun, silent = prior.begun(game.x, game.speed), self._silence.heard(game, continues)
        self._counting.hear(game, continues, view.began)
        if self._particles is None or len(self._particles) != len(game):
            return begun
        before = self._particles[..., 0]
        moved = prior.moved(self._particles, self.pace(game, view, before), silent)
        at, now = view.at(before, game.config), view.at(moved[..., 0], game.config)
        passed = view.between(view.noteheads, now) - view.between(view.noteheads, at)
        counted = faded(moved[..., 3], game) + passed.clamp(min=0)
        moved[..., 3] = torch.where(moved[..., 2] == WAITS, moved[..., 3], counted)
        return torch.where(continues[:, None, None], moved, begun)

    def _judge(self, game: Game, view: View, likelihood: Tensor) -> Tensor:
        """The confidence, (N,). likelihood: of the particles, (N, P), nats."""
        fit = (likelihood.mean(dim=1) + (view.last[:, 0] + 1.0).log()).clamp(-MOST_FIT, MOST_FIT)  # above a place at chance
        if self._fit is not None and len(self._fit) == len(game):
            kept = math.exp(-1 / (FIT_MEMORY * game.config.spectrogram_params.fps))
            fit = torch.where(_continues(game), kept * self._fit + (1 - kept) * fit, fit)
        self._fit = fit
        if not _continues(game).any():
            self.elsewhere = -torch.inf  # that was another game, or the finder has just put this one elsewhere
        doubt = max(self.elsewhere - DOUBT_FROM, 0.0) / DOUBT_UNIT
        return (SURE + FITS * fit + ELSEWHERE * doubt).sigmoid()

    def features(self, bank: ScoreBank) -> Features:
        """What the network has read and heard of the pieces of a bank."""
        if self._features is None or self._features.bank is not bank or self._features.network is not self.network:
            self._features = Features(self.network, bank, self.precision)
        return self._features

    def log_likelihood(self, game: Game, view: View, position: Tensor) -> Tensor:
        """Of what is seen and heard now, if the music were at positions: (N, n) both, in padded pixels and in nats."""
        at = view.at(position, game.config)
        outside = (at < -BEYOND) | (at > view.last + BEYOND)
        return view.between(view.log_likelihood, at) - OUT_OF_VIEW * outside

    def pace(self, game: Game, view: View, position: Tensor) -> Tensor:
        """How fast music moves over positions, (N, n) both, relative to its tempo."""
        return view.between(view.log_pace, view.at(position, game.config)).double().exp().clamp(1 / MOST_PACE, MOST_PACE)

    def view(self, game: Game) -> View:
        """What the windows of the games show, and how well it fits what is heard."""
        config = game.config
        step, half = column_step(config), config.sheet_context / 2
        # The places whose columns lie within the window. The window's phase decides whether the last one does.
        first = ((game.x - half) / (CELL * step)).ceil().clamp(min=0).long()
        last = ((game.x + half - PLACE_COLUMNS * step) / (CELL * step)).floor().long() - first
        places = places_in_view(config)
        cells, query = self.features(game.bank).at(game.piece, game.frame, first, places + 2)
        with arithmetic(self.precision, game.bank.device):
            logits = self.network.compare(cells.part, cells.key, query[:, None])[:, 0]
            began = self.network.onsets(query)
        beyond = torch.arange(places, device=logits.device) > last[:, None]
        notehead = cells.notehead[:, 1:-1]
        likelihood = sustained(logits, notehead).masked_fill(beyond, -torch.inf).log_softmax(dim=1)
        return View(first[:, None], last[:, None], likelihood, cells.log_pace[:, 1:-1], logits, notehead.cumsum(dim=1), began)


def _continues(game: Game) -> Tensor:
    """bool (N,): the game has moved since it began."""
    return (game.previous_frame < game.frame) & (game.frame > 0)


def _speed_towards(game: Game, position: Tensor, speed: Tensor) -> Tensor:
    """The speeds, (N, n), of games that are to move with the music at positions and speeds (N, n), and to meet it."""
    return (speed + GAIN * (position - game.x[:, None])).clamp(min=0)


def _nearest_action(game: Game, speed: Tensor) -> Tensor:
    """The actions, int64 (N, n), after which the games' speeds are nearest to speeds (N, n)."""
    return (game.speed[:, None, None] + game.actions - speed[..., None]).abs().argmin(dim=2)
