"""The players that a person is compared with: the optimal agent and the agent that comes with the project."""

from __future__ import annotations

import logging
import threading

from torch import Tensor

from score_following_game.agents.agents import Agent, OptimalAgent
from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.agents.localisation import LocalisationAgent
from score_following_game.agents.shipped import shipped_agents
from score_following_game.config import GameConfig, freely_moving
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.errors import UserError
from score_following_game.machine import DEFAULT_SEED
from score_following_game.watching.outcome import Outcome
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The person has left before a rival had ended its game."""


class Rivals:
    """Plays a piece by the optimal agent and by the first shipped agent that has learnt to play it.

    Made for another thread: `stop` ends a game that is being played, with Stopped.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def play(self, piece: Piece, config: GameConfig) -> dict[str, Outcome]:
        """Player -> its outcome, each in the order of the table. An agent takes its likeliest actions."""
        outcomes = {"the optimal agent": self._outcome(OptimalAgent(), piece, freely_moving(config))}
        for name, path in shipped_agents().items():
            try:
                net, own = resolve_network_and_config(path)
                if freely_moving(own) != freely_moving(config):
                    continue
                agent = load_trained_agent(path, net, own, seed=DEFAULT_SEED, deterministic=True)
            except UserError as error:
                log.warning("no comparison with the agent %s: %s", name, error)
                continue
            if isinstance(agent, LocalisationAgent):
                continue  # a supervised baseline plays another game
            outcomes[f"the agent {name}"] = self._outcome(agent, piece, agent.rules(own))
            break
        return outcomes

    def _outcome(self, agent: Agent, piece: Piece, rules: GameConfig) -> Outcome:
        return Outcome.of_game(watch(game_of(piece, rules), _Stoppable(agent, self._stop)), piece)


class _Stoppable:
    """A player that can be stopped from another thread."""

    def __init__(self, agent: Agent, stop: threading.Event) -> None:
        self._agent, self._stop = agent, stop

    def perform_action(self, game: Game) -> Tensor:
        if self._stop.is_set():
            raise Stopped
        return self._agent.perform_action(game)
