"""Builds an agent from a parameter file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.inference import choose_precision
from score_following_game.agents.localisation import N_PLACES, LocalisationAgent, localisation_network
from score_following_game.agents.networks import network_for
from score_following_game.agents.parameters import load_parameters, read_parameters
from score_following_game.agents.reading import network as reading
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.shipped import find_parameters
from score_following_game.config import GameConfig, load_game_config, parse_game_config
from score_following_game.errors import UserError, shown
from score_following_game.run_files import GAME_CONFIG_FILE, SETTINGS_FILE
from score_following_game.yaml_files import read_yaml

LearntAgent = TrainedAgent | LocalisationAgent | ReadingAgent
# Why --deterministic has no effect on an agent.
WITHOUT_CHOICE = {
    "localisation": "on a localisation agent, which is always deterministic",
    "reading": "on a reading agent, which samples no actions",
}


def load_trained_agent(
    params: str | Path,
    net: str,
    config: GameConfig,
    *,
    seed: int,
    device: str = "cpu",
    deterministic: bool = False,
    precision: str = "float32",
) -> LearntAgent:
    """Load an agent: a LocalisationAgent or a ReadingAgent for the parameters of one, else a TrainedAgent.

    Args:
        params: a parameter file, a run's checkpoint, or the short name of a shipped agent.
        net: the network's published name.
        config: the game config. The agent plays the game agent.rules(config).
        seed: seeds the sampling of actions, or of a reading agent's beliefs.
        device: cpu, cuda or cuda:N.
        deterministic: take the most probable action; a localisation agent always does, and a reading agent never samples one.
        precision: float32, bfloat16, or auto (bfloat16 where the hardware multiplies it).

    Raises:
        UserError: the file cannot be read, or parameters, network and game config do not fit.
    """
    state, place = read_parameters(params), torch.device(device)
    arithmetic, generator = choose_precision(precision, place), torch.Generator(place).manual_seed(seed)
    if net == reading.NAME or reading.READS in state:
        reader = reading.reading_network(net, config)
        load_parameters(reader, params)
        return ReadingAgent(reader.to(place), generator, arithmetic)
    localises = _localises(state)
    network = localisation_network(net, config) if localises else network_for(net, config)
    load_parameters(network, params)
    network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack this overload
    if localises:
        return LocalisationAgent(network, arithmetic)
    return TrainedAgent(network, generator, deterministic, arithmetic)


def is_localisation(params: str | Path) -> bool:
    """Returns True for the parameters of a localisation agent. Raises UserError for a file that cannot be read."""
    return _localises(read_parameters(params))


def is_reading(params: str | Path) -> bool:
    """Returns True for the parameters of a reading agent. Raises UserError for a file that cannot be read."""
    return reading.READS in read_parameters(params)


def _localises(state: dict[str, Tensor]) -> bool:
    bias = state.get("policy_out.bias")
    return bias is not None and bias.shape == (N_PLACES,)


def resolve_network_and_config(
    params: str | Path,
    net: str | None = None,
    game_config: str | os.PathLike[str] | GameConfig | None = None,
) -> tuple[str, GameConfig]:
    """Find the network name and the game config of a parameter file or a shipped agent.

    Args:
        params: a parameter file or the short name of a shipped agent.
        net: overrides the network's name.
        game_config: overrides the game config; a path or the name of one that comes with the project.

    Returns:
        The arguments that are given, else the settings in the file's run folder, else those in the folder's name.

    Raises:
        UserError: none of these sources has an answer; the message says which argument to give.
    """
    directory = _run_folder(find_parameters(params))
    settings = read_yaml(directory / SETTINGS_FILE) if (directory / SETTINGS_FILE).is_file() else {}
    own_config = directory / GAME_CONFIG_FILE
    parsed_net, parsed_config = _parse_name(directory.name)
    net = net or _own_network(settings, directory / SETTINGS_FILE) or parsed_net
    if net is None:
        raise UserError(f"{params}: no network in a config.yaml beside it or in its folder's name; give the network's name")
    if game_config is not None:
        return net, load_game_config(game_config)
    if own_config.is_file():
        return net, parse_game_config(read_yaml(own_config), str(own_config))
    if parsed_config is None:
        raise UserError(f"{params}: no game config beside it (game_config.yaml) or in its folder's name; give the game config")
    try:
        return net, load_game_config(f"game_configs/{parsed_config}.yaml")
    except UserError as error:
        raise UserError(
            f"{params}: its folder's name means the game config {parsed_config}, but {error}; give the game config"
        ) from None


def _own_network(settings: dict[str, Any], path: Path) -> str | None:
    name = settings.get("net")
    if not isinstance(name, (str, NoneType)):
        raise UserError(f"{path}: net is {shown(name)}, expected the name of a network")
    return name


def _run_folder(path: Path) -> Path:
    """The run folder of a parameter file, which may be a link inside a run folder or a link into one."""
    given, real = path.absolute().parent, path.resolve().parent
    return given if (given / SETTINGS_FILE).is_file() or any(_parse_name(given.name)) else real


def _parse_name(name: str) -> tuple[str | None, str | None]:
    """(network, game config) from the name of a published run directory; (None, None) for other names.

    The training set's name may contain "-", so the config is the part just before the date and time.
    """
    found = re.match(r"[^-]+-([^-]+)-.+-([^-]+)_\d{8}_\d{6}(?:-|$)", name)
    return (found[1], found[2]) if found else (None, None)
