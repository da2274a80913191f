"""Game configs: the published ones load; anything wrong is refused by name."""

from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from score_following_game.config import config_as_dict, load_game_config, parse_game_config
from score_following_game.errors import UserError


def test_every_config_loads_and_survives_a_round_trip():
    paths = sorted((ROOT / "game_configs").glob("*.yaml"))
    assert len(paths) == 15
    for path in paths:
        config = load_game_config(path)
        assert parse_game_config(config_as_dict(config), "again") == config
        assert load_game_config(config) is config
        assert config.continuous == path.stem.endswith("_continuous")


def test_config_is_found_by_name_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert load_game_config("game_configs/mutopia_lchs1.yaml").spec_shape == (2, 78, 40)
    with pytest.raises(UserError, match=r"elsewhere/nottingham.yaml: no such game config"):
        load_game_config("elsewhere/nottingham.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sheet_contxt": 3}, "unknown key sheet_contxt"),
        ({"actions": None}, "missing key actions"),
        ({"spec_context": "forty"}, "spec_context is 'forty', expected a whole number"),
        ({"continuous": 0}, "continuous is 0, expected True or False"),
        ({"actions": [0, 0]}, "actions is .*at least two different"),
        ({"continuous": True}, "actions is .*where continuous is True"),
        ({"target_frame": "left"}, "target_frame is 'left'"),
        ({"sheet_shape": [2, 40, 151]}, r"sheet_shape is .*expected \[2, 40, 150\]"),
        ({"spectrogram_params": {"fps": 20}}, "spectrogram_params: missing key frame_size, sample_rate"),
        ({"audio_peak": 13}, "audio_peak is 13.0"),
    ],
)
def test_wrong_configs_are_refused_by_key(tmp_path: Path, change: dict, message: str):
    content = config_as_dict(load_game_config("game_configs/nottingham.yaml"))
    content |= change
    if change.get("actions", 0) is None:
        del content["actions"]
    path = tmp_path / "game.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=f"{path}: {message}"):
        load_game_config(path)
