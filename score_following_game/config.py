"""Game configs: the parameters of a game, read from a YAML file and validated."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from score_following_game.errors import UserError, shown
from score_following_game.yaml_files import read_yaml

PACKAGE = Path(__file__).resolve().parent
CONFIG_FOLDERS = (PACKAGE / "game_configs", PACKAGE.parent / "game_configs")  # of an installation; of the repository
DEFAULT_GAME_CONFIG = "game_configs/nottingham.yaml"
BANDS = 78  # of every spectrogram, for all sample rates and frame sizes


@dataclass(frozen=True)
class SpectrogramParams:
    """sample_rate in Hz, frame_size in samples, fps in spectrogram frames per second."""

    sample_rate: int = 22050
    frame_size: int = 2048
    fps: int = 20


@dataclass(frozen=True)
class GameConfig:
    """The parameters of a game (paper, section 3), named as in the published config files.

    Lengths on the sheet are pixels of the image before it is resized.

    Attributes:
        spec_context: Width of the spectrogram excerpt, frames.
        sheet_context: Width of the sheet window, pixels.
        staff_height: Height of the sheet window, pixels.
        spectrogram_params: Sample rate, frame size and frame rate of the spectrogram.
        spec_factor: Factor by which the spectrogram excerpt is resized, 0.5 or 1.0.
        sheet_factor: Factor by which the sheet window is resized, 0.5 or 1.0.
        spec_shape: Shape (2, bands, frames) of the resized excerpt and its change.
        sheet_shape: Shape (2, rows, columns) of the resized window and its change.
        target_frame: "right_most": the excerpt ends just before the current frame. "center": that frame is in its middle.
        continuous: True if the agent may choose any change of speed; False if it chooses one of `actions`.
        actions: Speed changes of the discrete game, pixels per frame; empty in the continuous game.
        reward_window: A reward is given only within this many frames of an onset; -1: at every frame.
        audio_peak: Music is scaled to this peak (1 = full scale) before its spectrogram is computed; clicks, coughs and drums
            do not count (data_processing/level.py).
    """

    spec_context: int
    sheet_context: int
    staff_height: int
    spectrogram_params: SpectrogramParams
    spec_factor: float
    sheet_factor: float
    spec_shape: tuple[int, int, int]
    sheet_shape: tuple[int, int, int]
    target_frame: str
    continuous: bool
    actions: tuple[float, ...]
    reward_window: int
    audio_peak: float = 0.13

    @property
    def spec_pad(self) -> int:
        """Silent frames added before and after a spectrogram."""
        return 2 * self.spec_context

    @property
    def frames_ahead(self) -> int:
        """How many frames after the present one an excerpt of the spectrogram shows."""
        return 0 if self.target_frame == "right_most" else self.spec_context - self.spec_context // 2

    @property
    def sheet_pad(self) -> int:
        """Blank columns added before and after a sheet."""
        return 2 * self.sheet_context

    @property
    def threshold(self) -> int:
        """Largest tracking error, pixels, at which a game continues."""
        return self.sheet_context // 3


def find_game_config(path: str | os.PathLike[str]) -> Path:
    """The file itself where it exists, else the config of that name that comes with the project.

    Raises UserError naming the path and the available configs.
    """
    requested = Path(path)
    if requested.is_file():
        return requested
    name = requested.name if requested.suffix else f"{requested.name}.yaml"
    for folder in CONFIG_FOLDERS:
        if (folder / name).is_file() and requested.parent.name in ("", "game_configs"):
            return folder / name
    if requested.is_dir():
        raise UserError(f"{path}: is a folder, expected a game config (a YAML file)")
    names = sorted({f.name for folder in CONFIG_FOLDERS for f in folder.glob("*.yaml")})
    raise UserError(f"{path}: no such game config; available are game_configs/{{{','.join(names)}}}")


def shows(config: GameConfig, height: int) -> bool:
    """Whether the window of a game shows at least half of a sheet of this height, in pixels, and no more than there is."""
    return config.staff_height <= height <= 2 * config.staff_height


def suitable_configs(height: int) -> list[str]:
    """Short names of the project's discrete configs that suit sheets of this height, the lowest window first."""
    paths = {path.stem: path for folder in CONFIG_FOLDERS for path in sorted(folder.glob("*.yaml"))}
    configs = {name: load_game_config(path) for name, path in paths.items()}
    suitable = [name for name, config in configs.items() if shows(config, height) and not config.continuous]
    default = Path(DEFAULT_GAME_CONFIG).stem
    return sorted(suitable, key=lambda name: (configs[name].staff_height, name != default, name))


def freely_moving(config: GameConfig) -> GameConfig:
    """The continuous variant of a game: any change of speed is allowed."""
    return replace(config, continuous=True, actions=())


def load_game_config(path: str | os.PathLike[str] | GameConfig) -> GameConfig:
    """Read a game config.

    Args:
        path: A YAML file, or the name of a config that comes with the project: "nottingham.yaml" or
            "game_configs/nottingham.yaml". A GameConfig is returned unchanged.

    Returns:
        The validated config.

    Raises:
        UserError: No such config, or a key is unknown, missing, of the wrong type or inconsistent with the others.
    """
    if isinstance(path, GameConfig):
        return path
    if not isinstance(path, (str, os.PathLike)):
        raise UserError(f"game config {path!r}: expected a path, a name or a GameConfig")
    found = find_game_config(path)
    return parse_game_config(read_yaml(found), str(found))


def parse_game_config(content: Any, where: str) -> GameConfig:
    """A validated config from a mapping; `where` names its origin in errors."""
    values = _known_keys(content, GameConfig, where, optional={"audio_peak"})
    params = _known_keys(values["spectrogram_params"], SpectrogramParams, f"{where}: spectrogram_params")
    values = {key: _CHECKS[key](value, f"{where}: {key}") for key, value in values.items() if key in _CHECKS}
    params = {key: _whole(value, f"{where}: spectrogram_params: {key}") for key, value in params.items()}
    config = GameConfig(**values, spectrogram_params=SpectrogramParams(**params))
    _consistent(config, where)
    return config


def config_as_dict(config: GameConfig) -> dict[str, Any]:
    """The mapping from which parse_game_config makes this config."""
    result: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, SpectrogramParams):
            value = {f.name: getattr(value, f.name) for f in fields(value)}
        result[field.name] = list(value) if isinstance(value, tuple) else value
    return result


def _known_keys(content: Any, kind: type, where: str, optional: frozenset[str] | set[str] = frozenset()) -> dict:
    if not isinstance(content, dict):
        raise UserError(f"{where}: expected keys and values, found {shown(content)}")
    names = {field.name for field in fields(kind)}
    if unknown := sorted(map(str, set(content) - names)):
        raise UserError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(names))}")
    if missing := sorted(names - set(content) - optional):
        raise UserError(f"{where}: missing key {', '.join(missing)}")
    return dict(content)


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{where} is {shown(value)}, expected a whole number")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UserError(f"{where} is {shown(value)}, expected a number")
    return float(value)


def _word(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where} is {shown(value)}, expected a word")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{where} is {shown(value)}, expected True or False")
    return value


def _numbers(value: Any, where: str) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)):
        raise UserError(f"{where} is {shown(value)}, expected a list of numbers")
    return tuple(_number(item, where) for item in value)


def _shape(value: Any, where: str) -> tuple[int, int, int]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise UserError(f"{where} is {shown(value)}, expected [channels, height, width]")
    channels, height, width = (_whole(item, where) for item in value)
    return channels, height, width


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "spec_context": _whole,
    "sheet_context": _whole,
    "staff_height": _whole,
    "spec_factor": _number,
    "sheet_factor": _number,
    "spec_shape": _shape,
    "sheet_shape": _shape,
    "target_frame": _word,
    "continuous": _flag,
    "actions": _numbers,
    "reward_window": _whole,
    "audio_peak": _number,
}


_RANGES = {  # beyond every use; within them, no size of what is computed overflows
    "spec_context": (2, 4096),
    "sheet_context": (2, 16384),
    "staff_height": (2, 8192),
    "reward_window": (-1, 10**6),
}
_SOUND_RANGES = {"sample_rate": (4000, 192_000), "frame_size": (128, 2**16), "fps": (1, 400)}
_MOST_ACTIONS, _FASTEST_CHANGE = 1000, 1000.0  # pixels per frame


def _consistent(config: GameConfig, where: str) -> None:
    """Reject values out of range and values that contradict each other; the message names the key."""

    def refuse(key: str, expected: str) -> None:
        raise UserError(f"{where}: {key} is {shown(getattr(config, key))}, expected {expected}")

    for key, (least, most) in _RANGES.items():
        if not least <= getattr(config, key) <= most:
            refuse(key, f"{least} to {most}" + " (-1: always rewarded)" * (key == "reward_window"))
        if key != "reward_window" and getattr(config, key) % 2:
            refuse(key, "an even number")
    for key, (least, most) in _SOUND_RANGES.items():
        if not least <= (value := getattr(config.spectrogram_params, key)) <= most:
            raise UserError(f"{where}: spectrogram_params: {key} is {value}, expected {least} to {most}")
    for key in ("spec_factor", "sheet_factor"):
        if getattr(config, key) not in (0.5, 1.0):
            refuse(key, "0.5 or 1.0")
    if config.target_frame not in ("right_most", "center"):
        refuse("target_frame", "right_most or center")
    if not 0 < config.audio_peak <= 1:
        refuse("audio_peak", "a share of full scale, above 0 and at most 1")
    if config.threshold < 1:
        refuse("sheet_context", "at least 6")
    if config.continuous and config.actions:
        refuse("actions", "[] where continuous is True")
    if not config.continuous and len(set(config.actions)) < 2:
        refuse("actions", "at least two different speed changes where continuous is False")
    if len(config.actions) > _MOST_ACTIONS or any(abs(change) > _FASTEST_CHANGE for change in config.actions):
        refuse("actions", f"at most {_MOST_ACTIONS} numbers from -{_FASTEST_CHANGE:g} to {_FASTEST_CHANGE:g}")
    spec = (2, int(BANDS * config.spec_factor), int(config.spec_context * config.spec_factor))
    sheet = (2, int(config.staff_height * config.sheet_factor), int(config.sheet_context * config.sheet_factor))
    if config.spec_shape != spec:
        refuse("spec_shape", f"{list(spec)}, which follows from spec_context and spec_factor")
    if config.sheet_shape != sheet:
        refuse("sheet_shape", f"{list(sheet)}, which follows from staff_height, sheet_context and sheet_factor")
