"""An agent from a file of parameters."""
from __future__ import annotations

from pathlib import Path

import torch

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.inference import choose_precision
from score_following_game.agents.localisation import PLACES, LocalisationAgent, localisation_network
from score_following_game.agents.networks import load_parameters, network_for, read_parameters
from score_following_game.config import GameConfig


def load_trained_agent(
    params: str | Path, net: str, config: GameConfig, *, seed: int, device: str = "cpu", deterministic: bool = False,
    precision: str = "float32",
) -> TrainedAgent | LocalisationAgent:
    """A network by its published name with the parameters of a file; they tell whether it chooses among actions or places.

    The game it plays is agent.rules(config). Raises UserError where the three do not fit.
    """
    bias = read_parameters(params).get("policy_out.bias")
    localises = bias is not None and bias.shape == (PLACES,)
    network = localisation_network(net, config) if localises else network_for(net, config)
    load_parameters(network, params)
    place = torch.device(device)
    network.to(place, memory_format=torch.channels_last)
    if localises:
        return LocalisationAgent(network, choose_precision(precision, place))
    return TrainedAgent(network, torch.Generator(place).manual_seed(seed), deterministic, choose_precision(precision, place))
