"""The algorithms by their names on the command line, and which network and game each takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from score_following_game.agents.agents import Agent, TrainedAgent
from score_following_game.agents.localisation import LocalisationAgent, localisation_network
from score_following_game.agents.networks import ActorCritic, network_for
from score_following_game.config import GameConfig
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.algorithms.a2c import A2C
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.lookahead.learner import Lookahead
from score_following_game.reinforcement_learning.algorithms.ppo import PPO
from score_following_game.reinforcement_learning.algorithms.reinforce import EpisodeCollector, Reinforce
from score_following_game.reinforcement_learning.algorithms.supervised import Localisation, WindowCollector
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.settings import Settings


def _trained(network: ActorCritic, generator: torch.Generator, precision: torch.dtype) -> Agent:
    return TrainedAgent(network, generator, precision=precision)


def _localising(network: ActorCritic, _generator: torch.Generator, precision: torch.dtype) -> Agent:
    return LocalisationAgent(network, precision)


@dataclass(frozen=True)
class Algorithm:
    """learner: makes updates of what the collector plays. keeps_passes: can learn from the acting passes as they were.
    lstm: does it take networks with an LSTM, None: no others? network: makes one of a name; player: plays with it."""

    learner: type[Learner]
    collector: type[RolloutCollector] = RolloutCollector
    keeps_passes: bool = False
    lstm: bool | None = False
    continuous: bool = True
    network: Callable[[str, GameConfig], ActorCritic] = network_for
    player: Callable[[ActorCritic, torch.Generator, torch.dtype], Agent] = _trained


ALGORITHMS: dict[str, Algorithm] = {
    "reinforce": Algorithm(Reinforce, EpisodeCollector, lstm=True),
    "a2c": Algorithm(A2C, keeps_passes=True),
    "a2c_lstm": Algorithm(A2C, keeps_passes=True, lstm=None),
    "ppo": Algorithm(PPO, lstm=True),
    "lookahead": Algorithm(Lookahead, continuous=False),
    "localisation": Algorithm(Localisation, WindowCollector, network=localisation_network, player=_localising),
}
NO_CRITIC = ("localisation",)  # these need none


def algorithm_for(settings: Settings, config: GameConfig) -> tuple[Algorithm, ActorCritic]:
    """The one of --agent and a fresh network for it. Raises UserError where the network is none for it or the game."""
    agent = ALGORITHMS[settings.agent]
    network = agent.network(settings.net, config)
    architecture = network.architecture
    if architecture.lstm and agent.lstm is False:
        raise UserError(f"--agent {settings.agent}: has no use for the LSTM of --net {settings.net}; take --agent a2c_lstm")
    if not architecture.lstm and agent.lstm is None:
        raise UserError(
            f"--agent {settings.agent}: wants a network with an LSTM, which --net {settings.net} has not; take --agent a2c"
        )
    if architecture.continuous and not agent.continuous:
        raise UserError(f"--agent {settings.agent}: tries every action, so it plays discrete games only; take --agent ppo")
    needs_critic = settings.agent not in NO_CRITIC and not (settings.agent == "reinforce" and settings.no_baseline)
    if needs_critic and not architecture.has_critic:
        raise UserError(
            f"--agent {settings.agent}: needs a critic, which --net {settings.net} has not; take --agent reinforce "
            "--no_baseline"
        )
    return agent, network
