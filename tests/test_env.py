"""The gymnasium view of one game: registration, checks, infos, misuse, pictures."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from conftest import ROOT
from env_tools import V0, V1
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import score_following_game  # noqa: F401  (registers the environment)
from score_following_game.config import GameConfig
from score_following_game.environment.env import ScoreFollowingEnv
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.vector_env import ScoreFollowingVectorEnv
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import Episode

pytestmark = pytest.mark.filterwarnings("ignore:.*ScoreFollowing-v0 is out of date")  # gymnasium says so of any v0 with a v1

INFO = {
    "piece": str,
    "frame": int,
    "sheet_coord": float,
    "true_coord": float,
    "sheet_speed": float,
    "tracking_error": float,
    "lost": bool,
    "tracking_ratio": float,
}


def make(data_set: Path, config: str = "nottingham", name: str = V0, **options: object) -> gymnasium.Env:
    return gymnasium.make(name, data_set=data_set, game_config=config, **options)


@pytest.mark.parametrize("name", [V0, V1])
@pytest.mark.parametrize(
    ("config", "bound"), [("nottingham", None), ("nottingham_continuous", None), ("nottingham_continuous", 1)]
)
@pytest.mark.filterwarnings("ignore:.*Box action space.*")  # infinite by the rules
def test_check_env_without_a_screen(
    data_set: Path, name: str, config: str, bound: float | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    check_env(make(data_set, config, name, action_bound=bound).unwrapped)


CHECK_ALL = """
import gymnasium, sys, score_following_game, warnings
from gymnasium.utils.env_checker import check_env
warnings.simplefilter("ignore")
env = gymnasium.make("ScoreFollowing-v1", data_set=sys.argv[1], game_config="game_configs/nottingham.yaml").unwrapped
assert "human" in env.metadata["render_modes"]
check_env(env)
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
    code = "import gymnasium, sys; gymnasium.make('score_following_game:ScoreFollowing-v1', data_set=sys.argv[1], "
    code += "render_mode='human').reset()"
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
    for options, name in (({"piece": "b_long"}, "b_long"), ({"piece": "b_lo"}, "b_long"), ({"piece": "wide"}, "c_wide")):
        assert env.reset(options=options)[1]["piece"] == name == make(data_set, **options).reset()[1]["piece"]
    for wrong, message in (("_", "is part of 3 names"), ("z", "is no piece"), (3, "expected a name")):
        for use in (lambda: env.reset(options={"piece": wrong}), lambda: make(data_set, piece=wrong)):  # noqa: B023
            with pytest.raises(UserError, match=message):
                use()
    with pytest.raises(ValueError, match="unknown key pieces; known are piece"):
        env.reset(options={"pieces": "b_long"})
    env.reset(options={"piece": None})


def test_game_config_is_a_path_a_name_or_a_config(data_set: Path, config: GameConfig):
    envs = [
        gymnasium.make(V1, data_set=data_set, game_config=given).unwrapped
        for given in (ROOT / "game_configs" / "nottingham.yaml", "nottingham", "game_configs/nottingham.yaml", config, None)
    ]
    assert all(env.bank.config == config for env in envs)
    with pytest.raises(UserError, match="game config 3: expected a path, a name or a GameConfig"):
        gymnasium.make(V1, data_set=data_set, game_config=3)


def test_the_frame_rate_shown_is_the_config_s(data_set: Path, config: GameConfig):
    slow = replace(config, spectrogram_params=replace(config.spectrogram_params, fps=10))
    envs = ScoreFollowingEnv(data_set, slow), ScoreFollowingVectorEnv(2, data_set, slow)
    assert [env.metadata["render_fps"] for env in envs] == [10, 10]
    assert ScoreFollowingEnv(data_set).metadata["render_fps"] == ScoreFollowingEnv.metadata["render_fps"] == 20


def test_info_says_whether_the_music_is_lost_and_how_much_was_tracked(bank: ScoreBank):
    """At the end of an episode, what the evaluation says of it."""
    env = ScoreFollowingEnv(bank)
    for name, action in (("b_long", 1), ("b_long", None), ("a_short", 2)):
        _, info = env.reset(options={"piece": name})
        onsets = bank.pieces[bank.names.index(name)].onset_frames
        over = False
        while not over:
            assert info["lost"] is False
            assert info["tracking_ratio"] == (onsets <= info["frame"]).sum() / len(onsets)
            behind = info["true_coord"] > info["sheet_coord"] + 3 * info["sheet_speed"]
            _, _, over, _, info = env.step((2 if behind else 0) if action is None else action)
        assert info["lost"] == (abs(int(info["tracking_error"])) > bank.config.threshold)
        assert info["lost"] == (info["tracking_ratio"] < 1) == (action is not None)
        assert info["tracking_ratio"] == Episode(name, info["frame"], onsets, onsets[:0], onsets[:0]).ratio


def test_observations_as_dict_are_those_of_the_tuple(bank: ScoreBank):
    pair, named = ScoreFollowingEnv(bank), ScoreFollowingEnv(bank, observations="dict")
    assert dict(named.observation_space) == dict(zip(("spectrogram", "sheet"), pair.observation_space))
    expected, observation = pair.reset(seed=3)[0], named.reset(seed=3)[0]
    for _ in range(10):
        assert observation in named.observation_space
        np.testing.assert_array_equal(observation["spectrogram"], expected[0])
        np.testing.assert_array_equal(observation["sheet"], expected[1])
        expected, observation = pair.step(2)[0], named.step(2)[0]
    for make_one in (ScoreFollowingEnv, ScoreFollowingVectorEnv):
        with pytest.raises(ValueError, match="observations is 'list', expected 'tuple' or 'dict'"):
            make_one(data_set=bank, observations="list")


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


def test_bounded_actions_suit_tools_that_need_a_finite_space(data_set: Path):
    env = make(data_set, "nottingham_continuous", action_bound=0.7)
    assert env.action_space == gymnasium.spaces.Box(-0.7, 0.7, (1,), np.float32)
    rescaled = gymnasium.wrappers.RescaleAction(env, -1.0, 1.0)
    rescaled.reset(seed=0)
    assert rescaled.step(np.array([-1.0], np.float32))[4]["sheet_speed"] == pytest.approx(-0.7)
    for action in (0.7, np.array([0.7]), np.array([0.7], np.float32), -0.7):
        env.reset(seed=0)
        env.unwrapped.step(action)
    with pytest.raises(ValueError, match=r"expected at most the action_bound, 0.7; .*ClipAction"):
        env.unwrapped.step([0.71])
    vector = ScoreFollowingVectorEnv(2, env.unwrapped.bank, action_bound=0.7)
    vector.reset(seed=0)
    with pytest.raises(ValueError, match="action_bound"):
        vector.step(np.array([[0.5], [-0.8]], np.float32))
    for bound in (0, -1, np.inf, np.nan, "1"):
        with pytest.raises(ValueError, match=r"action_bound is .* expected a number of pixels per frame above 0"):
            make(data_set, "nottingham_continuous", action_bound=bound)
    with pytest.raises(ValueError, match="this game has 3 actions: it is not continuous"):
        make(data_set, action_bound=1)


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
