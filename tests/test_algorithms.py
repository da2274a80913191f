"""All algorithms: the networks and games each supports, and that each learns a trivial game."""

from pathlib import Path

import pytest
import torch
from learning_tools import LSTM, collect, fresh_network, narrow
from small_piece import write_small_piece

from score_following_game.agents.policy import NormalPolicy
from score_following_game.config import GameConfig, freely_moving
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.algorithms.losses import Diverged
from score_following_game.reinforcement_learning.algorithms.reinforce import EpisodeCollector
from score_following_game.reinforcement_learning.algorithms.table import algorithm_for
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.settings import settings_from
from score_following_game.reinforcement_learning.trainer import Trainer


def test_a_normal_policy_is_torchs(continuous_bank: ScoreBank):
    mean, std, actions = torch.randn(50), torch.rand(50) + 0.1, torch.randn(50)
    policy, theirs = NormalPolicy.from_output(torch.stack([mean, std], 1)), torch.distributions.Normal(mean, std)
    torch.testing.assert_close(policy.log_prob(actions), theirs.log_prob(actions))
    torch.testing.assert_close(policy.entropy(), theirs.entropy())
    assert torch.equal(policy.mode(), mean)
    drawn = NormalPolicy(torch.full((20000,), 3.0), torch.full((20000,), 0.5)).sample(torch.Generator().manual_seed(0))
    assert (float(drawn.mean()), float(drawn.std())) == pytest.approx((3.0, 0.5), abs=0.02)


@pytest.mark.parametrize(
    ("agent", "net", "budget"),
    [
        ("a2c", "ScoreFollowingNetBN", {"n_worker": 1}),
        ("reinforce", "ScoreFollowingNetBN", {}),
        ("ppo", "ScoreFollowingNetSELU01", {"n_worker": 2}),
        ("a2c", "ScoreFollowingNetSELU01", {"n_worker": 2}),
    ],
)
def test_networks_with_batch_statistics_are_trained(bank: ScoreBank, agent: str, net: str, budget: dict):
    settings = settings_from({"agent": agent, "net": net, **budget})
    algorithm, network = algorithm_for(settings, bank.config)
    collector = algorithm.collector(
        bank, settings.n_worker, network.train(), StartSampler(bank, 0), 0, torch.float32, keep=algorithm.keeps_passes
    )
    before = network.policy_out.weight.clone()
    learner = algorithm.learner(
        network, torch.optim.Adam(network.parameters()), bank, settings, torch.float32, torch.Generator().manual_seed(0)
    )
    rollout = collector.collect(5)
    assert not rollout.recorded  # other batches have other statistics
    learner.update(rollout)
    assert not torch.equal(network.policy_out.weight, before)


def test_a_policy_that_is_not_finite_is_reported(continuous_bank: ScoreBank):
    network = fresh_network(continuous_bank.config, "ScoreFollowingNetContinuous")
    torch.nn.init.constant_(network.mu_out.bias, float("nan"))
    for kind in (RolloutCollector, EpisodeCollector):
        with pytest.raises(Diverged, match="the network's output is not finite"):
            collect(continuous_bank, network, 3, 4, kind)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agent": "a2c", "net": LSTM}, "use --agent a2c_lstm"),
        ({"agent": "a2c_lstm"}, "needs an LSTM network, but --net ScoreFollowingNet has no LSTM"),
        ({"agent": "ppo", "net": "BaselineNet"}, "needs a critic, but --net BaselineNet has none; use --agent reinforce"),
        ({"agent": "reinforce", "net": "BaselineNet"}, "needs a critic"),
        ({"agent": "lookahead", "net": "ScoreFollowingNetContinuous"}, "supports discrete games only"),
        ({"agent": "localisation", "net": LSTM}, "excludes LSTM and continuous networks; use BaselineNet"),
    ],
)
def test_an_unsuitable_network_is_refused(config: GameConfig, options: dict, message: str):
    game = freely_moving(config) if "Continuous" in options.get("net", "") else config
    with pytest.raises(UserError, match=message):
        algorithm_for(settings_from(options), game)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("agent", "net", "notes", "lr", "budget"),
    [
        ("reinforce", "Tiny", 40, 3e-3, {"n_worker": 16, "max_updates": 32}),
        ("a2c", "Tiny", 20, 3e-3, {"n_worker": 32, "t_max": 5, "max_updates": 60}),
        ("ppo", "Tiny", 20, 3e-3, {"n_worker": 32, "t_max": 8, "max_updates": 30}),
        ("reinforce", "TinyPolicy", 20, 3e-3, {"n_worker": 16, "max_updates": 15, "no_baseline": True}),
        ("reinforce", "TinyContinuous", 40, 1e-3, {"n_worker": 64, "max_updates": 48}),
        ("a2c", "TinyContinuous", 40, 3e-4, {"n_worker": 64, "t_max": 8, "max_updates": 120}),
        ("ppo", "TinyContinuous", 40, 3e-3, {"n_worker": 32, "t_max": 8, "max_updates": 120, "discounting": 0.95}),
        ("a2c_lstm", "TinyLSTM", 40, 3e-3, {"n_worker": 32, "t_max": 5, "max_updates": 120}),
        ("a2c_lstm", "TinyLSTM", 40, 3e-3, {"n_worker": 32, "t_max": 8, "max_updates": 120, "bptt": True}),
        ("a2c_lstm", "TinyLSTMContinuous", 40, 1e-3, {"n_worker": 64, "t_max": 16, "max_updates": 150}),
    ],
)
def test_each_learns_a_trivial_game(
    config: GameConfig,
    tiny_networks: None,
    tmp_path: Path,
    agent: str,
    net: str,
    notes: int,
    lr: float,
    budget: dict,
):
    """A narrow window on even music, with games that start at its speed: the agent must learn not to change it."""
    even = write_small_piece(tmp_path / "data", notes=notes, spacing=40)
    torch.manual_seed(1)
    trainer = Trainer(
        settings_from(
            {
                "agent": agent,
                "net": net,
                "train_set": str(even),
                "eval_set": str(even),
                "no_log": True,
                "threads": 1,
                "seed": 1,
                "random_start": 1.0,
                "entropy_coef": 0.001,
                "max_grad_norm": 0.5,
                "ppo_epochs": 2,
                "batch_size": 4,
                "eval_trials": 1,
                "optim_params": {"lr": lr, "betas": (0.9, 0.999)},
                "log_interval": 1000,
                **budget,
            }
        ),
        freely_moving(narrow(config)) if "Continuous" in net else narrow(config),
        tmp_path,
    )
    before = mean_return(trainer, steps=5 * notes)
    trainer.train()
    assert mean_return(trainer, steps=5 * notes) > 1.6 * before


def mean_return(trainer: Trainer, steps: int) -> float:
    """Mean return of the latest episodes of 64 games after so many steps with the present parameters."""
    sampler = StartSampler(trainer.train_bank, 7, 1.0)
    collector = RolloutCollector(trainer.train_bank, 64, trainer.network, sampler, 7, torch.float32)
    collector.collect(steps)
    return float(collector.last_return.nanmean())
