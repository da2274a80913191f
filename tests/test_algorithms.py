"""REINFORCE, LSTMs and continuous actions: by hand, and that each learns a trivial game. The rest is in test_training.py."""
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_piece import write_small_piece

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.architectures import ARCHITECTURES, CONTINUOUS, POLICY_ONLY, Architecture, Conv
from score_following_game.agents.localisation import PLACES, localisation_network, offset_of, place_of
from score_following_game.agents.networks import network_for
from score_following_game.agents.policy import NormalPolicy
from score_following_game.config import GameConfig, freely_moving
from score_following_game.environment.game import Game
from score_following_game.environment.observation import observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.metrics import alignment_stats
from score_following_game.reinforcement_learning.a2c import A2C
from score_following_game.reinforcement_learning.algorithms import algorithm_for
from score_following_game.reinforcement_learning.collector import RolloutCollector
from score_following_game.reinforcement_learning.losses import Diverged
from score_following_game.reinforcement_learning.ppo import PPO
from score_following_game.reinforcement_learning.reinforce import EpisodeCollector, Episodes, Reinforce
from score_following_game.reinforcement_learning.rollout import Rollout, discounted_returns
from score_following_game.reinforcement_learning.settings import settings_from, without_effect
from score_following_game.reinforcement_learning.supervised import WindowCollector
from score_following_game.reinforcement_learning.trainer import Trainer

LSTM = "ScoreFollowingNetLSTM"


@pytest.fixture(scope="module")
def continuous_bank(bank: ScoreBank) -> ScoreBank:
    return ScoreBank(bank.pieces, freely_moving(bank.config))


def fresh(bank: ScoreBank, name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return network_for(name, bank.config)


def collect(
    bank: ScoreBank, network: torch.nn.Module, games: int, t_max: int, kind: type = RolloutCollector, **more,
) -> Rollout:
    torch.manual_seed(0)
    return kind(bank, games, network, StartSampler(bank, 0, 0.5), 0, torch.float32, **more).collect(t_max)


def gradients(learner: type, network: torch.nn.Module, bank: ScoreBank, rollout: Rollout, **settings) -> list[torch.Tensor]:
    optimiser = torch.optim.SGD(network.parameters(), lr=0.0)
    learner(network, optimiser, bank, settings_from(settings), torch.float32, torch.Generator().manual_seed(0)).update(rollout)
    return [None if parameter.grad is None else parameter.grad.clone() for parameter in network.parameters()]


def require_equal(found: list[torch.Tensor], network: torch.nn.Module, loss: torch.Tensor) -> None:
    network.zero_grad()
    loss.backward()
    assert any(gradient is not None and gradient.abs().max() > 1e-4 for gradient in found)
    for gradient, parameter in zip(found, network.parameters(), strict=True):
        if parameter.grad is None:
            assert gradient is None or not gradient.any()
        else:
            torch.testing.assert_close(gradient, parameter.grad, atol=1e-5, rtol=1e-3)


def test_a_normal_policy_is_torchs(continuous_bank: ScoreBank):
    mean, std, actions = torch.randn(50), torch.rand(50) + 0.1, torch.randn(50)
    policy, theirs = NormalPolicy.from_output(torch.stack([mean, std], 1)), torch.distributions.Normal(mean, std)
    torch.testing.assert_close(policy.log_prob(actions), theirs.log_prob(actions))
    torch.testing.assert_close(policy.entropy(), theirs.entropy())
    assert torch.equal(policy.mode(), mean)
    drawn = NormalPolicy(torch.full((20000,), 3.0), torch.full((20000,), 0.5)).sample(torch.Generator().manual_seed(0))
    assert (float(drawn.mean()), float(drawn.std())) == pytest.approx((3.0, 0.5), abs=0.02)


def test_episodes_are_whole_and_their_returns_by_hand(bank: ScoreBank):
    network = fresh(bank, "ScoreFollowingNet")
    collector = EpisodeCollector(bank, 5, network, StartSampler(bank, 0), 0, torch.float32)
    episodes = collector.collect(1)
    lengths = episodes.played.sum(0).long()
    assert len(set(lengths.tolist())) > 1
    for game in range(5):
        own = torch.arange(5).repeat(len(episodes.played), 1)[episodes.played] == game
        assert episodes.positions.frame[own].tolist() == list(range(lengths[game]))  # from the start, none left out
        end = int(lengths[game]) - 1
        assert episodes.masks[:end, game].all() and not episodes.masks[end:, game].any()
        rewards = episodes.rewards[:end + 1, game].tolist()
        assert float(collector.last_return[game]) == pytest.approx(sum(rewards), abs=1e-4)
        wanted = [sum(0.9 ** (later - now) * rewards[later] for later in range(now, end + 1)) for now in range(end + 1)]
        assert episodes.returns(0.9)[own].tolist() == pytest.approx(wanted, abs=1e-4)
    with torch.no_grad():
        logits = network(observe(bank, episodes.positions))[0]
    chosen = torch.log_softmax(logits, 1).gather(1, episodes.actions[:, None])[:, 0]
    torch.testing.assert_close(chosen, episodes.log_probabilities)


@pytest.mark.parametrize(("name", "options"), [("ScoreFollowingNet", {}), ("BaselineNet", {"no_baseline": True}),
                                               ("ScoreFollowingNet", {"no_baseline": True})])
def test_reinforce_gradient_is_that_of_the_published_loss(bank: ScoreBank, name: str, options: dict):
    network = fresh(bank, name)
    episodes = collect(bank, network, 2, 1, EpisodeCollector)
    found = gradients(Reinforce, network, bank, episodes, agent="reinforce", **options)
    returns = episodes.returns(0.9)
    logits, value = network(observe(bank, episodes.positions))
    advantage = returns - (0 if options else value[:, 0])
    chosen = torch.log_softmax(logits, 1).gather(1, episodes.actions[:, None])[:, 0]
    loss = -(advantage.detach() * chosen).mean() + (0 if options else 0.5 * advantage.square().mean())
    require_equal(found, network, loss)


def test_dropout_masks_of_ended_games_do_not_shift_the_others(bank: ScoreBank):
    network = fresh(bank, "ScoreFollowingNetDo").train()
    episodes = collect(bank, network, 4, 1, EpisodeCollector)
    assert isinstance(episodes, Episodes)
    again = []
    with torch.no_grad():
        for _part, output, _values in episodes.passes(network, bank, torch.float32):
            again.append(torch.log_softmax(output, 1))
    chosen = torch.cat(again).gather(1, episodes.actions[:, None])[:, 0]
    torch.testing.assert_close(chosen, episodes.log_probabilities)


def test_continuous_a2c_gradient_is_that_of_the_published_loss(continuous_bank: ScoreBank):
    network = fresh(continuous_bank, "ScoreFollowingNetContinuous")
    rollout = collect(continuous_bank, network, 4, 5)
    found = gradients(A2C, network, continuous_bank, rollout, agent="a2c")
    returns = discounted_returns(rollout.rewards, rollout.masks, rollout.last_values, 0.9).flatten()
    output, value = network(observe(continuous_bank, rollout.positions))
    policy = torch.distributions.Normal(output[:, 0], output[:, 1])
    advantage = returns - value[:, 0]
    entropy = (0.5 + 0.5 * math.log(2 * math.pi) + output[:, 1].log()).mean()
    loss = -(advantage.detach() * policy.log_prob(rollout.actions.flatten())).mean() + 0.5 * advantage.square().mean()
    require_equal(found, network, loss - 0.05 * entropy)


@pytest.mark.parametrize("name", [LSTM, "ScoreFollowingNetContinuous"])
def test_ppo_ratios_begin_at_one_for_lstms_and_continuous_actions(bank: ScoreBank, continuous_bank: ScoreBank, name: str):
    there = continuous_bank if "Continuous" in name else bank
    network = fresh(there, name)
    rollout = collect(there, network, 4, 3)
    settings = settings_from({"agent": "ppo", "ppo_epochs": 1, "n_worker": 4, "t_max": 3})
    still = torch.optim.SGD(network.parameters(), lr=0.0)
    losses = PPO(network, still, there, settings, torch.float32, torch.Generator().manual_seed(0)).update(rollout)
    assert losses.policy == pytest.approx(0, abs=1e-5)


def test_an_lstms_memory_begins_anew_with_its_game(bank: ScoreBank):
    network = fresh(bank, LSTM)
    rollout = collect(bank, network, 6, 40)
    memory, ended = rollout.memory.unflatten(0, (40, 6)), rollout.masks[:-1] == 0
    assert ended.any() and not memory[0].any()
    assert not memory[1:][ended].any() and memory[1:][~ended].abs().amax((1, 2)).min() > 0


@pytest.mark.parametrize("keep", [False, True])
def test_an_lstms_gradient_ends_at_the_step(bank: ScoreBank, keep: bool):
    network = fresh(bank, LSTM)
    rollout = collect(bank, network, 3, 4, keep=keep)
    assert bool(rollout.recorded) == keep
    found = gradients(A2C, network, bank, rollout, agent="a2c_lstm")
    output, value, _memory = network(observe(bank, rollout.positions), memory=rollout.memory)
    require_equal(found, network, a2c_loss(rollout, output, value))


def test_back_propagation_through_time(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    network = fresh(bank, LSTM)
    rollout = collect(bank, network, 3, 30)
    assert (rollout.masks[:-1] == 0).any()  # a game that ends within
    monkeypatch.setattr("score_following_game.agents.inference.CHUNK_VALUES", 70 * 13560)  # games by twos
    found = gradients(A2C, network, bank, rollout, agent="a2c_lstm", bptt=True)
    memory, outputs, values = rollout.memory[:3], [], []
    for step in range(30):
        now = rollout.positions.at(slice(3 * step, 3 * step + 3))
        output, value, memory = network(observe(bank, now), memory=memory)
        memory = memory * rollout.masks[step][:, None, None]
        outputs.append(output)
        values.append(value)
    require_equal(found, network, a2c_loss(rollout, torch.cat(outputs), torch.cat(values)))
    alone = gradients(A2C, network, bank, rollout, agent="a2c_lstm")
    assert any(not torch.allclose(through, single, atol=1e-4) for through, single in zip(found, alone))


def a2c_loss(rollout: Rollout, output: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    log_probabilities = torch.log_softmax(output, 1)
    advantage = rollout.returns(0.9) - value[:, 0]
    chosen = log_probabilities.gather(1, rollout.actions.flatten()[:, None])[:, 0]
    entropy = -(log_probabilities.exp() * log_probabilities).sum(1).mean()
    return -(advantage.detach() * chosen).mean() + 0.5 * advantage.square().mean() - 0.05 * entropy


@pytest.mark.parametrize("name", [LSTM, "ScoreFollowingNetLSTMContinuous", "ScoreFollowingNetContinuous"])
def test_recurrent_and_continuous_agents_are_evaluated(bank: ScoreBank, continuous_bank: ScoreBank, name: str):
    """It crashed in 2018, and its memory went on from piece to piece: together or alone, the games must be the same."""
    there = continuous_bank if "Continuous" in name else bank
    network = fresh(there, name)
    with torch.no_grad():
        for head in ("policy_out", "mu_out"):
            if hasattr(network, head):
                getattr(network, head).weight.mul_(30)  # an agent that moves
    together, = play_data_set(TrainedAgent(network, deterministic=True), there)
    alone = TrainedAgent(network, deterministic=True)  # one agent, one piece after the other
    for index, piece in enumerate(there.pieces):
        (episode,), = play_data_set(alone, ScoreBank([piece], there.config))
        assert episode.last_frame == together[index].last_frame
        assert episode.errors == pytest.approx(together[index].errors, abs=1e-3)


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_trained_agent_remembers_what_its_lstm_remembers(bank: ScoreBank, deterministic: bool):
    network, game = fresh(bank, LSTM), Game(bank, 3)
    agent, memory = TrainedAgent(network, torch.Generator().manual_seed(0), deterministic), None
    for step in range(12):
        with torch.no_grad():
            _output, value, memory = network(game.observe(), memory=memory)
        action = agent.perform_action(game)
        torch.testing.assert_close(agent.value, value[:, 0], atol=1e-5, rtol=1e-4)
        game.step(action)
        if step == 6:  # the second begins anew, in the middle of a piece
            begun = torch.tensor([False, True, False])
            game.reset(StartSampler(bank, 0, 1.0).draw(3), begun)
            memory = memory * ~begun[:, None, None]


@pytest.mark.parametrize(("agent", "net", "budget"), [
    ("a2c", "ScoreFollowingNetBN", {"n_worker": 1}), ("reinforce", "ScoreFollowingNetBN", {}),
    ("ppo", "ScoreFollowingNetSELU01", {"n_worker": 2}), ("a2c", "ScoreFollowingNetSELU01", {"n_worker": 2})])
def test_networks_with_batch_statistics_are_trained(bank: ScoreBank, agent: str, net: str, budget: dict):
    settings = settings_from({"agent": agent, "net": net, **budget})
    algorithm, network = algorithm_for(settings, bank.config)
    collector = algorithm.collector(bank, settings.n_worker, network.train(), StartSampler(bank, 0), 0, torch.float32,
                                    keep=algorithm.keeps_passes)
    before = network.policy_out.weight.clone()
    learner = algorithm.learner(network, torch.optim.Adam(network.parameters()), bank, settings, torch.float32,
                                torch.Generator().manual_seed(0))
    rollout = collector.collect(5)
    assert not rollout.recorded  # other batches have other statistics
    learner.update(rollout)
    assert not torch.equal(network.policy_out.weight, before)


def test_a_policy_that_is_not_finite_is_told(continuous_bank: ScoreBank):
    network = fresh(continuous_bank, "ScoreFollowingNetContinuous")
    torch.nn.init.constant_(network.mu_out.bias, float("nan"))
    for kind in (RolloutCollector, EpisodeCollector):
        with pytest.raises(Diverged, match="the network's output is not finite"):
            collect(continuous_bank, network, 3, 4, kind)


@pytest.mark.parametrize(("options", "message"), [
    ({"agent": "a2c", "bptt": True}, "--bptt: goes through the time of an LSTM, so it wants --agent a2c_lstm, not a2c"),
    ({"agent": "a2c", "net": LSTM}, "take --agent a2c_lstm"),
    ({"agent": "a2c_lstm"}, "wants a network with an LSTM, which --net ScoreFollowingNet has not"),
    ({"agent": "ppo", "net": "BaselineNet"}, "needs a critic, which --net BaselineNet has not; take --agent reinforce"),
    ({"agent": "reinforce", "net": "BaselineNet"}, "needs a critic"),
    ({"agent": "lookahead", "net": "ScoreFollowingNetContinuous"}, "plays discrete games only"),
    ({"agent": "localisation", "net": LSTM}, "has no use for an LSTM; take BaselineNet"),
])
def test_what_does_not_fit_is_refused(config: GameConfig, options: dict, message: str):
    game = freely_moving(config) if "Continuous" in options.get("net", "") else config
    with pytest.raises(UserError, match=message):
        algorithm_for(settings_from(options), game)


def test_settings_an_agent_does_not_go_by_are_told():
    settings = settings_from({"agent": "reinforce"})
    assert settings.n_worker == 1 and settings_from({"agent": "reinforce", "n_worker": 3}).n_worker == 3
    assert settings_from({}).n_worker == 16
    assert without_effect(settings, ["agent", "entropy_coef", "discounting", "temperature"]) == ["entropy_coef", "temperature"]


TINY = Architecture((39, 20), (40, 30), (Conv(4, (13, 10), (13, 10)),), (Conv(4, (10, 10), (10, 10)),), concat=32, head=32,
                    speed_activation="elu")
TINY_NETWORKS = {"Tiny": TINY, "TinyPolicy": replace(TINY, heads=POLICY_ONLY), "TinyLSTM": replace(TINY, lstm=16),
                 "TinyContinuous": replace(TINY, heads=CONTINUOUS),
                 "TinyLSTMContinuous": replace(TINY, lstm=16, heads=CONTINUOUS)}


@pytest.mark.slow
@pytest.mark.parametrize(("agent", "net", "lr", "budget"), [
    ("reinforce", "Tiny", 3e-3, {"n_worker": 16, "max_updates": 45}),
    ("reinforce", "TinyPolicy", 3e-3, {"n_worker": 16, "max_updates": 45, "no_baseline": True}),
    ("reinforce", "TinyContinuous", 1e-3, {"n_worker": 64, "max_updates": 80}),
    ("a2c", "TinyContinuous", 3e-4, {"n_worker": 64, "t_max": 8, "max_updates": 300}),
    ("ppo", "TinyContinuous", 3e-3, {"n_worker": 32, "t_max": 8, "max_updates": 120, "discounting": 0.95}),
    ("a2c_lstm", "TinyLSTM", 3e-3, {"n_worker": 32, "t_max": 5, "max_updates": 200}),
    ("a2c_lstm", "TinyLSTM", 3e-3, {"n_worker": 32, "t_max": 8, "max_updates": 120, "bptt": True}),
    ("a2c_lstm", "TinyLSTMContinuous", 1e-3, {"n_worker": 64, "t_max": 8, "max_updates": 300})])
def test_each_learns_a_trivial_game(
    config: GameConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str, net: str, lr: float, budget: dict,
):
    """A narrow window on even music, the games at its speed from the start: to learn is to leave the speed as it is."""
    for name, architecture in TINY_NETWORKS.items():
        monkeypatch.setitem(ARCHITECTURES, name, architecture)
    narrow = replace(config, sheet_context=30, sheet_shape=(2, 40, 30))
    even = write_small_piece(tmp_path / "data", notes=40, spacing=40)
    torch.manual_seed(1)
    trainer = Trainer(settings_from({
        "agent": agent, "net": net, "train_set": str(even), "eval_set": str(even), "no_log": True, "threads": 1, "seed": 1,
        "random_start": 1.0, "entropy_coef": 0.001, "max_grad_norm": 0.5, "ppo_epochs": 2, "batch_size": 4, "eval_trials": 1,
        "optim_params": {"lr": lr, "betas": (0.9, 0.999)}, "log_interval": 1000, **budget}),
        freely_moving(narrow) if "Continuous" in net else narrow, tmp_path)
    before = mean_return(trainer)
    trainer.train()
    assert mean_return(trainer) > 1.6 * before


def mean_return(trainer: Trainer) -> float:
    """Of the latest episodes of 64 games after 200 steps, as trained now."""
    sampler = StartSampler(trainer.train_bank, 7, 1.0)
    collector = RolloutCollector(trainer.train_bank, 64, trainer.network, sampler, 7, torch.float32)
    collector.collect(200)
    return float(collector.last_return.nanmean())


def test_localisation_learns_where_the_music_is(
    config: GameConfig, data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(ARCHITECTURES, "TinyPolicy", TINY_NETWORKS["TinyPolicy"])
    narrow = replace(config, sheet_context=30, sheet_shape=(2, 40, 30))
    trainer = Trainer(settings_from({
        "agent": "localisation", "net": "TinyPolicy", "train_set": str(data_set), "eval_set": str(data_set), "no_log": True,
        "threads": 1, "optim_params": "{lr: 1e-2}", "max_updates": 400, "eval_trials": 1, "log_interval": 999}),
        narrow, tmp_path)
    rollout = trainer.collector.collect(15)
    bank, position = trainer.train_bank, rollout.positions
    offset = bank.true_position(position.piece, position.frame + 1) - position.x
    assert torch.equal(rollout.actions.flatten(), ((offset + 15) / 0.4).floor().clamp(max=74).long())  # places of 0.4 px
    assert offset.abs().max() <= 10 + 6 and float(offset.std()) > 4
    assert trainer.learner.update(rollout).policy == pytest.approx(math.log(PLACES), rel=0.1)
    trainer.train()
    assert trainer.losses.policy < 0.75 * math.log(PLACES)
    learnt, untrained = (alignment_stats(play_data_set(trainer.player(network, trainer.eval_generator, torch.float32),
                                                       trainer.eval_bank)[0]).global_tracking_ratio
                         for network in (trainer.network, algorithm_for(trainer.settings, narrow)[1]))
    assert learnt > 2 * untrained


def test_a_perfect_localisation_is_where_the_music_is(bank: ScoreBank):
    """What it is trained towards, followed exactly, leaves no error but that of the places' width."""
    free = ScoreBank(bank.pieces, freely_moving(bank.config))
    network = localisation_network("BaselineNet", bank.config)
    rollout = WindowCollector(bank, 4, network, StartSampler(bank, 0), 0, torch.float32).collect(50)
    position = rollout.positions
    game = Game.at(free, rollout.states)
    game.step(offset_of(50.0 * torch.nn.functional.one_hot(rollout.actions.flatten(), PLACES), bank.config).double())
    within = (free.true_position(position.piece, position.frame + 1) - position.x).abs() < 70
    assert within.sum() > 150 and game.tracking_error()[within].abs().max() <= 1.0 + 1e-6


def test_a_place_becomes_an_offset(config: GameConfig):
    sure = torch.full((2, PLACES), -50.0)
    sure[0, 0] = sure[1, 40] = 0.0
    torch.testing.assert_close(offset_of(sure, config), torch.tensor([-74.0, 6.0]))
    assert torch.equal(place_of(torch.tensor([-74.0, 6.0, 500.0]), config), torch.tensor([0, 40, 74]))
    between = torch.full((1, PLACES), -50.0)
    between[0, 40] = between[0, 41] = 0.0
    torch.testing.assert_close(offset_of(between, config), torch.tensor([7.0]))
