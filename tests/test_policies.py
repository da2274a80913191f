"""Anyone's policy, evaluated and followed: its figures are those of the evaluation script for the same agent."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import score_following_game as sfg
from score_following_game.agents.agents import Agent
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank

FIGURES = ("global_tracking_ratio", "tracked_until_end_ratio")  # R_on, R_tue


def mean_of(results: sfg.Results) -> list[float]:
    return [results.to_dict()["mean"][name] for name in FIGURES]


@pytest.mark.parametrize("way", ["sampled", "deterministic"])
def test_a_policy_has_the_figures_that_the_evaluation_script_prints_for_it(run, tmp_path: Path, way: str):
    options = ["--deterministic"] if way == "deterministic" else []
    script = ["eval_score_following.py", "--params", "nottingham", "--threads", 1, "--seed", 3]
    printed = run(*script, "--trials", 2, "--json", tmp_path / "r.json", *options).stdout
    expected = json.loads((tmp_path / "r.json").read_text())["mean"]
    agent = sfg.load_agent("nottingham", seed=3, deterministic=way == "deterministic")
    results = sfg.evaluate(agent.act, "test_sample", trials=2, game_config=agent.config)
    assert str(results) + "\n" == printed
    assert mean_of(results) == [expected[name] for name in FIGURES]


class Steady:
    """Holds a speed by what it remembers of each game: its own speed."""

    def __init__(self) -> None:
        self.speed: np.ndarray | None = None
        self.sizes: list[int] = []

    def __call__(self, observations):
        n = len(observations[0])
        if self.speed is None:
            self.speed = np.arange(n, dtype=float) / 2
        assert len(self.speed) == n
        self.sizes.append(n)
        moved = len(self.sizes) > 1
        return np.zeros(n) if moved else self.speed

    def keep(self, games: np.ndarray) -> None:
        assert games.dtype == np.bool_
        self.speed = self.speed[games]


class SteadyAgent(Agent):
    def perform_action(self, game: Game) -> torch.Tensor:
        begun = game.frame == 0
        return torch.where(begun, torch.arange(len(game), dtype=torch.float64) / 2, 0.0)


def test_a_policy_with_memory_hears_which_games_go_on(data_set: Path):
    policy = Steady()
    results = sfg.evaluate(policy, data_set, trials=2, game_config="nottingham_continuous")
    expected = sfg.evaluate(SteadyAgent(), data_set, trials=2, game_config="nottingham_continuous")
    assert str(results) == str(expected)
    assert policy.sizes[0] == 6 and policy.sizes[-1] < 6


def test_policies_take_observations_and_return_actions_in_their_own_form(data_set: Path):
    """A tuple or a dict, of all games or of one; a list, an array or a tensor."""

    def loudness(spec: np.ndarray) -> np.ndarray:
        return (spec.mean(axis=(-3, -2, -1)) > 0.05) * 1 + 1

    forms = [
        (lambda o: loudness(o[0]), {}),
        (lambda o: loudness(o[0]).tolist(), {"observations": "tuple", "batched": True}),
        (lambda o: torch.from_numpy(loudness(o["spectrogram"])), {"observations": "dict"}),
        (lambda o: int(loudness(o["spectrogram"])), {"observations": "dict", "batched": False}),
        (lambda o: loudness(o[0]), {"batched": False}),
    ]
    pieces = sfg.load_pieces(data_set)
    rows = [str(sfg.evaluate(policy, pieces, trials=1, **options)) for policy, options in forms]
    assert len(set(rows)) == 1
    x = [[moment.x for moment in sfg.follow(policy, pieces[1], **options)] for policy, options in forms]
    assert x.count(x[0]) == len(x)
    game, moved = Game(ScoreBank(pieces[1:2], pieces[1].heard_for), 1), []
    while len(moved) < len(x[0]):
        game.step(torch.from_numpy(loudness(game.observe()[0].numpy())))
        moved.append(float(game.x[0]) - game.config.sheet_pad)
    assert moved == x[0]


@pytest.mark.parametrize(
    ("policy", "options", "message"),
    [
        (lambda o: 1, {}, r"returned array\(1\), expected 3 indices from 0 to 2"),
        (lambda o: [0, 1, 3], {}, "expected 3 indices from 0 to 2"),
        (lambda o: [0, 1.0, 2], {}, "expected 3 indices from 0 to 2"),
        (lambda o: None, {}, "expected 3 indices from 0 to 2"),
        (lambda o: ([0, 1, 2], None), {}, r"returned a tuple, .*model\.predict\(o\)\[0\]"),
        (lambda o: [0, 1], {"batched": False}, "returned .* expected 1 index from 0 to 2"),
        (
            lambda o: [0.1, np.nan, 0],
            {"game_config": "nottingham_continuous"},
            "the policy's action is .*3 finite speed changes",
        ),
        (lambda o: "fast", {"game_config": "nottingham_continuous"}, "the policy's"),
        (lambda o: [1, 1, 1], {"observations": "list"}, "observations is 'list', expected 'tuple' or 'dict'"),
        ("nottingham", {}, "'nottingham' cannot play: expected load_agent"),
        (SteadyAgent, {}, "cannot play: expected load_agent"),
        (SteadyAgent(), {"observations": "dict"}, "describe a policy that is a function; leave them out"),
    ],
)
def test_what_is_no_policy_and_no_action_is_one_line(data_set: Path, policy, options: dict, message: str):
    with pytest.raises(sfg.UserError, match=message):
        sfg.evaluate(policy, data_set, trials=1, **options)
