"""The algorithms by their names on the command line, and the networks and games that each supports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from score_following_game.agents.agents import Agent, TrainedAgent
from score_following_game.agents.localisation import LocalisationAgent, localisation_network
from score_following_game.agents.networks import ActorCritic, network_for
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.network import NAME as READING_NETWORK
from score_following_game.agents.reading.network import ReadingNetwork, reading_network
from score_following_game.config import GameConfig
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.algorithms.a2c import A2C
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.lookahead.learner import Lookahead
from score_following_game.reinforcement_learning.algorithms.ppo import PPO
from score_following_game.reinforcement_learning.algorithms.reading.learner import Reading
from score_following_game.reinforcement_learning.algorithms.reading.passages import PassageCollector
from score_following_game.reinforcement_learning.algorithms.reinforce import EpisodeCollector, Reinforce
from score_following_game.reinforcement_learning.algorithms.supervised import Localisation, WindowCollector
from score_following_game.reinforcement_learning.rollouts.collector import Collector, RolloutCollector
from score_following_game.reinforcement_learning.settings import Settings


def _trained(network: ActorCritic, generator: torch.Generator, precision: torch.dtype) -> Agent:
    return TrainedAgent(network, generator, precision=precision)


def _localising(network: ActorCritic, _generator: torch.Generator, precision: torch.dtype) -> Agent:
    return LocalisationAgent(network, precision)


def _reading(network: ReadingNetwork, generator: torch.Generator, precision: torch.dtype) -> Agent:
    return ReadingAgent(network, generator, precision)


@dataclass(frozen=True)
class Algorithm:
    """How to train with an algorithm.

    Attributes:
        learner: Updates the network from the rollouts of the collector.
        keeps_passes: The update may reuse activations recorded while acting.
        lstm: True = LSTM networks accepted, False = rejected, None = required.
        continuous: Continuous games are supported.
        critic: The network needs a critic.
        network: Builds a network from its published name.
        player: Builds the agent that plays with the network in evaluations.
    """

    learner: Callable[..., Learner]
    collector: Callable[..., Collector] = RolloutCollector
    keeps_passes: bool = False
    lstm: bool | None = False
    continuous: bool = True
    critic: bool = True
    network: Callable[[str, GameConfig], nn.Module] = network_for
    player: Callable[[Any, torch.Generator, torch.dtype], Agent] = _trained


ALGORITHMS: dict[str, Algorithm] = {
    "reinforce": Algorithm(Reinforce, EpisodeCollector, lstm=True),
    "a2c": Algorithm(A2C, keeps_passes=True),
    "a2c_lstm": Algorithm(A2C, keeps_passes=True, lstm=None),
    "ppo": Algorithm(PPO, lstm=True),
    "lookahead": Algorithm(Lookahead, continuous=False),
    "localisation": Algorithm(Localisation, WindowCollector, critic=False, network=localisation_network, player=_localising),
    "reading": Algorithm(Reading, PassageCollector, critic=False, network=reading_network, player=_reading),
}


def algorithm_for(settings: Settings, config: GameConfig) -> tuple[Algorithm, nn.Module]:
    """The algorithm of --agent and a new network. Raises UserError if the network suits neither it nor the game."""
    agent = ALGORITHMS[settings.agent]
    if settings.net == READING_NETWORK and settings.agent != "reading":
        raise UserError(f"--agent {settings.agent}: cannot train --net {settings.net}; use --agent reading")
    network = agent.network(settings.net, config)
    if not isinstance(network, ActorCritic):
        return agent, network
    architecture = network.architecture
    if architecture.lstm and agent.lstm is False:
        raise UserError(
            f"--agent {settings.agent}: does not support LSTM networks such as --net {settings.net}; use --agent a2c_lstm"
        )
    if not architecture.lstm and agent.lstm is None:
        raise UserError(
            f"--agent {settings.agent}: needs an LSTM network, but --net {settings.net} has no LSTM; use --agent a2c"
        )
    if architecture.continuous and not agent.continuous:
        raise UserError(
            f"--agent {settings.agent}: supports discrete games only, because it tries every action; use --agent ppo"
        )
    needs_critic = agent.critic and not (settings.agent == "reinforce" and settings.no_baseline)
    if needs_critic and not architecture.has_critic:
        raise UserError(
            f"--agent {settings.agent}: needs a critic, but --net {settings.net} has none; use --agent reinforce --no_baseline"
        )
    return agent, network
