"""Where a run keeps its parameters and logs, and how a parameter file tells which network and game it belongs to."""
from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from score_following_game.agents.shipped import PARAMETERS, find_parameters
from score_following_game.config import GameConfig, config_as_dict, load_game_config, parse_game_config, read_yaml
from score_following_game.errors import UserError
from score_following_game.evaluation.learning_curve import SETTINGS_FILE
from score_following_game.files import make_folder, replacing
from score_following_game.reinforcement_learning.settings import Settings, settings_as_dict

GAME_CONFIG_FILE, CHECKPOINT_FILE, BEST_MODEL_FILE, BEST_SCORE_FILE = (
    "game_config.yaml", "checkpoint.pt", PARAMETERS, "best_model.yaml")


def run_name(settings: Settings, when: datetime) -> str:
    """agent-net-trainset-config_YYYYmmdd_HHMMSS-user, as published; a - within a part becomes _, so that the name parses."""
    parts = [settings.agent, settings.net, Path(settings.train_set).name,
             f"{Path(settings.game_config).stem}_{when.astimezone(UTC):%Y%m%d_%H%M%S}", _user()]
    return "-".join(part.replace("-", "_") for part in parts)


def create_run_directory(settings: Settings, config: GameConfig, when: datetime | None = None) -> Path:
    """A new folder below param_root holding the settings and the game config; -2, -3, ... where the name is taken."""
    name = run_name(settings, when or datetime.now(UTC))
    if not settings.no_log:
        make_folder(settings.log_root)
    for count in range(1, 1000):
        directory = Path(settings.param_root) / (name if count == 1 else f"{name}-{count}")
        if not settings.no_log and (Path(settings.log_root) / directory.name).exists():
            continue  # another run's curves, whose parameters lie below another root
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"--param_root {settings.param_root}: cannot make a folder there ({error.strerror})") from None
        values = settings_as_dict(settings)
        for key in ("train_set", "eval_set", "log_root", "sound_font"):  # --resume works from any folder
            if values[key] is not None and (Path(values[key]).exists() or key == "log_root"):
                values[key] = str(Path(values[key]).resolve())
        write_yaml(directory / SETTINGS_FILE, values)
        write_yaml(directory / GAME_CONFIG_FILE, config_as_dict(config))
        return directory
    raise UserError(f"{settings.param_root}: {name} exists a thousand times; remove some")


def resolve_network_and_config(
    params: str | Path, net: str | None = None, game_config: str | None = None,
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
        raise UserError(f"{params}: neither a game_config.yaml beside it nor its folder's name tells the game config; "
                        "give --game_config")
    try:
        return net, load_game_config(f"game_configs/{parsed_config}.yaml")
    except UserError as error:
        raise UserError(f"{params}: its folder's name tells of a game config {parsed_config}, but {error}; give "
                        "--game_config") from None


def save_parameters(network: nn.Module, path: Path) -> None:
    """The network's state_dict, in plain memory order, whole or not at all."""
    save(path, {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()})


def save(path: Path, content: Any) -> None:
    """torch.save, whole or not at all."""
    with replacing(path) as temporary:
        torch.save(content, temporary)


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


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


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in many containers
        return "user"
