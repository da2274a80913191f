"""A network's branches run once per window give what running them for every game gives."""

import pytest
import torch

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.branch_cache import BranchCache, FeatureRows
from score_following_game.agents.inference import act
from score_following_game.agents.networks import network_for
from score_following_game.environment.game import Game
from score_following_game.environment.starts import StartSampler


@pytest.fixture
def network(bank):
    torch.manual_seed(0)
    return network_for("ScoreFollowingNet", bank.config).eval()


def test_many_games_are_judged_as_each_alone(bank, network):
    game = Game(bank, 12)
    game.reset(StartSampler(bank, 0, 0.5).draw(12))
    cache = BranchCache(network, bank, torch.float32)
    generator = torch.Generator().manual_seed(0)
    for _ in range(15):
        expected = act(network, bank, game.position(), torch.float32)
        for got, want in zip(cache.act(game.position())[:2], expected):
            torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)
        game.step(torch.randint(3, (len(game),), generator=generator))


def test_what_is_known_is_not_computed_again():
    asked = []

    def compute(first, second):
        asked.extend(zip(first.tolist(), second.tolist()))
        return torch.stack([first, second], dim=1).float()

    rows = FeatureRows(max_bytes=4 * 8)  # four rows of two float32
    first, second = torch.tensor([3, 3, 1, 3]), torch.tensor([5, 5, 5, 2**31 - 1])
    assert rows.get(first, second, compute).tolist() == [[3, 5], [3, 5], [1, 5], [3, 2**31]]
    assert asked == [(3, 5), (1, 5), (3, 2**31 - 1)]
    asked.clear()
    assert rows.get(first[2:3], second[2:3], compute).tolist() == [[1, 5]] and asked == []
    rows.get(torch.tensor([7]), torch.tensor([7]), compute)  # the room is full: all is dropped before the next
    assert asked == [(7, 7)]
    assert rows.get(first[:1], second[:1], compute).tolist() == [[3, 5]] and asked == [(7, 7), (3, 5)]


def test_more_games_than_there_is_room_for():
    rows = FeatureRows(max_bytes=8)
    numbers = torch.arange(6)
    for _ in range(2):
        features = rows.get(numbers, numbers, lambda first, second: first[:, None].float())
        assert features.flatten().tolist() == list(range(6))


def test_an_agent_that_goes_to_another_bank_forgets_the_first(bank, network):
    agent = TrainedAgent(network, deterministic=True)
    for there in (bank, type(bank)(bank.pieces[::-1], bank.config)):
        game = Game(there, 2)
        game.reset(StartSampler(there, 0, 1.0).draw(2))
        agent.perform_action(game)
        torch.testing.assert_close(agent.value, act(network, there, game.position(), torch.float32)[1])


def change_in_place(network):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)


def load_other_parameters(network):
    network.load_state_dict({key: 0.5 * value for key, value in network.state_dict().items()})


def exchange_storage(network):
    for parameter in network.parameters():
        parameter.data = 1.5 * parameter.data


@pytest.mark.parametrize("change", [change_in_place, load_other_parameters, exchange_storage])
def test_an_agent_drops_features_of_earlier_parameters(bank, network, change):
    agent, game = TrainedAgent(network, deterministic=True), Game(bank, 4)
    agent.perform_action(game)
    before = agent.value.clone()
    change(network)
    agent.perform_action(game)
    expected = act(network, bank, game.position(), torch.float32).value
    assert not torch.allclose(expected, before)
    torch.testing.assert_close(agent.value, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"foreach": True}, {"fused": True}])
def test_an_agent_notices_an_optimiser_step(bank, network, options):
    agent, game = TrainedAgent(network, deterministic=True), Game(bank, 4)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01, **options)
    agent.perform_action(game)
    network(game.observe())[1].sum().backward()
    optimiser.step()
    agent.perform_action(game)
    torch.testing.assert_close(agent.value, act(network, bank, game.position(), torch.float32).value, atol=1e-5, rtol=1e-4)


def test_an_agent_notices_another_network(bank, network):
    agent, game = TrainedAgent(network, deterministic=True), Game(bank, 4)
    agent.perform_action(game)
    torch.manual_seed(1)
    agent.network = network_for("ScoreFollowingNet", bank.config).eval()
    agent.perform_action(game)
    torch.testing.assert_close(agent.value, act(agent.network, bank, game.position(), torch.float32).value)


def test_features_are_kept_while_parameters_stay(bank, network, monkeypatch):
    agent, game = TrainedAgent(network, deterministic=True), Game(bank, 4)
    agent.perform_action(game)
    monkeypatch.setattr(type(network), "branch", lambda *_: pytest.fail("computed again"))
    agent.perform_action(game)
