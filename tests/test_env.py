"""The gymnasium views: registration, checks, infos, autoreset, equality with gymnasium's own vectorisation."""

import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from conftest import ROOT
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

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
V0, V1 = "ScoreFollowing-v0", "ScoreFollowing-v1"


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


def vector_envs(bank: ScoreBank, n: int, mode: AutoresetMode, **options: object) -> tuple[VectorEnv, VectorEnv]:
    """Ours, and gymnasium's own vector environment of single ones."""
    ours = ScoreFollowingVectorEnv(n, bank, autoreset_mode=mode, **options)
    theirs = SyncVectorEnv([lambda: ScoreFollowingEnv(bank, **options)] * n, autoreset_mode=mode)
    assert ours.metadata["autoreset_mode"] == mode
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    return ours, theirs


@pytest.mark.parametrize("kind", ["tuple", "dict"])
@pytest.mark.parametrize("mode", AutoresetMode)
def test_vector_env_is_what_gymnasium_would_make_of_single_ones(bank: ScoreBank, mode: AutoresetMode, kind: str):
    ours, theirs = vector_envs(bank, 5, mode, observations=kind)
    same(ours.reset(seed=11), theirs.reset(seed=11))
    rng = np.random.default_rng(0)
    ended = np.zeros(5, bool)
    count = 0
    for _ in range(150):
        if mode == AutoresetMode.DISABLED and ended.any():
            same(*(env.reset(options={"reset_mask": ended.copy()}) for env in (ours, theirs)))
        actions = rng.integers(0, 3, 5)
        result = ours.step(actions)
        same(result, theirs.step(actions))
        ended = result[2]
        count += ended.sum()
        if mode == AutoresetMode.SAME_STEP and ended.any():
            assert result[4]["final_obs"][ended][0] in ours.single_observation_space
    assert count >= 5


@pytest.mark.parametrize("mode", AutoresetMode)
def test_some_games_begin_again_while_the_others_go_on(bank: ScoreBank, mode: AutoresetMode):
    ours, theirs = vector_envs(bank, 4, mode)
    same(ours.reset(seed=5), theirs.reset(seed=5))
    actions = np.array([1, 2, 2, 1])
    for mask, seed, piece in (([1, 0, 0, 1], None, None), ([0, 1, 1, 0], 3, "wide"), ([0, 0, 0, 1], [None] * 4, None)):
        for _ in range(4):
            same(ours.step(actions), theirs.step(actions))
        mask = np.array(mask, bool)
        options = {"reset_mask": mask} | ({"piece": piece} if piece else {})
        given = dict(options)
        same(ours.reset(seed=seed, options=options), theirs.reset(seed=seed, options=dict(options)))
        assert options == given  # gymnasium's own removes the mask from the caller's dict
    same(ours.step(actions), theirs.step(actions))


def test_with_autoreset_disabled_every_ended_game_must_be_reset(bank: ScoreBank):
    env = ScoreFollowingVectorEnv(2, bank, piece=None, autoreset_mode="Disabled")
    with pytest.raises(ResetNeeded, match="all games before the first reset of some"):
        env.reset(options={"reset_mask": np.array([True, False])})
    env.reset(seed=1)
    terminated = np.zeros(2, bool)
    while not terminated.any():
        terminated = env.step(np.array([2, 1]))[2]
    assert not terminated.all()
    over = rf"games \[{terminated.argmax()}\] are over"
    with pytest.raises(ResetNeeded, match=over):
        env.step(np.array([1, 1]))
    env.reset(options={"reset_mask": ~terminated})
    with pytest.raises(ResetNeeded, match=over):
        env.step(np.array([1, 1]))
    env.reset(options={"reset_mask": terminated})
    env.step(np.array([1, 1]))


def test_unknown_modes_and_masks_are_refused(bank: ScoreBank):
    for mode in ("same_step", "Never", None, 1):
        with pytest.raises(ValueError, match="expected one of NextStep, SameStep, Disabled"):
            ScoreFollowingVectorEnv(2, bank, autoreset_mode=mode)
    env = ScoreFollowingVectorEnv(2, bank)
    env.reset(seed=1)
    for mask, kind in (([True, False], TypeError), (np.array([1, 0]), TypeError), (np.zeros(2, bool), ValueError),
                       (np.ones(3, bool), ValueError)):  # fmt: skip
        with pytest.raises(kind, match="reset_mask"):
            env.reset(options={"reset_mask": mask})
    with pytest.raises(ValueError, match="unknown key mask; known are piece, reset_mask"):
        env.reset(options={"mask": np.ones(2, bool)})


@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_pictures_of_a_vector_env_are_those_of_single_ones(bank: ScoreBank, mode: AutoresetMode):
    """With the rewards and scores of each game, also after a game has begun again."""
    ours, theirs = vector_envs(bank, 2, mode, render_mode="rgb_array")
    ours.reset(seed=3)
    theirs.reset(seed=3)
    pictures, begun = [], 0
    for _ in range(40):
        pictures.append([ours.render(), theirs.render()])
        terminated, _ = (env.step(np.array([2, 1]))[2] for env in (ours, theirs))
        begun += terminated.sum()
        if mode == AutoresetMode.DISABLED and terminated.any():
            break
    pictures.append([ours.render(), theirs.render()])
    assert begun
    for own, other in pictures[::4] + pictures[-1:]:
        for picture, expected in zip(own, other, strict=True):
            np.testing.assert_array_equal(picture, expected)


def test_make_vec_takes_the_modes_by_name(data_set: Path):
    env = gymnasium.make_vec(V1, num_envs=3, data_set=data_set, autoreset_mode="NextStep")
    assert isinstance(env.unwrapped, ScoreFollowingVectorEnv)
    assert env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    assert set(env.reset(seed=1)[0]) == {"spectrogram", "sheet"}


def test_the_entry_point_registers_both_environments():
    """Tools that list the group gymnasium.envs find it; gymnasium itself imports the module before the colon of an id."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (value,) = project["entry-points"]["gymnasium.envs"].values()
    code = (
        "import importlib, gymnasium; assert 'ScoreFollowing-v1' not in gymnasium.registry\n"
        f"module, _, name = {value!r}.partition(':'); getattr(importlib.import_module(module), name)()\n"
        "print(*[id for id in gymnasium.registry if id.startswith('ScoreFollowing')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.split() == [V0, V1]


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
