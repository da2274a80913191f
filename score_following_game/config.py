"""One YAML game config: what a game looks like, typed and validated."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from score_following_game.errors import UserError

PACKAGE = Path(__file__).resolve().parent
DEFAULT_GAME_CONFIG = "game_configs/nottingham.yaml"
BANDS = 78  # of the spectrogram, whatever its other parameters


@dataclass(frozen=True)
class SpectrogramParams:
    """sample_rate in Hz, frame_size in samples, fps in spectrogram frames per second."""

    sample_rate: int = 22050
    frame_size: int = 2048
    fps: int = 20


@dataclass(frozen=True)
class GameConfig:
    """The rules' numbers (paper, section 3; spec keys of 2018). Lengths of the sheet are pixels of the un-resized image.

    spec_context: frames of audio seen; sheet_context: width, staff_height: height of the sheet window.
    spec_factor, sheet_factor: resize factors (0.5 or 1.0) of what is seen; spec_shape, sheet_shape: the (2, H, W) results.
    target_frame: right_most = the audio ends just before the present frame, center = the present frame is in its middle.
    actions: the speed changes of the discrete game, pixels per frame; none in the continuous one.
    reward_window: rewarded only within this many frames of an onset; -1 = always.
    audio_peak: every performance is brought to this peak (1 = full scale) before its spectrogram is computed.
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
        """Empty frames put before and after a spectrogram."""
        return 2 * self.spec_context

    @property
    def sheet_pad(self) -> int:
        """Paper columns put before and after a sheet."""
        return 2 * self.sheet_context

    @property
    def threshold(self) -> int:
        """Pixels beyond which the tracker is lost."""
        return self.sheet_context // 3


def find_game_config(path: str | os.PathLike[str]) -> Path:
    """The file itself when it exists, else the config of that name that came with the project.

    Raises UserError naming the path and the configs there are.
    """
    wanted = Path(path)
    folders = [PACKAGE / "game_configs", PACKAGE.parent / "game_configs"]
    if wanted.is_file():
        return wanted
    name = wanted.name if wanted.suffix else f"{wanted.name}.yaml"
    for folder in folders:
        if (folder / name).is_file() and wanted.parent.name in ("", "game_configs"):
            return folder / name
    if wanted.is_dir():
        raise UserError(f"{path}: is a folder, wanted a game config (a YAML file)")
    names = sorted({f.name for folder in folders for f in folder.glob("*.yaml")})
    raise UserError(f"{path}: no such game config; there are game_configs/{{{','.join(names)}}}")


def freely_moving(config: GameConfig) -> GameConfig:
    """The same game in which the speed is chosen freely."""
    return replace(config, continuous=True, actions=())


def load_game_config(path: str | os.PathLike[str]) -> GameConfig:
    """Read a game config. Raises UserError naming the file and the unknown, missing or ill-typed key."""
    path = find_game_config(path)
    return parse_game_config(read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Raises UserError naming the file when it holds no mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: wanted keys and values, found {content!r:.60}")
    return content


def parse_game_config(content: Any, where: str) -> GameConfig:
    """Mapping -> GameConfig; `where` names it in errors."""
    values = _known_keys(content, GameConfig, where, optional={"audio_peak"})
    params = _known_keys(values["spectrogram_params"], SpectrogramParams, f"{where}: spectrogram_params")
    checks = dict.fromkeys(("spec_context", "sheet_context", "staff_height", "reward_window"), _whole)
    checks |= {"spec_factor": _number, "sheet_factor": _number, "audio_peak": _number, "target_frame": _word}
    checks |= {"spec_shape": _shape, "sheet_shape": _shape, "continuous": _flag, "actions": _numbers}
    values = {key: checks[key](value, f"{where}: {key}") for key, value in values.items() if key in checks}
    params = {key: _whole(value, f"{where}: spectrogram_params: {key}") for key, value in params.items()}
    config = GameConfig(**values, spectrogram_params=SpectrogramParams(**params))
    _consistent(config, where)
    return config


def config_as_dict(config: GameConfig) -> dict[str, Any]:
    """The config as the mapping that parse_game_config reads."""
    result: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, SpectrogramParams):
            value = {f.name: getattr(value, f.name) for f in fields(value)}
        result[field.name] = list(value) if isinstance(value, tuple) else value
    return result


def _known_keys(content: Any, kind: type, where: str, optional: frozenset[str] | set[str] = frozenset()) -> dict:
    if not isinstance(content, dict):
        raise UserError(f"{where}: wanted keys and values, found {content!r:.60}")
    names = {field.name for field in fields(kind)}
    if unknown := sorted(map(str, set(content) - names)):
        raise UserError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(names))}")
    if missing := sorted(names - set(content) - optional):
        raise UserError(f"{where}: missing key {', '.join(missing)}")
    return dict(content)


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{where} is {value!r}, wanted a whole number")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UserError(f"{where} is {value!r}, wanted a number")
    return float(value)


def _word(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where} is {value!r}, wanted a word")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{where} is {value!r}, wanted True or False")
    return value


def _numbers(value: Any, where: str) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)):
        raise UserError(f"{where} is {value!r}, wanted a list of numbers")
    return tuple(_number(item, where) for item in value)


def _shape(value: Any, where: str) -> tuple[int, int, int]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        raise UserError(f"{where} is {value!r}, wanted [channels, height, width]")
    return tuple(_whole(item, where) for item in value)


def _consistent(config: GameConfig, where: str) -> None:
    """Refuse numbers that contradict each other; each message names the key."""

    def refuse(key: str, wanted: str) -> None:
        raise UserError(f"{where}: {key} is {getattr(config, key)!r}, wanted {wanted}")

    for key in ("spec_context", "sheet_context", "staff_height"):
        if getattr(config, key) < 2 or getattr(config, key) % 2:
            refuse(key, "an even number above 0")
    for key in ("spec_factor", "sheet_factor"):
        if getattr(config, key) not in (0.5, 1.0):
            refuse(key, "0.5 or 1.0")
    if config.target_frame not in ("right_most", "center"):
        refuse("target_frame", "right_most or center")
    if config.reward_window < -1:
        refuse("reward_window", "-1 (always rewarded) or a number of frames")
    if not 0 < config.audio_peak <= 1:
        refuse("audio_peak", "a share of full scale above 0 and up to 1")
    if config.threshold < 1:
        refuse("sheet_context", "at least 6")
    if config.continuous and config.actions:
        refuse("actions", "[] where continuous is True")
    if not config.continuous and len(set(config.actions)) < 2:
        refuse("actions", "at least two different speed changes where continuous is False")
    if min(vars(config.spectrogram_params).values()) <= 0:
        refuse("spectrogram_params", "numbers above 0")
    spec = (2, int(BANDS * config.spec_factor), int(config.spec_context * config.spec_factor))
    sheet = (2, int(config.staff_height * config.sheet_factor), int(config.sheet_context * config.sheet_factor))
    if config.spec_shape != spec:
        refuse("spec_shape", f"{list(spec)}, which follows from spec_context and spec_factor")
    if config.sheet_shape != sheet:
        refuse("sheet_shape", f"{list(sheet)}, which follows from staff_height, sheet_context and sheet_factor")
