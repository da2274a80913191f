"""The gymnasium views: registration, checks, infos, autoreset, equality with gymnasium's own vectorisation."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from conftest import ROOT
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import score_following_game  # noqa: F401  (registers the environment)
from score_following_game.environment.env import ScoreFollowingEnv
from score_following_game.environment.score_bank import ScoreBank

INFO = {"piece": str, "frame": int, "sheet_coord": float, "true_coord": float, "sheet_speed": float, "tracking_error": float}


def make(data_set: Path, config: str = "nottingham", **options: object) -> gymnasium.Env:
    return gymnasium.make("ScoreFollowing-v0", data_set=data_set, game_config=f"game_configs/{config}.yaml", **options)


@pytest.mark.parametrize("config", ["nottingham", "nottingham_continuous"])
@pytest.mark.filterwarnings("ignore:.*Box action space.*")  # infinite by the rules
def test_check_env(data_set: Path, config: str):
    check_env(make(data_set, config).unwrapped, skip_render_check=True)


CHECK_ALL = """
import gymnasium, sys, score_following_game, warnings
from gymnasium.utils.env_checker import check_env
warnings.simplefilter("ignore")
check_env(gymnasium.make("ScoreFollowing-v0", data_set=sys.argv[1], game_config="game_configs/nottingham.yaml").unwrapped)
print("checked")
"""


@pytest.mark.needs("screen")
def test_check_env_with_every_render_mode_on_a_real_screen(data_set: Path):
    result = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "-c", CHECK_ALL, str(data_set)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert result.stdout.endswith("checked\n"), result.stderr


def test_human_mode_without_a_screen_is_one_line_not_an_abort(data_set: Path):
    code = CHECK_ALL.replace("check_env(gymnasium.make(", "gymnasium.make(").replace(
        ").unwrapped)", ', render_mode="human").reset()'
    )
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    result = subprocess.run(
        [sys.executable, "-c", code, str(data_set)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
        env=environment,
    )
    assert result.returncode == 1  # an exception, not Qt's abort
    assert "UserError" in result.stderr.strip().splitlines()[-1]


def test_info_and_spaces(data_set: Path):
    env = make(data_set)
    observation, info = env.reset(seed=0)
    assert {key: type(value) for key, value in info.items()} == INFO
    assert info["frame"] == 0
    assert info["tracking_error"] == 0
    for frame in range(1, 6):
        observation, reward, terminated, truncated, info = env.step(np.int64(2))
        assert info["frame"] == frame
        assert info["tracking_error"] == info["sheet_coord"] - info["true_coord"]
        assert type(reward) is float
        assert type(terminated) is bool
        assert truncated is False
        assert observation in env.observation_space
    assert info["sheet_speed"] == 2.5


def test_pieces(data_set: Path):
    assert make(data_set, piece="wide").reset()[1]["piece"] == "c_wide"
    env = make(data_set)
    drawn = [env.reset(seed=7 if number == 0 else None)[1]["piece"] for number in range(20)]
    again = [env.reset(seed=7 if number == 0 else None)[1]["piece"] for number in range(20)]
    assert drawn == again
    assert set(drawn) == {"a_short", "b_long", "c_wide"}
    assert env.reset(options={"piece": "b_long"})[1]["piece"] == "b_long"
    with pytest.raises(ValueError, match="options"):
        env.reset(options={"piece": "b"})


def test_misuse_is_reported(data_set: Path):
    env = ScoreFollowingEnv(data_set)
    with pytest.raises(ResetNeeded):
        env.step(1)
    env.reset()
    with pytest.raises(ValueError, match="expected an index from 0 to 2"):
        env.step(3)
    while not env.step(2)[2]:
        pass
    with pytest.raises(ResetNeeded):
        env.step(1)


def test_continuous_actions_take_any_float_and_are_not_clipped(data_set: Path):
    env = make(data_set, "nottingham_continuous")
    assert env.action_space == gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    for action in (np.array([0.1]), np.array([0.1], np.float32), [0.1]):
        env.reset(seed=0)
        info = env.unwrapped.step(action)[4]
        assert info["sheet_speed"] == float(np.asarray(action, np.float64)[0])
    env.reset(seed=0)
    assert env.unwrapped.step(np.array([30.0]))[4]["sheet_speed"] == 30


@pytest.mark.parametrize("action", [np.nan, np.inf, [0.1, 0.2]])
def test_impossible_continuous_actions_are_refused(data_set: Path, action: object):
    env = make(data_set, "nottingham_continuous").unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match="expected 1 finite speed change"):
        env.step(action)


def test_a_shared_bank_decides_alone(bank: ScoreBank):
    assert ScoreFollowingEnv(bank).bank is bank
    with pytest.raises(ValueError, match="leave these arguments out"):
        ScoreFollowingEnv(bank, game_config="game_configs/nottingham_continuous.yaml")


def test_rgb_array(data_set: Path):
    env = make(data_set, render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    env.step(2)
    assert (env.render() != picture).any()


def same(first: object, second: object, where: str = "") -> None:
    """Equal in structure, types, dtypes and values."""
    assert type(first) is type(second), where
    if isinstance(first, dict):
        assert set(first) == set(second), where
        for key in first:
            same(first[key], second[key], f"{where}/{key}")
    elif isinstance(first, tuple):
        assert len(first) == len(second), where
        for index, pair in enumerate(zip(first, second)):
            same(*pair, f"{where}/{index}")
    elif isinstance(first, np.ndarray):
        assert first.dtype == second.dtype, where
        assert first.shape == second.shape, where
        if first.dtype == object:
            for pair in zip(first, second):
                same(*pair, where)
        else:
            np.testing.assert_array_equal(first, second, where)
    else:
        assert first == second, where


def test_vector_env_is_what_gymnasium_would_make_of_single_ones(data_set: Path, bank: ScoreBank):
    ours = gymnasium.make_vec(
        "ScoreFollowing-v0",
        num_envs=5,
        vectorization_mode="vector_entry_point",
        data_set=data_set,
        game_config="game_configs/nottingham.yaml",
    )
    assert ours.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    theirs = SyncVectorEnv([lambda: ScoreFollowingEnv(bank)] * 5, autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    same(ours.reset(seed=11), theirs.reset(seed=11))
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(150):
        actions = rng.integers(0, 3, 5)
        result = ours.step(actions)
        same(result, theirs.step(actions))
        ended += result[2].sum()
        if result[2].any():
            final = result[4]["final_obs"][result[2]][0]
            assert final[0].shape == ours.single_observation_space[0].shape
    assert ended >= 5


def test_vector_env_refuses_wrong_seeds_and_actions(data_set: Path):
    env = gymnasium.make_vec("ScoreFollowing-v0", num_envs=2, vectorization_mode="vector_entry_point", data_set=data_set)
    with pytest.raises(ResetNeeded):
        env.step(np.array([1, 1]))
    assert env.reset(seed=np.int64(3), options={"piece": "b_long"})[1]["piece"].tolist() == ["b_long"] * 2
    with pytest.raises(ValueError, match="3 seeds for 2 games"):
        env.reset(seed=[1, 2, 3])
    env.reset(seed=[1, None])
    env.reset(seed=np.arange(2))
    with pytest.raises(ValueError, match="num_envs is 0"):
        gymnasium.make_vec("ScoreFollowing-v0", num_envs=0, vectorization_mode="vector_entry_point", data_set=data_set)
    for actions in ([0, 3], [1.7, 0.0], [1], [-1, 0]):
        with pytest.raises(ValueError, match="expected 2 indices from 0 to 2"):
            env.step(np.array(actions))
