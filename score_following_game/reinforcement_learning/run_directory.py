"""The directory of a run: its name, its settings, and how parameters are saved in it."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from pathlib import Path

from torch import nn

from score_following_game.agents.torch_files import SAFETENSORS, write_safetensors, write_torch
from score_following_game.config import GameConfig, config_as_dict
from score_following_game.errors import UserError
from score_following_game.files import make_folder
from score_following_game.reinforcement_learning.settings import Settings, settings_as_dict
from score_following_game.run_files import GAME_CONFIG_FILE, SETTINGS_FILE
from score_following_game.yaml_files import write_yaml


def run_name(settings: Settings, when: datetime) -> str:
    """agent-net-trainset-config_YYYYmmdd_HHMMSS-user, as published. A - within a part becomes _, so that it can be parsed."""
    parts = [
        settings.agent,
        settings.net,
        Path(settings.train_set).name,
        f"{Path(settings.game_config).stem}_{when.astimezone(UTC):%Y%m%d_%H%M%S}",
        _user(),
    ]
    return "-".join(part.replace("-", "_") for part in parts)


def create_run_directory(settings: Settings, config: GameConfig, when: datetime | None = None) -> Path:
    """Create a folder in param_root with the settings and the game config; adds -2, -3, ... if the name is taken.

    Raises:
        UserError: The folder cannot be created.
    """
    name = run_name(settings, when or datetime.now(UTC))
    if not settings.no_log:
        make_folder(settings.log_root)
    for count in range(1, 1000):
        directory = Path(settings.param_root) / (name if count == 1 else f"{name}-{count}")
        if not settings.no_log and (Path(settings.log_root) / directory.name).exists():
            continue  # the curves of a run with another param_root
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"--param_root {settings.param_root}: cannot create a folder there ({error.strerror})") from None
        values = settings_as_dict(settings)
        for key in ("train_set", "eval_set", "log_root", "sound_font"):  # absolute, so that --resume works from any folder
            if values[key] is not None and (Path(values[key]).exists() or key == "log_root"):
                values[key] = str(Path(values[key]).resolve())
        if values["world_fonts"]:
            values["world_fonts"] = ",".join(str(Path(font).resolve()) for font in values["world_fonts"].split(","))
        write_yaml(directory / SETTINGS_FILE, values)
        write_yaml(directory / GAME_CONFIG_FILE, config_as_dict(config))
        return directory
    raise UserError(f"{settings.param_root}: {name} and 998 numbered copies of it exist; remove some")


def save_parameters(network: nn.Module, path: Path) -> None:
    """Save the network's state_dict with contiguous tensors on the CPU: as safetensors, and by torch.save under `path`."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    write_safetensors(path.with_suffix(SAFETENSORS), tensors)
    write_torch(path, tensors)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this user id, as in many containers
        return "user"
