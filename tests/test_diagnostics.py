"""Diagnostics of a run, by hand: KL, clip fraction, explained variance, action probabilities, how games end; their glossary."""

import math
import re

import pytest
import torch
from conftest import ROOT
from learning_tools import collect, fresh_network
from torch import Tensor

from score_following_game.environment.game import Step
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.a2c import A2C
from score_following_game.reinforcement_learning.algorithms.learner import Learner
from score_following_game.reinforcement_learning.algorithms.lookahead.learner import Lookahead
from score_following_game.reinforcement_learning.algorithms.ppo import PPO
from score_following_game.reinforcement_learning.algorithms.reinforce import EpisodeCollector
from score_following_game.reinforcement_learning.algorithms.supervised import Localisation
from score_following_game.reinforcement_learning.diagnostics import (
    Meter,
    console_line,
    diagnostics,
    explained_variance,
    no_outcomes,
    outcomes_of,
)
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout
from score_following_game.reinforcement_learning.settings import settings_from

NO_GAMES = [0.0] * 5


def learner_of(kind: type[Learner], bank: ScoreBank, net: str = "ScoreFollowingNet", **settings) -> Learner:
    network = fresh_network(bank.config, net)
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    return kind(network, still, bank, settings_from(settings), torch.float32, torch.Generator().manual_seed(0))


def test_means_are_over_all_that_was_added_since_the_last_reading():
    meter = Meter()
    meter.add("number", torch.tensor([1.0, 2.0]))
    meter.add("number", torch.tensor([6.0]))
    meter.add("vector", torch.tensor([[1.0, 10.0], [3.0, 30.0]]))
    assert meter.read() == {"number": [3.0], "vector": [2.0, 20.0]}
    assert meter.read() == {}
    meter.add("number", torch.tensor([5.0]))
    assert meter.read() == {"number": [5.0]}


def test_kl_and_clip_fraction_by_hand():
    meter = Meter()
    meter.add_ratios(torch.tensor([0.0, math.log(1.5), math.log(0.5), math.log(1.1)]), epsilon=0.2)
    means = meter.read()
    expected = (0 + 0.5 - math.log(1.5) - 0.5 - math.log(0.5) + 0.1 - math.log(1.1)) / 4
    assert means["approx_kl"] == [pytest.approx(expected, abs=1e-7)]
    assert means["clip_fraction"] == [0.5]


def test_explained_variance_by_hand():
    meter = Meter()
    meter.add_values(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 2.5]))
    meter.add_values(torch.tensor([3.0]), torch.tensor([2.0]))
    # Var(returns) = 2/3; residuals 0.5, -0.5, 1: mean 1/3, variance 1.5/3 - 1/9 = 7/18
    found = diagnostics(meter.read(), NO_GAMES, ())
    assert found == {"training/explained_variance": pytest.approx(1 - (7 / 18) / (2 / 3))}
    assert math.isnan(explained_variance(2.0, 4.0, 0.0, 1.0))  # all returns are equal


def test_a_constant_offset_of_the_critic_explains_no_less():
    meter = Meter()
    meter.add_values(torch.tensor([1.0, 5.0]), torch.tensor([11.0, 15.0]))
    assert diagnostics(meter.read(), NO_GAMES, ())["training/explained_variance"] == pytest.approx(1)


def test_how_games_end_by_hand():
    lost = torch.tensor([True, True, True, False, False])
    ended = torch.tensor([True, True, True, True, False])
    step = Step(torch.zeros(5), ended, lost, torch.tensor([60.0, -60.0, -70.0, 2.0, -3.0], dtype=torch.float64))
    outcomes = outcomes_of(step, torch.tensor([10, 20, 30, 100, 7]))
    assert outcomes.tolist() == [4, 1, 2, 1, 160]
    assert diagnostics({}, outcomes.tolist(), ()) == {
        "episodes/length": 40,
        "episodes/lost_ahead": 0.25,
        "episodes/lost_behind": 0.5,
        "episodes/finished": 0.25,
    }
    assert diagnostics({}, no_outcomes(torch.device("cpu")).tolist(), ()) == {}


@pytest.mark.parametrize("kind", [RolloutCollector, EpisodeCollector])
def test_a_collector_counts_the_games_that_end(bank: ScoreBank, kind: type[RolloutCollector]):
    torch.manual_seed(0)
    collector = kind(bank, 6, fresh_network(bank.config), StartSampler(bank, 0), 0, torch.float32)
    rollouts = [collector.collect(40) for _ in range(2)]
    ended, ahead, behind, finished, frames = collector.take_outcomes().tolist()
    assert ended == ahead + behind + finished > 0
    if kind is EpisodeCollector:
        assert (ended, frames) == (12, sum(float(rollout.played.sum()) for rollout in rollouts))
    else:
        masks = torch.cat([rollout.masks for rollout in rollouts])
        assert ended == float((1 - masks).sum())
        last_ends = [int(column.eq(0).nonzero().max()) + 1 if column.eq(0).any() else 0 for column in masks.T]
        assert frames == sum(last_ends)  # all steps of games that have ended, of games that start at frame 0
    assert not collector.take_outcomes().any()


def run_update(kind: type[Learner], bank: ScoreBank, rollout: Rollout, **settings) -> tuple[dict, Learner]:
    learner = learner_of(kind, bank, **settings)
    learner.update(rollout)
    return learner.meter.read(), learner


def gradient_norm(learner: Learner) -> float:
    return math.sqrt(sum(float(p.grad.square().sum()) for p in learner.network.parameters() if p.grad is not None))


def probabilities(bank: ScoreBank, rollout: Rollout) -> Tensor:
    logits = torch.cat([output for _, output, _ in rollout.passes(fresh_network(bank.config), bank, torch.float32)])
    return logits.softmax(1).mean(0).double()


def test_an_a2c_update_reports_norm_probabilities_and_explained_variance(bank: ScoreBank):
    rollout = collect(bank, fresh_network(bank.config))
    means, learner = run_update(A2C, bank, rollout, agent="a2c")
    assert set(means) == {"gradient_norm", "probabilities", "moments"}
    assert means["gradient_norm"] == [pytest.approx(gradient_norm(learner), rel=1e-4)]
    assert means["probabilities"] == pytest.approx(probabilities(bank, rollout).tolist(), abs=1e-6)
    returns, values = rollout.returns(0.9), rollout.values.flatten()
    expected = 1 - float((returns - values).var(correction=0) / returns.var(correction=0))
    found = diagnostics(means, NO_GAMES, bank.config.actions)
    assert found["training/explained_variance"] == pytest.approx(expected, rel=1e-3)
    assert {tag for tag in found if "policy" in tag} == {f"policy/probability_{c:g}" for c in bank.config.actions}


def test_the_norm_is_the_one_before_clipping(bank: ScoreBank):
    rollout = collect(bank, fresh_network(bank.config))
    means, learner = run_update(A2C, bank, rollout, agent="a2c", max_grad_norm=1e-3)
    assert gradient_norm(learner) == pytest.approx(1e-3, rel=1e-2)
    assert means["gradient_norm"][0] > 0.1


def test_a_ppo_update_reports_kl_and_clip_fraction(bank: ScoreBank):
    """With a learning rate of 0 the policy is the old one; shifted by 1, every ratio is e and outside the clip range."""
    rollout = collect(bank, fresh_network(bank.config), games=4, t_max=6)
    options = {"agent": "ppo", "n_worker": 4, "t_max": 6, "batch_size": 2}
    means, _ = run_update(PPO, bank, rollout, **options)
    assert (means["approx_kl"], means["clip_fraction"]) == ([pytest.approx(0, abs=1e-6)], [0])
    rollout.log_probabilities.sub_(1)
    means, _ = run_update(PPO, bank, rollout, **options)
    assert (means["approx_kl"], means["clip_fraction"]) == ([pytest.approx(math.e - 2, rel=1e-3)], [1])


@pytest.mark.parametrize("kind", [A2C, PPO])
def test_continuous_games_report_the_standard_deviation(continuous_bank: ScoreBank, kind: type[Learner]):
    config = continuous_bank.config
    network = fresh_network(config, "ScoreFollowingNetContinuous")
    rollout = collect(continuous_bank, network, games=4, t_max=6)
    outputs = torch.cat([output for _, output, _ in rollout.passes(network, continuous_bank, torch.float32)])
    options = {"net": "ScoreFollowingNetContinuous", "n_worker": 4, "t_max": 6, "batch_size": 2}
    means, _ = run_update(kind, continuous_bank, rollout, **options)
    assert means["std"] == [pytest.approx(float(outputs[:, 1].mean()), rel=1e-5)] and "probabilities" not in means
    found = diagnostics(means, NO_GAMES, config.actions)
    assert {tag: value for tag, value in found.items() if "policy" in tag} == {"policy/std": means["std"][0]}
    assert "standard deviation of actions" in console_line(found)


def test_lookahead_and_localisation_report_what_applies_to_them(bank: ScoreBank):
    rollout = collect(bank, fresh_network(bank.config))
    means, _ = run_update(Lookahead, bank, rollout, agent="lookahead", n_worker=6, batch_size=2)
    assert set(means) == {"gradient_norm", "probabilities", "moments"}
    assert not Localisation.chooses_actions


def test_adding_reads_nothing_from_the_device(monkeypatch: pytest.MonkeyPatch):
    """A GPU would make the host wait for it."""
    values = torch.rand(5)
    monkeypatch.setattr(Tensor, "item", lambda self: pytest.fail("waits for the device"))
    monkeypatch.setattr(Tensor, "tolist", lambda self: pytest.fail("waits for the device"))
    meter = Meter()
    meter.add("x", values)
    meter.add_ratios(values, 0.2)
    meter.add_values(values, values)
    outcomes_of(Step(values, values > 0.5, values > 0.7, values), values)


def test_the_console_line():
    values = diagnostics({"gradient_norm": [0.123], "probabilities": [0.2, 0.8]}, [2, 1, 1, 0, 30], (-0.5, 0.5))
    assert console_line(values) == (
        "  gradient norm 0.123, games of 15 frames, lost ahead 50%, lost behind 50%, finished 0%, "
        "action probabilities 0.20 0.80"
    )
    assert console_line({}) == ""


def test_the_glossary_explains_every_logged_name():
    page = (ROOT / "docs" / "training_log.md").read_text()
    names = set(re.findall(r"^\| `([a-z_]+/[a-z_<>]+)`", page, re.MULTILINE))
    package = ROOT / "score_following_game" / "reinforcement_learning"
    source = (package / "logger.py").read_text() + (package / "diagnostics.py").read_text()
    logged = set(re.findall(r'"((?:training|charts|episodes)/[a-z_]+)"', source))
    assert len(logged) > 10
    assert logged | {"policy/probability_<change>", "policy/std", "eval/global_tracking_ratio"} <= names
