"""REINFORCE: whole episodes, returns and gradients by hand, LSTM states and reports of episodes."""

from pathlib import Path

import pytest
import torch
from learning_tools import chosen, collect, fresh_network, gradients, narrow, require_equal

from score_following_game.config import GameConfig
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.observation import observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.reinforce import EpisodeCollector, Episodes, Reinforce


@pytest.fixture(scope="module")
def bank(data_set: Path, config: GameConfig, tiny_networks: None) -> ScoreBank:
    """For the tiny networks: whole episodes are long, and what is tested does not depend on the network's size."""
    rules = narrow(config)
    return ScoreBank(load_data_set(data_set, rules), rules)


def test_episodes_are_whole_and_their_returns_by_hand(bank: ScoreBank):
    network = fresh_network(bank.config, "Tiny")
    collector = EpisodeCollector(bank, 5, network, StartSampler(bank, 0), 0, torch.float32)
    episodes = collector.collect(1)
    lengths = episodes.played.sum(0).long()
    assert len(set(lengths.tolist())) > 1
    for game in range(5):
        own = games_of(episodes) == game
        assert episodes.positions.frame[own].tolist() == list(range(lengths[game]))  # from the start, none left out
        end = int(lengths[game]) - 1
        assert episodes.masks[:end, game].all() and not episodes.masks[end:, game].any()
        rewards = episodes.rewards[: end + 1, game].tolist()
        assert float(collector.last_return[game]) == pytest.approx(sum(rewards), abs=1e-4)
        expected = [sum(0.9 ** (later - now) * rewards[later] for later in range(now, end + 1)) for now in range(end + 1)]
        assert episodes.returns(0.9)[own].tolist() == pytest.approx(expected, abs=1e-4)
    with torch.no_grad():
        logits = network(observe(bank, episodes.positions))[0]
    torch.testing.assert_close(chosen(logits, episodes.actions), episodes.log_probabilities)


@pytest.mark.parametrize(
    ("name", "options"),
    [("Tiny", {}), ("TinyPolicy", {"no_baseline": True}), ("Tiny", {"no_baseline": True})],
)
def test_reinforce_gradient_is_that_of_the_published_loss(bank: ScoreBank, name: str, options: dict):
    network = fresh_network(bank.config, name)
    episodes = collect(bank, network, 2, 1, EpisodeCollector)
    found = gradients(Reinforce, network, bank, episodes, agent="reinforce", **options)
    returns = episodes.returns(0.9)
    logits, value = network(observe(bank, episodes.positions))
    advantage = returns - (0 if options else value[:, 0])
    policy_loss = -(advantage.detach() * chosen(logits, episodes.actions)).mean()
    require_equal(found, network, policy_loss + (0 if options else 0.5 * advantage.square().mean()))


def test_dropout_masks_of_ended_games_do_not_shift_the_others(bank: ScoreBank):
    network = fresh_network(bank.config, "TinyDropout").train()
    episodes = collect(bank, network, 4, 1, EpisodeCollector)
    assert isinstance(episodes, Episodes)
    again = []
    with torch.no_grad():
        for _part, output, _values in episodes.passes(network, bank, torch.float32):
            again.append(output)
    torch.testing.assert_close(chosen(torch.cat(again), episodes.actions), episodes.log_probabilities)


def test_episodes_keep_the_lstm_states(bank: ScoreBank):
    """Each step has the state that its action was chosen with: zero at first, then the one after the step before."""
    network = fresh_network(bank.config, "TinyLSTM")
    episodes = collect(bank, network, 5, 1, EpisodeCollector)
    lengths = episodes.played.sum(0).long()
    assert len(set(lengths.tolist())) > 1
    with torch.no_grad():
        logits, _value, after = network(observe(bank, episodes.positions), lstm_state=episodes.lstm_state)
    torch.testing.assert_close(chosen(logits, episodes.actions), episodes.log_probabilities)
    for game in range(5):
        own = games_of(episodes) == game
        before = episodes.lstm_state[own]
        assert not before[0].any() and before[1:].abs().amax((1, 2)).min() > 1e-3
        torch.testing.assert_close(before[1:], after[own][:-1])


def test_reinforce_gradient_of_an_lstm_ends_at_the_step(bank: ScoreBank):
    network = fresh_network(bank.config, "TinyLSTM")
    episodes = collect(bank, network, 3, 1, EpisodeCollector)
    found = gradients(Reinforce, network, bank, episodes, agent="reinforce")
    logits, value, _memory = network(observe(bank, episodes.positions), lstm_state=episodes.lstm_state)
    advantage = episodes.returns(0.9) - value[:, 0]
    policy_loss = -(advantage.detach() * chosen(logits, episodes.actions)).mean()
    require_equal(found, network, policy_loss + 0.5 * advantage.square().mean())


def test_each_collection_reports_its_own_returns(bank: ScoreBank):
    collector = EpisodeCollector(bank, 4, fresh_network(bank.config, "Tiny"), StartSampler(bank, 0, 0.5), 0, torch.float32)
    first = collector.collect(1).rewards.double().sum(0)
    torch.testing.assert_close(collector.last_return, first, atol=1e-4, rtol=0)
    second = collector.collect(1).rewards.double().sum(0)
    assert (second - first).abs().min() > 0.1  # so that the two cannot be mistaken
    torch.testing.assert_close(collector.last_return, second, atol=1e-4, rtol=0)


def test_the_sampler_receives_the_tracking_ratios(bank: ScoreBank):
    """Per piece the share of its frames played by its latest game; of games that end together, the last one counts."""
    sampler = StartSampler(bank, 2, 0.5, prioritized=True)
    collector = EpisodeCollector(bank, 5, fresh_network(bank.config, "Tiny"), sampler, 0, torch.float32)
    expected = [0.0] * len(bank)
    for _ in range(3):
        episodes = collector.collect(1)
        ends = []
        for game in range(5):
            now = episodes.positions.at(games_of(episodes) == game)
            begun, length, piece = int(now.frame[0]), len(now.frame), int(now.piece[0])
            ends.append((length, game, piece, length / (int(bank.last_onset[piece]) - begun)))
        for _length, _game, piece, share in sorted(ends):
            expected[piece] = share
        assert sampler.latest_ratio.tolist() == pytest.approx(expected)
    assert min(expected) > 0  # of every piece something was reported


def games_of(episodes: Episodes) -> torch.Tensor:
    """The game of each step, (steps,)."""
    return torch.arange(episodes.played.shape[1]).expand_as(episodes.played)[episodes.played]
