"""LSTM networks: their state in games, in updates and in evaluations."""

import pytest
import torch
from learning_tools import LSTM, a2c_loss, collect, fresh_network, gradients, require_equal

from score_following_game.agents.agents import TrainedAgent
from score_following_game.environment.game import Game
from score_following_game.environment.observation import observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.reinforcement_learning.algorithms.a2c import A2C


def test_the_lstm_state_is_reset_with_its_game(bank: ScoreBank):
    network = fresh_network(bank.config, LSTM)
    rollout = collect(bank, network, 6, 40)
    memory, ended = rollout.lstm_state.unflatten(0, (40, 6)), rollout.masks[:-1] == 0
    assert ended.any() and not memory[0].any()
    assert not memory[1:][ended].any() and memory[1:][~ended].abs().amax((1, 2)).min() > 0


@pytest.mark.parametrize("keep", [False, True])
def test_an_lstms_gradient_ends_at_the_step(bank: ScoreBank, keep: bool):
    network = fresh_network(bank.config, LSTM)
    rollout = collect(bank, network, 3, 4, keep=keep)
    assert bool(rollout.recorded) == keep
    found = gradients(A2C, network, bank, rollout, agent="a2c_lstm")
    output, value, _memory = network(observe(bank, rollout.positions), lstm_state=rollout.lstm_state)
    require_equal(found, network, a2c_loss(rollout, output, value))


def test_back_propagation_through_time(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    network = fresh_network(bank.config, LSTM)
    rollout = collect(bank, network, 3, 30)
    assert (rollout.masks[:-1] == 0).any()  # a game that ends within
    monkeypatch.setattr("score_following_game.agents.inference.CHUNK_VALUES", 70 * 13560)  # games by twos
    found = gradients(A2C, network, bank, rollout, agent="a2c_lstm", bptt=True)
    memory, outputs, values = rollout.lstm_state[:3], [], []
    for step in range(30):
        now = rollout.positions.at(slice(3 * step, 3 * step + 3))
        output, value, memory = network(observe(bank, now), lstm_state=memory)
        memory = memory * rollout.masks[step][:, None, None]
        outputs.append(output)
        values.append(value)
    require_equal(found, network, a2c_loss(rollout, torch.cat(outputs), torch.cat(values)))
    alone = gradients(A2C, network, bank, rollout, agent="a2c_lstm")
    assert any(not torch.allclose(through, single, atol=1e-4) for through, single in zip(found, alone))


@pytest.mark.parametrize("name", [LSTM, "ScoreFollowingNetLSTMContinuous", "ScoreFollowingNetContinuous"])
def test_recurrent_and_continuous_agents_are_evaluated(bank: ScoreBank, continuous_bank: ScoreBank, name: str):
    """In 2018 this crashed, and the state was carried from piece to piece. Played together or alone, games must be the same."""
    there = continuous_bank if "Continuous" in name else bank
    network = fresh_network(there.config, name)
    with torch.no_grad():
        for head in ("policy_out", "mu_out"):
            if hasattr(network, head):
                getattr(network, head).weight.mul_(30)  # an agent that moves
    (together,) = play_data_set(TrainedAgent(network, deterministic=True), there)
    alone = TrainedAgent(network, deterministic=True)  # one agent, one piece after the other
    for index, piece in enumerate(there.pieces):
        ((episode,),) = play_data_set(alone, ScoreBank([piece], there.config))
        assert episode.last_frame == together[index].last_frame
        assert episode.errors == pytest.approx(together[index].errors, abs=1e-3)


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_trained_agent_keeps_its_lstm_state(bank: ScoreBank, deterministic: bool):
    network, game = fresh_network(bank.config, LSTM), Game(bank, 3)
    agent, memory = TrainedAgent(network, torch.Generator().manual_seed(0), deterministic), None
    for step in range(12):
        with torch.no_grad():
            _output, value, memory = network(game.observe(), lstm_state=memory)
        action = agent.perform_action(game)
        torch.testing.assert_close(agent.value, value[:, 0], atol=1e-5, rtol=1e-4)
        game.step(action)
        if step == 6:  # the second begins anew, in the middle of a piece
            begun = torch.tensor([False, True, False])
            game.reset(StartSampler(bank, 0, 1.0).draw(3), begun)
            memory = memory * ~begun[:, None, None]
