"""Plays by reading and listening: a belief about place and tempo, weighed by the reading network, and a controller."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from score_following_game.agents.agents import Agent
from score_following_game.agents.policy import CategoricalPolicy, NormalPolicy, Policy
from score_following_game.agents.reading.belief import (
    DOING,
    NUMBERS,
    PASSED,
    POSITION,
    WAITS,
    MotionPrior,
    estimate,
    speeds,
    unit_of,
)
from score_following_game.agents.reading.counting import Counting, faded
from score_following_game.agents.reading.features import Features, arithmetic
from score_following_game.agents.reading.network import (
    CELL,
    PLACE_COLUMNS,
    ReadingNetwork,
    column_step,
    places_in_view,
)
from score_following_game.agents.reading.silence import Silence
from score_following_game.agents.reading.sustain import sustained
from score_following_game.agents.reading.view import There, View
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank

# Power of each frame's evidence. Neighbouring frames hear nearly the same sound, so they are not independent.
POWER = 0.1
# Of the newest frame, in the estimate of the position: the next one, which will say nearly the same, is yet to come.
PRESENT = 0.5
GAIN = 0.3  # share of the distance to the believed position that is made up in a frame
LEAST_STD = 1e-3  # pixels per frame
# Confidence: the logistic function of these, fitted to plays of both agents (docs/results.md).
SURE, FITS, ELSEWHERE = 1.3, 2.1, -2.7  # constant, and weights of the fit and of doubt
FIT_MEMORY = 1.0  # seconds after which a frame counts 1 / e
MOST_FIT = 6.0  # nats
DOUBT_FROM, DOUBT_UNIT = -10.0, 20.0  # nats by which another place of the sheet is better


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
        self._drawn: Tensor | None = None  # particles, and in further columns what is known of where they are
        self._silence, self._counting = Silence(), Counting()
        self._features: Features | None = None

    @torch.no_grad()
    def perform_action(self, game: Game) -> Tensor:
        prior, view, continues = MotionPrior(self.generator, unit_of(game.config)), self.view(game), _continues(game)
        self._counting.hear(game, continues, view.began)
        particles, there = self._before(game, prior, view, continues)
        self.confidence = self._judge(game, view, there.log_likelihood, continues)
        evidence = POWER * (there.log_likelihood + self._counting.log_likelihood(particles[..., PASSED]))
        self._drawn = prior.drawn(torch.cat([particles, torch.stack(there, dim=2)], dim=2), evidence)
        particles, there = _apart(self._drawn)
        weights = (PRESENT * there.log_likelihood).softmax(dim=1)
        believed = estimate(particles, there.pace, weights)
        wanted = _speed_towards(game, believed.position[:, None], believed.speed[:, None])[:, 0]
        each = _speed_towards(game, particles[..., POSITION], speeds(particles, there.pace))
        if game.config.continuous:
            self.policy = NormalPolicy((wanted - game.speed).float(), each.std(dim=1).float() + LEAST_STD)
            return wanted - game.speed
        right = torch.nn.functional.one_hot(_nearest_action(game, each), len(game.actions))
        shares = (weights[..., None] * right).sum(dim=1)
        self.policy = CategoricalPolicy((shares + 1e-6).log().log_softmax(dim=1).float())
        return _nearest_action(game, wanted[:, None])[:, 0]

    def keep(self, games: Tensor) -> None:
        if self._drawn is not None:
            self._drawn = self._drawn[games]
        if self._fit is not None:
            self._fit = self._fit[games]
        self._silence.keep(games)
        self._counting.keep(games)

    def _before(self, game: Game, prior: MotionPrior, view: View, continues: Tensor) -> tuple[Tensor, There]:
        """The particles of every game at the present frame, before what is heard in it, and what is known of where they are."""
        silent = self._silence.heard(game, continues)
        if self._drawn is None or len(self._drawn) != len(game):
            begun = prior.begun(game.x, game.speed)
            return begun, self.there(game, view, begun[..., POSITION])
        before, then = _apart(self._drawn)
        particles = prior.moved(before, then.pace, silent)
        if not continues.all():
            particles = torch.where(continues[:, None, None], particles, prior.begun(game.x, game.speed))
        there = self.there(game, view, particles[..., POSITION])
        passed = faded(particles[..., PASSED], game) + (there.noteheads - then.noteheads).clamp(min=0)
        counts = continues[:, None] & (particles[..., DOING] != WAITS)
        particles[..., PASSED] = torch.where(counts, passed, particles[..., PASSED])
        return particles, there

    def _judge(self, game: Game, view: View, likelihood: Tensor, continues: Tensor) -> Tensor:
        """The confidence, (N,). likelihood: of the particles, (N, n), nats. continues: bool (N,)."""
        fit = (likelihood.mean(dim=1) + (view.last[:, 0] + 1.0).log()).clamp(-MOST_FIT, MOST_FIT)  # above a place at chance
        if self._fit is not None and len(self._fit) == len(game):
            kept = math.exp(-1 / (FIT_MEMORY * game.config.spectrogram_params.fps))
            fit = torch.where(continues, kept * self._fit + (1 - kept) * fit, fit)
        self._fit = fit
        if not continues.any():
            self.elsewhere = -torch.inf  # that was another game, or the finder has just put this one elsewhere
        doubt = max(self.elsewhere - DOUBT_FROM, 0.0) / DOUBT_UNIT
        return (SURE + FITS * fit + ELSEWHERE * doubt).sigmoid()

    def features(self, bank: ScoreBank) -> Features:
        """What the network has read and heard of the pieces of a bank."""
        if self._features is None or self._features.bank is not bank or self._features.network is not self.network:
            self._features = Features(self.network, bank, self.precision)
        return self._features

    def there(self, game: Game, view: View, position: Tensor) -> There:
        """What is known of positions (N, n), padded pixels."""
        return view.there(position, game.config)

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
        pace, passed = cells.log_pace[:, 1:-1], cells.passed[:, 1:-1]
        return View(first[:, None], last[:, None], likelihood, pace, passed, logits, began)


def _apart(drawn: Tensor) -> tuple[Tensor, There]:
    """Particles, (N, n, NUMBERS), and what is known of where they are."""
    return drawn[..., :NUMBERS], There(*drawn[..., NUMBERS:].unbind(dim=2))


def _continues(game: Game) -> Tensor:
    """bool (N,): the game has moved since it began."""
    return (game.previous_frame < game.frame) & (game.frame > 0)


def _speed_towards(game: Game, position: Tensor, speed: Tensor) -> Tensor:
    """The speeds, (N, n), of games that are to move with the music at positions and speeds (N, n), and to meet it."""
    return (speed + GAIN * (position - game.x[:, None])).clamp(min=0)


def _nearest_action(game: Game, speed: Tensor) -> Tensor:
    """The actions, int64 (N, n), after which the games' speeds are nearest to speeds (N, n)."""
    return (game.speed[:, None, None] + game.actions - speed[..., None]).abs().argmin(dim=2)
