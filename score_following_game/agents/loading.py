"""An agent from a file of parameters."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.inference import choose_precision
from score_following_game.agents.localisation import PLACES, LocalisationAgent, localisation_network
from score_following_game.agents.networks import load_parameters, network_for, read_parameters
from score_following_game.agents.shipped import find_parameters
from score_following_game.config import GameConfig, load_game_config, parse_game_config, read_yaml
from score_following_game.errors import UserError
from score_following_game.run_files import GAME_CONFIG_FILE, SETTINGS_FILE


def load_trained_agent(
    params: str | Path,
    net: str,
    config: GameConfig,
    *,
    seed: int,
    device: str = "cpu",
    deterministic: bool = False,
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


def resolve_network_and_config(
    params: str | Path,
    net: str | None = None,
    game_config: str | None = None,
) -> tuple[str, GameConfig]:
    """Network name and game config of a parameter file or a shipped agent: those given, else those its run folder holds, else
    those in the folder's name.

    Raises UserError saying which argument to give when none of them tells.
    """
    directory = _run_folder(find_parameters(params))
    settings = read_yaml(directory / SETTINGS_FILE) if (directory / SETTINGS_FILE).is_file() else {}
    own_config = directory / GAME_CONFIG_FILE
    parsed_net, parsed_config = _parse_name(directory.name)
    net = net or settings.get("net") or parsed_net
    if net is None:
        raise UserError(f"{params}: neither a config.yaml beside it nor its folder's name tells the network; give --net")
    if game_config is not None:
        return net, load_game_config(game_config)
    if own_config.is_file():
        return net, parse_game_config(read_yaml(own_config), str(own_config))
    if parsed_config is None:
        raise UserError(
            f"{params}: neither a game_config.yaml beside it nor its folder's name tells the game config; give --game_config"
        )
    try:
        return net, load_game_config(f"game_configs/{parsed_config}.yaml")
    except UserError as error:
        raise UserError(
            f"{params}: its folder's name tells of a game config {parsed_config}, but {error}; give --game_config"
        ) from None


def _run_folder(path: Path) -> Path:
    """The folder a parameter file is in. A link may lie in a run's folder, or point there from anywhere."""
    given, real = path.absolute().parent, path.resolve().parent
    return given if (given / SETTINGS_FILE).is_file() or any(_parse_name(given.name)) else real


def _parse_name(name: str) -> tuple[str | None, str | None]:
    """(network, game config) from a published run directory's name; None where it is none.

    The training set's name may hold a -, so the config is what stands before the date and time.
    """
    found = re.match(r"[^-]+-([^-]+)-.+-([^-]+)_\d{8}_\d{6}(?:-|$)", name)
    return found.groups() if found else (None, None)
