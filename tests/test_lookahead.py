"""The lookahead learner: its critic, its replay buffer, its target policy."""

from __future__ import annotations

import pytest
import torch

from score_following_game.agents.networks import network_for
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game, GameState
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.lookahead.critic import FUTURE, PAST, game_features
from score_following_game.reinforcement_learning.algorithms.lookahead.learner import Lookahead
from score_following_game.reinforcement_learning.algorithms.lookahead.replay_buffer import ReplayBuffer
from score_following_game.reinforcement_learning.optimiser import make_optimiser
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.schedule import annealed
from score_following_game.reinforcement_learning.settings import settings_from


def played(bank: ScoreBank, games: int = 5, steps: int = 7) -> Game:
    game = Game(bank, games)
    game.reset(StartSampler(bank, 0, 1.0).draw(games))
    for step in range(steps):
        game.step(torch.full((games,), (step + 1) % 3))
    return game


def learner(bank: ScoreBank, **given) -> Lookahead:
    torch.manual_seed(0)
    settings = settings_from({"agent": "lookahead", "n_worker": 4, "batch_size": 4, "t_max": 6, **given})
    network = network_for("ScoreFollowingNet", bank.config)
    optimiser = make_optimiser(settings.optim, settings.optim_params, network.parameters())
    return Lookahead(network, optimiser, bank, settings, torch.float32, torch.Generator().manual_seed(0))


def test_games_continue_from_a_state(bank: ScoreBank):
    game = played(bank)
    again = Game.at(bank, game.state().repeat(2))
    actions = torch.tensor([2, 0, 1, 2, 0])
    step, steps = game.step(actions), again.step(actions.repeat_interleave(2))
    for one, twice in ((step.reward, steps.reward), (game.x, again.x), (game.speed, again.speed), (game.frame, again.frame)):
        assert torch.equal(one.repeat_interleave(2), twice)


def test_features_by_hand(bank: ScoreBank, config: GameConfig):
    game = played(bank)
    features = game_features(game)
    assert features.shape == (5, PAST + FUTURE + 6)
    error = (game.x - game.true_position()) / 25  # half of 150 // 3
    torch.testing.assert_close(features[:, 0], error.float())
    torch.testing.assert_close(features[:, 2], (game.speed / 2).float())
    course = features[:, 5:]
    assert (course[:, PAST] == 0).all()
    ahead = bank.true_position(game.piece, game.frame + FUTURE) - game.true_position()
    torch.testing.assert_close(course[:, -1], (ahead / 25).float())


def test_the_improved_policy_is_the_softmax_of_reward_and_following_value(bank: ScoreBank):
    lookahead = learner(bank, temperature=0.5, discounting=0.8)
    state = played(bank).state()
    worth = []
    for action in range(3):
        game = Game.at(bank, state)
        step = game.step(torch.full((5,), action))
        value = lookahead.critic(game_features(game)).detach()
        worth.append(step.reward + 0.8 * torch.where(step.terminated, 0.0, value))
    expected = (torch.stack(worth, 1) / 0.5).softmax(1)
    torch.testing.assert_close(lookahead.improved_policy(state), expected.float(), atol=1e-5, rtol=1e-5)


def test_a_lost_action_does_not_blur_the_others(bank: ScoreBank, monkeypatch: pytest.MonkeyPatch):
    lookahead = learner(bank, temperature=0.01, discounting=1.0)
    game = played(bank)
    value = torch.tensor([-10.0, 0.0, 0.1])[torch.arange(3).repeat(5)]
    monkeypatch.setattr(lookahead, "critic", lambda features: value)
    state = game.state()
    followed = Game.at(bank, state.repeat(3))
    step = followed.step(torch.arange(3).repeat(5))
    assert not step.terminated.any()
    expected = ((step.reward + value).view(5, 3) / 0.01).softmax(1)
    torch.testing.assert_close(lookahead.improved_policy(state), expected.float(), atol=1e-5, rtol=1e-5)
    assert (expected > 0.9).any(1).all()


def test_an_update_nears_the_improved_policy_and_the_returns(bank: ScoreBank):
    lookahead = learner(bank, optim_params={"lr": 1e-3}, lookahead_passes=8, temperature=0.05)
    collector = RolloutCollector(bank, 4, lookahead.network, StartSampler(bank, 0, 1.0), 0, torch.float32)
    rollout = collector.collect(6)
    first = lookahead.update(rollout)
    for _ in range(15):
        last = lookahead.update(rollout)
    assert 0 < last.policy < first.policy / 2
    assert last.value < first.value / 2


def test_the_replay_buffer_keeps_the_latest_and_draws_uniformly(bank: ScoreBank):
    memory = ReplayBuffer(6, torch.device("cpu"))
    for number in range(4):
        state = played(bank).state()
        memory.add(GameState(state.position, torch.arange(5 * number, 5 * number + 5).double()))
    assert len(memory) == 6
    drawn = memory.draw(6000, torch.Generator().manual_seed(0)).speed
    kept, counts = drawn.unique(return_counts=True)
    assert kept.tolist() == list(range(14, 20))
    assert counts.min() > 850
    other = ReplayBuffer(6, torch.device("cpu"))
    other.load_state_dict(memory.state_dict())
    same = other.draw(6000, torch.Generator().manual_seed(0))
    assert torch.equal(same.speed, drawn)
    other.add(GameState(state.position, torch.arange(20, 25).double()))  # goes on at the oldest
    assert other.draw(6000, torch.Generator()).speed.unique().tolist() == list(range(19, 25))
    memory.add(GameState.joined([state, state]))  # more than it holds
    assert len(memory) == 6


@pytest.mark.parametrize(
    ("first", "final", "progress", "expected"),
    [(0.1, 0.001, 0.0, 0.1), (0.1, 0.001, 0.5, 0.01), (0.1, 0.001, 1.0, 0.001), (0.1, None, 0.7, 0.1), (0.0, None, 0.7, 0.0)],
)
def test_annealing_is_geometric(first: float, final: float | None, progress: float, expected: float):
    assert annealed(first, final, progress) == pytest.approx(expected)
