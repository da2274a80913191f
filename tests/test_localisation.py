"""The supervised baseline: its training windows, its observations, its moves."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from learning_tools import narrow, update

from score_following_game.agents.localisation import N_PLACES, LocalisationAgent, localisation_network, offset_of, place_of
from score_following_game.config import GameConfig
from score_following_game.environment.game import Game
from score_following_game.environment.observation import observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.evaluation.evaluator import play_data_set
from score_following_game.evaluation.metrics import alignment_stats
from score_following_game.reinforcement_learning.algorithms.supervised import Localisation, WindowCollector
from score_following_game.reinforcement_learning.algorithms.table import algorithm_for
from score_following_game.reinforcement_learning.settings import settings_from
from score_following_game.reinforcement_learning.trainer import Trainer


def inputs_of(network: torch.nn.Module) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """A list to which every later observation of the network, (spectrogram, sheet), is appended."""
    seen = []
    network.register_forward_pre_hook(lambda _network, given: seen.append(tuple(given[0])))
    return seen


def test_localisation_learns_where_the_music_is(
    config: GameConfig,
    tiny_networks: None,
    data_set: Path,
    tmp_path: Path,
):
    trainer = Trainer(
        settings_from(
            {
                "agent": "localisation",
                "net": "TinyPolicy",
                "train_set": str(data_set),
                "eval_set": str(data_set),
                "no_log": True,
                "threads": 1,
                "optim_params": "{lr: 1e-2}",
                "max_updates": 400,
                "eval_trials": 1,
                "log_interval": 999,
            }
        ),
        narrow(config),
        tmp_path,
    )
    rollout = trainer.collector.collect(15)
    bank, position = trainer.train_bank, rollout.positions
    offset = bank.true_position(position.piece, position.frame + 1) - position.x
    assert torch.equal(rollout.actions.flatten(), ((offset + 15) / 0.4).floor().clamp(max=74).long())  # places of 0.4 px
    assert offset.abs().max() <= 10 + 6 and float(offset.std()) > 4
    assert trainer.learner.update(rollout).policy == pytest.approx(math.log(N_PLACES), rel=0.1)
    trainer.train()
    assert trainer.losses.policy < 0.75 * math.log(N_PLACES)
    learnt, untrained = (
        alignment_stats(
            play_data_set(trainer.player(network, trainer.eval_generator, torch.float32), trainer.eval_bank)[0]
        ).global_tracking_ratio
        for network in (trainer.network, algorithm_for(trainer.settings, narrow(config))[1])
    )
    assert learnt > 2 * untrained


def test_a_perfect_localisation_is_where_the_music_is(bank: ScoreBank, continuous_bank: ScoreBank):
    """Following the training target exactly leaves no error except the quantisation of the places."""
    network = localisation_network("BaselineNet", bank.config)
    rollout = WindowCollector(bank, 4, network, StartSampler(bank, 0), 0, torch.float32).collect(50)
    position = rollout.positions
    game = Game.at(continuous_bank, rollout.states)
    game.step(offset_of(50.0 * torch.nn.functional.one_hot(rollout.actions.flatten(), N_PLACES), bank.config).double())
    within = (continuous_bank.true_position(position.piece, position.frame + 1) - position.x).abs() < 70
    assert within.sum() > 150 and game.tracking_error()[within].abs().max() <= 1.0 + 1e-6


def test_a_place_becomes_an_offset(config: GameConfig):
    sure = torch.full((2, N_PLACES), -50.0)
    sure[0, 0] = sure[1, 40] = 0.0
    torch.testing.assert_close(offset_of(sure, config), torch.tensor([-74.0, 6.0]))
    assert torch.equal(place_of(torch.tensor([-74.0, 6.0, 500.0]), config), torch.tensor([0, 40, 74]))
    between = torch.full((1, N_PLACES), -50.0)
    between[0, 40] = between[0, 41] = 0.0
    torch.testing.assert_close(offset_of(between, config), torch.tensor([7.0]))


def test_the_agent_sees_no_motion_in_the_sheet(bank: ScoreBank, continuous_bank: ScoreBank):
    agent, game = LocalisationAgent(localisation_network("BaselineNet", bank.config)), Game(continuous_bank, 3)
    game.step(torch.tensor([5.0, 8.0, -4.0]))
    spectrogram, sheet = game.observe()
    assert spectrogram[:, 1].any() and sheet[:, 1].flatten(1).any(1).all()  # the games did move
    seen = inputs_of(agent.network)
    agent.perform_action(game)
    ((heard, looked_at),) = seen
    assert torch.equal(heard, spectrogram) and torch.equal(looked_at[:, 0], sheet[:, 0])
    assert not looked_at[:, 1].any()


def test_the_learner_shows_no_motion_in_the_sheet(bank: ScoreBank):
    """Even if the windows were reached by moving."""
    network = localisation_network("BaselineNet", bank.config)
    rollout = WindowCollector(bank, 4, network, StartSampler(bank, 0), 0, torch.float32).collect(5)
    moved = rollout.positions._replace(previous_x=rollout.positions.x - 7)
    spectrogram, sheet = observe(bank, moved)
    assert sheet[:, 1].flatten(1).any(1).all()
    seen = inputs_of(network)
    update(Localisation, network, bank, replace(rollout, states=rollout.states._replace(position=moved)), agent="localisation")
    ((heard, looked_at),) = seen
    assert torch.equal(heard, spectrogram) and torch.equal(looked_at[:, 0], sheet[:, 0])
    assert not looked_at[:, 1].any()


def test_windows_are_drawn_from_all_of_the_music_and_all_around_it(bank: ScoreBank):
    network = localisation_network("BaselineNet", bank.config)
    position = WindowCollector(bank, 4, network, StartSampler(bank, 0), 0, torch.float32).collect(2000).positions
    offset = position.x - bank.true_position(position.piece, position.frame)
    for piece in range(3):
        own = position.piece == piece
        frame, last = position.frame[own], int(bank.last_onset[piece])
        assert (int(frame.min()), int(frame.max())) == (0, last)
        assert (float(offset[own].min()), float(offset[own].max())) == pytest.approx((-50, 50), abs=0.5)
        for tenths in (10 * frame / (last + 1), (offset[own] + 50) / 10):
            shares = torch.bincount(tenths.long().clamp(max=9), minlength=10) / len(frame)
            assert shares.numpy() == pytest.approx(np.full(10, 0.1), abs=0.04)
        assert abs(float(torch.corrcoef(torch.stack([frame.double(), offset[own]]))[0, 1])) < 0.1  # each whatever the other is
