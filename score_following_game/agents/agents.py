"""The agents that play games: a trained network, the optimal agent, and a constant speed."""

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
        """Choose an action for every game.

        Args:
            game: a batch of N games.

        Returns:
            (N,) int64 action indices, or, in continuous games, float speed changes in pixels per frame.
        """

    def rules(self, config: GameConfig) -> GameConfig:
        """The game config this agent plays when the others play `config`, for instance its continuous variant."""
        return config

    def keep(self, games: Tensor) -> None:  # noqa: B027 - most agents have no state per game
        """Drop the state of every game that is False in `games`, bool (N,); the other games continue."""


class TrainedAgent(Agent):
    """Plays by a network's policy.

    The state of an LSTM is zero at the beginning of every game. Batches of games on the CPU share cached branch features (see
    BranchCache); the network's parameters may change between calls.

    Args:
        network: put into evaluation mode.
        generator: draws the actions, on the network's device. None: torch's global generator.
        deterministic: take the most probable action instead of sampling one, as the papers do.
        precision: dtype of the observations, and so of the arithmetic.

    Attributes:
        value: (N,) the critic's estimates at the latest positions; nan before the first action.
        policy: the latest distribution over actions; None before the first action.
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
        self._cache: BranchCache | None = None

    def perform_action(self, game: Game) -> Tensor:
        output, self.value, self._lstm_state = self._judge(game, self._state_before(game))
        self.policy = self.network.policy(output)
        return self.policy.mode() if self.deterministic else self.policy.sample(self.generator)

    def keep(self, games: Tensor) -> None:
        if self._lstm_state is not None:
            self._lstm_state = self._lstm_state[games]

    def _judge(self, game: Game, lstm_state: Tensor | None) -> Judgement:
        if len(game) == 1 or game.bank.device.type != "cpu":
            return act(self.network, game.bank, game.position(), self.precision, lstm_state)
        cache = self._cache
        if cache is None or cache.bank is not game.bank or cache.network is not self.network:
            cache = self._cache = BranchCache(self.network, game.bank, self.precision)
        return cache.act(game.position(), lstm_state)

    def _state_before(self, game: Game) -> Tensor | None:
        """The LSTM's state (N, 2, size), zero for games that have begun since the previous action; None without an LSTM."""
        if self._lstm_state is None or len(self._lstm_state) != len(game):
            return self.network.initial_lstm_state(len(game))
        continues = (game.previous_frame < game.frame) & (game.frame > 0)  # a game just begun has not moved yet
        return self._lstm_state * continues[:, None, None]


class FreelyMovingAgent(Agent):
    """Sets its speed directly instead of choosing among actions: it plays the continuous variant of any config."""

    name: str  # used in messages

    @abstractmethod
    def next_speed(self, game: Game) -> Tensor | float:
        """The next speeds (N,) in pixels per frame, or one speed for all games."""

    def rules(self, config: GameConfig) -> GameConfig:
        return freely_moving(config)

    def perform_action(self, game: Game) -> Tensor:
        if not game.config.continuous:
            raise UserError(
                f"{self.name} chooses its speed freely; use a continuous game config, for instance "
                "game_configs/nottingham_continuous.yaml"
            )
        return self.next_speed(game) - game.speed


class OptimalAgent(FreelyMovingAgent):
    """Knows the true positions and moves to the next one: the upper bound."""

    name = "the optimal agent"

    def next_speed(self, game: Game) -> Tensor:
        return game.bank.true_position(game.piece, game.frame + 1) - game.x


class ConstantSpeedAgent(FreelyMovingAgent):
    """A baseline that moves at one speed (pixels per frame) and ignores its observations."""

    name = "the constant-speed agent"

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def next_speed(self, game: Game) -> float:
        return self.speed
