"""A2C and PPO: their losses and gradients by hand, with dropout, LSTMs and continuous actions."""

import math
from dataclasses import replace

import pytest
import torch
from learning_tools import LSTM, chosen, collect, fresh_network, gradients, gradients_of, mean_entropy, require_equal, update
from small_piece import write_small_piece
from torch import Tensor

from score_following_game.agents.networks import ActorCritic
from score_following_game.config import load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.observation import observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.reinforcement_learning.algorithms.a2c import A2C
from score_following_game.reinforcement_learning.algorithms.ppo import PPO
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout, discounted_returns, generalised_advantages

ONE_MINIBATCH = {"agent": "ppo", "ppo_epochs": 1, "n_worker": 4, "t_max": 6, "batch_size": 6}


def judged_now(network: ActorCritic, bank: ScoreBank, rollout: Rollout) -> tuple[Tensor, Tensor, Tensor]:
    """Returns log pi(a) and value of each step with the present parameters, and the mean entropy."""
    logits, value = network(observe(bank, rollout.positions))
    return chosen(logits, rollout.actions), value[:, 0], mean_entropy(logits)


def advantages_of(rollout: Rollout) -> Tensor:
    return generalised_advantages(rollout.rewards, rollout.masks, rollout.values, rollout.last_values, 0.9, 0.95).flatten()


def normalised(advantages: Tensor) -> Tensor:
    return (advantages - advantages.mean()) / advantages.std()


@pytest.fixture(scope="module")
def piano_bank(tmp_path_factory: pytest.TempPathFactory) -> ScoreBank:
    config = load_game_config("mutopia_lchs1.yaml")
    folder = write_small_piece(tmp_path_factory.mktemp("piano"), height=200, spacing=60)
    return ScoreBank(load_data_set(folder, config), config)


def test_a2c_gradient_is_that_of_the_published_loss(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    network = fresh_network(bank.config)
    rollout = collect(bank, network)
    monkeypatch.setattr("score_following_game.agents.inference.CHUNK_VALUES", 7 * 13560)  # several uneven chunks
    losses, found = update(A2C, network, bank, rollout, agent="a2c"), gradients_of(network)
    returns = discounted_returns(rollout.rewards, rollout.masks, rollout.last_values, 0.9).flatten()
    logits, value = network(observe(bank, rollout.positions))
    advantage, entropy = returns - value[:, 0], mean_entropy(logits)
    policy_loss = -(advantage.detach() * chosen(logits, rollout.actions)).mean()
    require_equal(found, network, policy_loss + 0.5 * advantage.square().mean() - 0.05 * entropy)
    assert losses.entropy == pytest.approx(entropy.item(), abs=1e-5)
    assert losses.value == pytest.approx(advantage.square().mean().item(), rel=1e-4)


def test_a2c_updates_the_very_sub_networks_that_acted(piano_bank: ScoreBank):
    network = fresh_network(piano_bank.config, "ScoreFollowingNetMSMDLCHSDeepDoLight").train()
    rollout = collect(piano_bank, network, games=3, t_max=2)
    log_probabilities = []
    for part in rollout.acting_chunks(piano_bank):
        logits = network(observe(piano_bank, rollout.positions.at(part)))[0]
        log_probabilities.append(chosen(logits, rollout.actions.flatten()[part]))
    torch.testing.assert_close(torch.cat(log_probabilities).view(2, 3), rollout.log_probabilities)


def test_continuous_a2c_gradient_is_that_of_the_published_loss(continuous_bank: ScoreBank):
    network = fresh_network(continuous_bank.config, "ScoreFollowingNetContinuous")
    rollout = collect(continuous_bank, network, 4, 5)
    found = gradients(A2C, network, continuous_bank, rollout, agent="a2c")
    returns = discounted_returns(rollout.rewards, rollout.masks, rollout.last_values, 0.9).flatten()
    output, value = network(observe(continuous_bank, rollout.positions))
    policy = torch.distributions.Normal(output[:, 0], output[:, 1])
    advantage = returns - value[:, 0]
    entropy = (0.5 + 0.5 * math.log(2 * math.pi) + output[:, 1].log()).mean()
    loss = -(advantage.detach() * policy.log_prob(rollout.actions.flatten())).mean() + 0.5 * advantage.square().mean()
    require_equal(found, network, loss - 0.05 * entropy)


@pytest.mark.parametrize(
    ("game", "name"),
    [
        ("bank", "ScoreFollowingNet"),
        ("piano_bank", "ScoreFollowingNetMSMDLCHSDeepDoLight"),
        ("bank", LSTM),
        ("continuous_bank", "ScoreFollowingNetContinuous"),
    ],
)
def test_ppo_ratios_begin_at_one(request: pytest.FixtureRequest, game: str, name: str):
    """At ratio 1 the policy loss is minus the mean of the normalised advantages, which is 0; dropout must not change that."""
    bank = request.getfixturevalue(game)
    network = fresh_network(bank.config, name).train()
    rollout = collect(bank, network, games=4, t_max=3)
    losses = update(PPO, network, bank, rollout, agent="ppo", ppo_epochs=1, n_worker=4, t_max=3)
    assert losses.policy == pytest.approx(0, abs=1e-5)
    assert losses.value > 0


def test_ppo_minibatches(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    network = fresh_network(bank.config)
    rollout = collect(bank, network, games=4, t_max=6)
    steps = []
    monkeypatch.setattr(PPO, "step", lambda *a: steps.append(1))
    update(PPO, network, bank, rollout, agent="ppo", ppo_epochs=3, n_worker=4, t_max=6, batch_size=2)
    assert len(steps) == 3 * 3  # 24 steps in minibatches of 2 * 4, three times


@pytest.mark.parametrize(("shift", "risen", "fallen"), [(5.0, 1.2, math.exp(5)), (-5.0, math.exp(-5), 0.8)])
def test_ppo_clips_far_from_the_old_policy(bank: ScoreBank, shift: float, risen: float, fallen: float):
    """All actions are e^shift times as likely as before; positive advantages count `risen` times, others `fallen` times."""
    network = fresh_network(bank.config)
    rollout = collect(bank, network, games=4, t_max=6)
    far = replace(rollout, log_probabilities=rollout.log_probabilities - shift)
    losses = update(PPO, network, bank, far, **ONE_MINIBATCH, value_coef=0, entropy_coef=0)
    normal = normalised(advantages_of(far))
    expected = -torch.where(normal > 0, risen * normal, fallen * normal).mean().item()
    assert losses.policy == pytest.approx(expected, rel=1e-3)
    # A clipped ratio carries no gradient: only the others are in it.
    clipped = normal > 0 if shift > 0 else normal < 0
    ratio = math.exp(shift) * (judged_now(network, bank, far)[0] - rollout.log_probabilities.flatten()).exp()
    require_equal(gradients_of(network), network, -(ratio * normal)[~clipped].sum() / 24)


def test_ppo_gradient_is_that_of_the_published_loss(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    """A minibatch with ratios inside and beyond both clip bounds, each with positive and negative advantages, and with a critic
    that has changed since the rollout."""
    network = fresh_network(bank.config)
    played = collect(bank, network, games=4, t_max=6)
    ratios = torch.tensor([0.5, 0.9, 1.1, 2.0]).repeat(6)
    rollout = replace(
        played,
        log_probabilities=(played.log_probabilities.flatten() - ratios.log()).view(6, 4),
        values=played.values + torch.linspace(-1, 1, 24).view(6, 4),
    )
    normal = normalised(advantages_of(rollout))
    for ratio in (0.5, 0.9, 1.1, 2.0):
        assert (normal[ratios == ratio] > 0).any() and (normal[ratios == ratio] < 0).any()
    monkeypatch.setattr("score_following_game.agents.inference.CHUNK_VALUES", 7 * 13560)  # several uneven chunks
    losses = update(PPO, network, bank, rollout, **ONE_MINIBATCH, ppo_epsilon=0.3, value_coef=0.7, entropy_coef=0.03)
    found = gradients_of(network)
    log_probabilities, value, entropy = judged_now(network, bank, rollout)
    ratio = (log_probabilities - rollout.log_probabilities.flatten()).exp()
    torch.testing.assert_close(ratio, ratios, atol=1e-4, rtol=0)
    # By the sign of the advantage: gains count up to 1.3 times, losses at least 0.7 times.
    policy_loss = -(torch.where(normal > 0, ratio.clamp(max=1.3), ratio.clamp(min=0.7)) * normal).mean()
    value_loss = (advantages_of(rollout) + rollout.values.flatten() - value).square().mean()
    require_equal(found, network, policy_loss + 0.7 * value_loss - 0.03 * entropy)
    for part, expected in (("policy", policy_loss), ("value", value_loss), ("entropy", entropy)):
        assert getattr(losses, part) == pytest.approx(expected.item(), rel=1e-3), part
