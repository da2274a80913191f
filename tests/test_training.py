"""Training: returns and losses by hand, refinement, run directories, and that agents learn."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from learning_tools import fresh_network, narrow
from small_piece import write_small_piece

from score_following_game.agents.loading import resolve_network_and_config
from score_following_game.config import GameConfig, load_game_config
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.metrics import alignment_stats
from score_following_game.reinforcement_learning.algorithms.losses import Diverged, Losses, optimiser_step
from score_following_game.reinforcement_learning.logger import Stopwatch
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import discounted_returns, generalised_advantages
from score_following_game.reinforcement_learning.run_directory import create_run_directory, run_name
from score_following_game.reinforcement_learning.schedule import RefinementSchedule
from score_following_game.reinforcement_learning.settings import Settings, settings_from
from score_following_game.reinforcement_learning.trainer import Trainer


def test_returns_and_advantages_by_hand():
    rewards = torch.tensor([[1.0], [2.0], [3.0]])
    masks = torch.tensor([[1.0], [0.0], [1.0]])  # the second step ended its game
    values = torch.tensor([[0.5], [1.0], [2.0]])
    returns = discounted_returns(rewards, masks, torch.tensor([10.0]), 0.9)
    torch.testing.assert_close(returns[:, 0], torch.tensor([1 + 0.9 * 2, 2.0, 3 + 0.9 * 10]))
    advantages = generalised_advantages(rewards, masks, values, torch.tensor([10.0]), 0.9, 0.5)
    last = 3 + 0.9 * 10 - 2
    middle = 2.0 - 1
    first = 1 + 0.9 * 1.0 - 0.5 + 0.9 * 0.5 * middle
    torch.testing.assert_close(advantages[:, 0], torch.tensor([first, middle, last]))


def test_rollouts_restart_ended_games_and_count_their_returns(bank: ScoreBank, config: GameConfig):
    network = fresh_network(config)
    sampler = StartSampler(bank, 0)
    collector = RolloutCollector(bank, 8, network, sampler, 0, torch.float32)
    rollouts = [collector.collect(10) for _ in range(8)]
    ended = torch.cat([1 - rollout.masks for rollout in rollouts])
    assert ended.sum() >= 8
    rewards = torch.cat([rollout.rewards for rollout in rollouts])
    frames = torch.cat([rollout.positions.frame.view(10, 8) for rollout in rollouts])
    for game in range(8):
        ends = ended[:, game].nonzero()[:, 0]
        assert (frames[ends[:-1] + 1, game] == 0).all()  # the step after an end sees a new beginning
        begin, end = (ends[-2] + 1 if len(ends) > 1 else 0), ends[-1]
        assert collector.last_return[game].item() == pytest.approx(rewards[begin : end + 1, game].sum().item(), abs=1e-4)


def test_refinement_continues_from_the_best_parameters(capsys: pytest.CaptureFixture):
    network = torch.nn.Linear(1, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    schedule = RefinementSchedule(patience=2, refinements=1, lr_multiplier=0.1)

    def train_a_step() -> None:
        network(torch.ones(1, 1)).sum().backward()
        optimiser.step()

    assert schedule.step(0.5, network, optimiser)
    best = network.weight.clone()
    train_a_step()
    assert not schedule.step(0.5, network, optimiser)  # a tie is no improvement
    assert not schedule.step(0.4, network, optimiser)
    assert torch.equal(network.weight, best)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.01)
    train_a_step()
    assert not torch.equal(network.weight, best)  # the optimiser still moves the network in use
    assert not schedule.stopped
    schedule.step(0.1, network, optimiser)
    schedule.step(0.1, network, optimiser)
    assert schedule.stopped
    assert optimiser.param_groups[0]["lr"] == 0
    printed = capsys.readouterr().out
    assert "Impatience Level 1 of 2\nImpatience Level 2 of 2\nReset model\nRefine learning rate from 0.1 to 0.01" in printed
    assert "No more refinement steps. Setting learning rate to 0" in printed


def test_run_directories_are_named_as_published_and_found_again(tmp_path: Path, config: GameConfig):
    settings = Settings(
        train_set="some/my-set_train",
        param_root=str(tmp_path),
        net="ScoreFollowingNetNottinghamLS",
        game_config="game_configs/nottingham_ls1.yaml",
    )
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    name = run_name(settings, when)
    assert name.startswith("a2c-ScoreFollowingNetNottinghamLS-my_set_train-nottingham_ls1_20260102_030405-")
    first, second = (create_run_directory(settings, load_game_config(settings.game_config), when) for _ in range(2))
    assert (first.name, second.name) == (name, f"{name}-2")
    for name in ("best_model.pt", "x.pt", "../loose.pt"):
        (second / name).touch()
    net, found = resolve_network_and_config(second / "best_model.pt")
    assert (net, found) == ("ScoreFollowingNetNottinghamLS", load_game_config(settings.game_config))
    # The files win over the name; without them the name tells; given arguments win over both.
    content = yaml.safe_load((second / "game_config.yaml").read_text()) | {"reward_window": 7}
    (second / "game_config.yaml").write_text(yaml.safe_dump(content))
    assert resolve_network_and_config(second / "best_model.pt")[1].reward_window == 7
    for file in second.glob("*.yaml"):
        file.unlink()
    assert resolve_network_and_config(second / "best_model.pt") == (net, found)
    assert resolve_network_and_config(second / "x.pt", "ScoreFollowingNet", "nottingham.yaml") == ("ScoreFollowingNet", config)
    with pytest.raises(UserError, match=r"loose.pt: .*give the network"):
        resolve_network_and_config(tmp_path / "loose.pt")
    # A name of 2018, where the training set's may hold a -; curves of another parameter root keep their folder.
    for config_name in ("nottingham_ls1", "unheard_of"):
        folder = tmp_path / f"a2c-{net}-my-set_train-{config_name}_20180102_030405-a-user"
        folder.mkdir()
        (folder / "best_model.pt").touch()
    published = tmp_path / f"a2c-{net}-my-set_train-nottingham_ls1_20180102_030405-a-user"
    assert resolve_network_and_config(published / "best_model.pt") == (net, found)
    with pytest.raises(UserError, match=r"unheard_of.*give the game config"):
        resolve_network_and_config(folder / "best_model.pt")
    (tmp_path / "runs" / run_name(settings, when)).mkdir(parents=True)
    elsewhere = replace(settings, param_root=str(tmp_path / "other"), log_root=str(tmp_path / "runs"))
    assert create_run_directory(elsewhere, config, when).name == f"{run_name(settings, when)}-2"


def test_a_run_cools_by_steps_or_by_time_whichever_is_further(config: GameConfig, tmp_path: Path):
    values = {"agent": "lookahead", "n_worker": 2, "no_log": True, "threads": 1, "optim_params": "{lr: 1e-3}", "final_lr": 1e-5}
    for limits, expected in (
        ({"anneal_minutes": 1.0}, [0.25, 0.5, 1.0]),
        ({"anneal_steps": 100}, [0.6, 0.6, 0.6]),
        ({"anneal_minutes": 1.0, "anneal_steps": 100}, [0.6, 0.6, 1.0]),
    ):
        trainer = Trainer(settings_from({**values, **limits}), config, tmp_path)
        trainer.steps = 60
        for seconds, progress in zip((15, 30, 90), expected):
            trainer.watch = Stopwatch(seconds)
            trainer._anneal()
            assert trainer.learner.progress == pytest.approx(progress)
            assert trainer.optimiser.param_groups[0]["lr"] == pytest.approx(1e-3 * 0.01**progress)


def test_the_average_is_judged_and_the_learning_rate_cools(config: GameConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every update is followed by an evaluation; after a refinement network and average continue from the best average."""
    trainer = Trainer(
        settings_from(
            {
                "agent": "lookahead",
                "n_worker": 2,
                "t_max": 3,
                "memory": 20,
                "batch_size": 1,
                "max_updates": 4,
                "eval_interval": 1,
                "averaging": 0.5,
                "anneal_steps": 24,
                "final_lr": 1e-5,
                "optim_params": "{lr: 1e-3}",
                "patience": 2,
                "max_refinements": 9,
                "lr_multiplier": 0.1,
                "eval_trials": 1,
                "no_log": True,
                "threads": 1,
            }
        ),
        config,
        tmp_path,
    )
    scores = iter([0.5, 0.4, 0.3, 0.2])  # the first is the best; the third refines
    judged, trained, rates = [], [], []

    def judge(log: object) -> object:
        trainer.evaluated_at = trainer.updates
        judged.append(copy_of(trainer.judged))
        trained.append(copy_of(trainer.network))
        rates.append(trainer.optimiser.param_groups[0]["lr"])
        return replace(stats, global_tracking_ratio=next(scores))

    stats = alignment_stats([Episode("piece", 5, np.array([0, 5]), np.array([5]), np.array([0.0]))])
    monkeypatch.setattr(trainer, "_evaluate", judge)
    trainer.train()
    assert rates == pytest.approx([1e-3 * 0.01 ** (n / 4) * (0.1 if n == 4 else 1) for n in (1, 2, 3, 4)])
    key = "policy_out.weight"
    assert torch.equal(judged[0][key], trained[0][key])  # an average begins with what is there
    torch.testing.assert_close(judged[1][key], (judged[0][key] + trained[1][key]) / 2)
    assert not torch.equal(judged[1][key], trained[1][key])
    # Adam moves a parameter by about its rate, so after the refinement the network is next to the best average again.
    assert (trained[2][key] - judged[0][key]).abs().max() > 1e-4
    assert (trained[3][key] - judged[0][key]).abs().max() < 1e-4
    torch.testing.assert_close(judged[3][key], (judged[0][key] + trained[3][key]) / 2)


def test_a_trainer_without_a_run_directory_writes_nothing(config: GameConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """sf_experiment.py builds the trainer before the directory, so that a mistake leaves nothing behind."""
    trainer = Trainer(settings_from({"n_worker": 2, "t_max": 2, "max_updates": 1, "no_log": True}), config)
    monkeypatch.chdir(tmp_path)
    for attempt in (trainer.train, trainer.save_checkpoint):
        with pytest.raises(ValueError, match="has no run directory"):
            attempt()
    assert not list(tmp_path.iterdir())


def copy_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


@pytest.mark.slow
def test_lookahead_learns_a_trivial_game(config: GameConfig, tmp_path: Path, tiny_networks: None):
    """Music that stands still: the agent must learn to stay where it is, while a random policy drifts away."""
    standing = write_small_piece(tmp_path / "data", notes=20, spacing=0)
    torch.manual_seed(1)
    trainer = Trainer(
        settings_from(
            {
                "agent": "lookahead",
                "net": "Tiny",
                "train_set": str(standing),
                "eval_set": str(standing),
                "no_log": True,
                "threads": 1,
                "n_worker": 16,
                "t_max": 8,
                "max_updates": 30,
                "temperature": 0.05,
                "random_start": 1.0,
                "entropy_coef": 0.01,
                "max_grad_norm": 0.5,
                "optim_params": "{lr: 2e-2}",
                "ppo_epochs": 2,
                "batch_size": 4,
                "eval_trials": 3,
                "log_interval": 1000,
                "precision": "auto",
            }
        ),
        narrow(config),
        tmp_path,
    )
    before = trainer.collector.collect(60).rewards.mean()
    trainer.train()
    after = trainer.collector.collect(60).rewards.mean()
    assert after > 0.82 > before
    assert yaml.safe_load((tmp_path / "best_model.yaml").read_text())["global_tracking_ratio"] == 1


def test_a_finite_loss_is_required_and_parameters_stay(config: GameConfig):
    network = fresh_network(config)
    before = network.policy_out.bias.clone()
    network.policy_out.bias.grad = torch.tensor([float("nan"), 0, 0])
    with pytest.raises(Diverged, match=r"policy loss 0.5, .*gradient norm nan"):
        optimiser_step(network, torch.optim.SGD(network.parameters(), 1.0), Losses(policy=0.5), 0.5)
    assert torch.equal(network.policy_out.bias, before)
