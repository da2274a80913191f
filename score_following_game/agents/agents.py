"""Who can play."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from score_following_game.agents.branch_cache import BranchCache
from score_following_game.agents.inference import Judgement, act
from score_following_game.agents.networks import ActorCritic
from score_following_game.agents.policy import Policy
from score_following_game.config import GameConfig, freely_moving
from score_following_game.environment.game import Game
from score_following_game.errors import UserError


class Agent(ABC):
    """Plays N games at once."""

    @abstractmethod
    def perform_action(self, game: Game) -> Tensor:
        """-> (N,): int64 action indices, or float speed changes (pixels per frame) in continuous games."""

    def rules(self, config: GameConfig) -> GameConfig:
        """The game it plays where others play that of a config."""
        return config

    def keep(self, games: Tensor) -> None:  # noqa: B027 - most remember nothing of a game
        """Only these (bool (N,)) of the games go on; for agents that remember something of each."""


class TrainedAgent(Agent):
    """A network's policy: sampled, as the papers evaluate it, or the likeliest action.

    Of many games on the CPU the windows seen are remembered: the parameters must stay as they are while an agent lives. A
    network with an LSTM begins with an empty memory where a game begins.
    After perform_action: value (N,) the critic's estimate (nan before the first), policy (None before).
    """

    def __init__(
        self,
        network: ActorCritic,
        generator: torch.Generator | None = None,
        deterministic: bool = False,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.network = network.eval()
        self.generator = generator
        self.deterministic = deterministic
        self.precision = precision
        self.value = torch.full((1,), math.nan)
        self.policy: Policy | None = None
        self._lstm_state: Tensor | None = None
        self._seen: BranchCache | None = None

    def perform_action(self, game: Game) -> Tensor:
        output, self.value, self._lstm_state = self._judge(game, self._remembered(game))
        self.policy = self.network.policy(output)
        return self.policy.mode() if self.deterministic else self.policy.sample(self.generator)

    def keep(self, games: Tensor) -> None:
        if self._lstm_state is not None:
            self._lstm_state = self._lstm_state[games]

    def _judge(self, game: Game, lstm_state: Tensor | None) -> Judgement:
        if len(game) == 1 or game.bank.device.type != "cpu":
            return act(self.network, game.bank, game.position(), self.precision, lstm_state)
        if self._seen is None or self._seen.bank is not game.bank:
            self._seen = BranchCache(self.network, game.bank, self.precision)
        return self._seen.act(game.position(), lstm_state)

    def _remembered(self, game: Game) -> Tensor | None:
        if self._lstm_state is None or len(self._lstm_state) != len(game):
            return self.network.initial_lstm_state(len(game))
        goes_on = (game.previous_frame < game.frame) & (game.frame > 0)  # a game that was begun anew stands still
        return self._lstm_state * goes_on[:, None, None]


class FreelyMovingAgent(Agent):
    """Chooses its speed and not among actions: it plays the continuous game of any config."""

    name: str  # in messages

    @abstractmethod
    def next_speed(self, game: Game) -> Tensor | float:
        """-> (N,) pixels per frame, or one for all."""

    def rules(self, config: GameConfig) -> GameConfig:
        return freely_moving(config)

    def perform_action(self, game: Game) -> Tensor:
        if not game.config.continuous:
            raise UserError(
                f"{self.name} chooses its speed freely: take a continuous game config, for instance "
                "game_configs/nottingham_continuous.yaml"
            )
        return self.next_speed(game) - game.speed


class OptimalAgent(FreelyMovingAgent):
    """Knows the true positions and goes to the next one: the best that can be done."""

    name = "the optimal agent"

    def next_speed(self, game: Game) -> Tensor:
        return game.bank.true_position(game.piece, game.frame + 1) - game.x


class ConstantSpeedAgent(FreelyMovingAgent):
    """Moves at one speed (pixels per frame) whatever it hears and sees: a baseline."""

    name = "the constant-speed agent"

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def next_speed(self, game: Game) -> float:
        return self.speed
