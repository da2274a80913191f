"""The gymnasium view of many games: equality with gymnasium's own vectorisation, autoreset, masks."""

import subprocess
import sys
import tomllib
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from conftest import ROOT
from env_tools import V0, V1
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

import score_following_game  # noqa: F401  (registers the environment)
from score_following_game.environment.env import ScoreFollowingEnv
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.vector_env import ScoreFollowingVectorEnv

pytestmark = pytest.mark.filterwarnings("ignore:.*ScoreFollowing-v0 is out of date")  # gymnasium says so of any v0 with a v1


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
