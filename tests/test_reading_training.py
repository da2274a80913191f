"""Training to read and to hear: the labels of every kind of piece, passages, the loss, exact resume, the scripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import score_following_game as sfg
from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.agents.parameters import load_parameters
from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.network import CELL, LOWEST, PLACE_COLUMNS, reading_network
from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.acoustics.conditions import under
from score_following_game.data_processing.acoustics.world import Performer, World
from score_following_game.data_processing.augmentation import augmented
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.medley import medleys
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.algorithms.reading.learner import Reading, _pace_error
from score_following_game.reinforcement_learning.algorithms.reading.passages import PassageCollector
from score_following_game.reinforcement_learning.algorithms.supervised import WindowCollector
from score_following_game.reinforcement_learning.algorithms.table import algorithm_for
from score_following_game.reinforcement_learning.optimiser import make_optimiser
from score_following_game.reinforcement_learning.settings import settings_from
from score_following_game.reinforcement_learning.trainer import Trainer


@pytest.fixture(scope="module")
def tunes(config: GameConfig) -> list[Piece]:
    return load_data_set("test_sample", config, note_tables=True)


def performed(pieces: list[Piece], config: GameConfig) -> list[Piece]:
    world = World(frozenset({"timing", "sheets"}))
    return [world.rendition(Performer(piece, config), [seed]) for seed in range(3) for piece in pieces]


KINDS = {
    "as on disk": lambda pieces, config: pieces,
    "faster": lambda pieces, config: load_data_set("test_sample", config, tempo=1.3, note_tables=True),
    "augmented": lambda pieces, config: augmented(pieces, 2, 0),
    "medleys": lambda pieces, config: medleys(pieces, 3, 0),
    "performed": performed,
    "under a condition": lambda pieces, config: under("expressive", pieces, config),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_notes_of_a_piece_are_where_its_onsets_are(tunes: list[Piece], config: GameConfig, kind: str):
    """In each onset frame a note begins that a head at this x shows, and nearly every note is such a one."""
    for piece in KINDS[kind](tunes, config):
        notes = piece.notes
        assert len(notes.frame) == len(notes.pitch) >= len(piece.onset_frames)
        for frame, x in zip(piece.onset_frames, piece.onset_x):
            begin = set(notes.pitch[notes.frame == frame].tolist())
            shown = set(notes.head_pitch[np.abs(notes.head_x - x) < 1e-3].tolist())
            assert begin & shown, (piece.name, frame)
        assert np.isin(notes.frame, piece.onset_frames).mean() > 0.95
        inked = [255 - int(piece.sheet[:, int(x) - 2 : int(x) + 3].min()) for x in notes.head_x]
        assert min(inked) > 60  # there is something at each head


def test_only_training_that_needs_them_reads_the_notes(config: GameConfig):
    assert all(piece.notes is None for piece in load_data_set("test_sample", config))
    assert algorithm_for(settings_from({"agent": "reading"}), config)[0].learner is Reading


@pytest.mark.parametrize("name", ["nottingham", "nottingham_ls1"])
def test_a_passage_has_its_place_its_heads_and_its_onsets(tunes: list[Piece], name: str):
    config = load_game_config(name)
    unlabelled = replace(tunes[1], notes=None)
    bank = ScoreBank([tunes[0], unlabelled], config)
    network = reading_network("ReadingNet", config)
    collector = PassageCollector(bank, 60, network, StartSampler(bank, 0), 0, torch.float32)
    passages = collector.collect(8)
    piece = passages.piece
    assert passages.n_steps == 480 and passages.counts.float().mean() > 0.9
    shares = bank.last_onset / bank.last_onset.sum()
    assert abs(float((piece == 0).float().mean()) - float(shares[0])) < 0.2
    assert torch.equal(passages.labelled, piece == 0) and not passages.heads[piece == 1].any()
    seen = 0
    for number in (piece == 0).nonzero()[:, 0].tolist():
        for at in range(8):
            keys = passages.begun[number, at].nonzero()[:, 0]
            cell = int(passages.place[number, at].round()) + 1
            age = int(passages.frame[number, at]) - tunes[0].notes.frame
            assert set((keys + LOWEST).tolist()) == set(tunes[0].notes.pitch[(age == 0) | (age == 1)].tolist())
            if len(keys) and passages.counts[number, at]:  # a head of this pitch is at the music's place or just before it
                seen += 1
                near = passages.heads[number, max(0, cell - 2) : cell + 2].sum(0)
                assert (near[keys] > 0).any()
    assert seen > 30


def test_the_pace_of_a_place_is_how_fast_the_music_passes_it(tunes: list[Piece], config: GameConfig):
    bank = ScoreBank(tunes, config)
    passages = PassageCollector(
        bank, 20, reading_network("ReadingNet", config), StartSampler(bank, 0), 0, torch.float32
    ).collect(8)
    assert 0.5 < passages.paced.float().mean() < 1  # not beyond the last onset
    for number, piece in enumerate(passages.piece.tolist()):
        frames = torch.arange(0, int(bank.last_onset[piece]), 0.01, dtype=torch.float64)
        x = np.interp(
            frames,
            np.arange(int(bank.last_onset[piece]) + 1),
            bank.true_position(passages.piece[number], torch.arange(int(bank.last_onset[piece]) + 1)),
        )
        left = x[int(passages.frame[number, 0] * 100)] - (float(passages.place[number, 0]) * CELL + PLACE_COLUMNS // 2)
        for place in passages.paced[number].nonzero()[::5, 0].tolist():
            middle = left + CELL * place + PLACE_COLUMNS // 2
            passing = (np.abs(x - middle) < CELL / 2).sum() / 100  # frames in which the music is within the place
            assert float(passages.log_pace[number, place]) == pytest.approx(np.log(CELL / passing), abs=0.02)


def test_the_pace_is_learnt_whatever_the_tempo(tunes: list[Piece], config: GameConfig):
    learner, collector = learner_of(ScoreBank(tunes, config), n_worker=3)
    passages = collector.collect(6)
    slower = replace(passages, log_pace=passages.log_pace - 1)
    assert torch.equal(_pace_error(passages.log_pace, slower), torch.tensor(0.0))
    before = float(_pace_error(torch.zeros_like(passages.log_pace), passages))
    for _ in range(60):
        learner.update(passages)
    with torch.no_grad():
        after = float(_pace_error(learner.network.paces(learner.network.sheet(passages.strip)), slower))
    assert after < 0.85 * before


def learner_of(bank: ScoreBank, **more: object) -> tuple[Reading, PassageCollector]:
    settings = settings_from({"preset": "reading", **more})
    torch.manual_seed(0)
    network = reading_network("ReadingNet", bank.config)
    collector = PassageCollector(bank, settings.n_worker, network, StartSampler(bank, 0), 0, torch.float32)
    optimiser = make_optimiser(settings.optim, settings.optim_params, network.parameters())
    return Reading(network, optimiser, bank, settings, torch.float32, collector.generator), collector


def test_the_loss_falls(tunes: list[Piece], config: GameConfig):
    """Of a few passages that are shown again and again: the place too, which takes long to learn in general."""
    learner, collector = learner_of(ScoreBank(tunes, config), n_worker=3)
    passages = collector.collect(6)
    losses = [learner.update(passages) for _ in range(60)]
    assert losses[-1].policy < 0.6 * losses[0].policy, losses[-1]
    assert losses[-1].value < 0.4 * losses[0].value, losses[-1]
    assert learner.meter.read()["near"][0] > 0.1


def test_passages_without_labels_teach_the_place_and_the_pace_only(tunes: list[Piece], config: GameConfig):
    learner, collector = learner_of(ScoreBank([replace(piece, notes=None) for piece in tunes], config), n_worker=2)
    losses = learner.update(collector.collect(3))
    assert 0 < losses.value < 0.5 and losses.policy > 1  # the notes of 88 keys would cost more
    assert learner.network.read_notes.weight.grad is not None  # the heads still take part in the match


def test_collectors_that_play_no_games_hold_no_piece(bank: ScoreBank):
    """Else the pieces with which their games began would never be performed again."""
    policy = algorithm_for(settings_from({"agent": "localisation", "net": "BaselineNet"}), bank.config)[1]
    reader = reading_network("ReadingNet", bank.config)
    for kind, network in ((WindowCollector, policy), (PassageCollector, reader)):
        assert not len(kind(bank, 4, network, StartSampler(bank, 0), 0, torch.float32).playing)


@pytest.mark.parametrize("world", [None, "gain"])
def test_a_resumed_run_equals_an_uninterrupted_one(data_set: Path, tmp_path: Path, config: GameConfig, world: str | None):
    given = {"preset": "reading", "n_worker": 2, "t_max": 3, "train_set": str(data_set), "eval_set": str(data_set)}
    given |= {"world": world, "eval_interval": 1000, "no_log": True, "log_interval": 4}

    def trainer(directory: str, updates: int, resume: bool = False) -> Trainer:
        torch.manual_seed(0)
        (tmp_path / directory).mkdir(exist_ok=True)
        made = Trainer(settings_from({**given, "max_updates": updates}), config, tmp_path / directory, resume)
        made.train()
        return made

    whole = trainer("whole", 12)
    trainer("parts", 7)
    parts = trainer("parts", 12, resume=True)
    for one, other in ((parts.network, whole.network), (parts.judged, whole.judged)):
        for name, value in one.state_dict().items():
            torch.testing.assert_close(value, other.state_dict()[name], rtol=0, atol=0)
    assert not torch.equal(whole.network.place.weight, whole.judged.place.weight)
    if whole.renewal is not None:
        assert whole.renewal.number.sum() >= 4
        assert torch.equal(whole.train_bank.spec, parts.train_bank.spec)
        assert all(piece.notes is not None for piece in whole.train_bank.pieces)


def test_train_evaluate_load(run_here, data_set: Path, tmp_path: Path):
    sets = ("--train_set", data_set, "--eval_set", data_set, "--param_root", tmp_path, "--no_log", "--threads", 1)
    small = ("--n_worker", 2, "--t_max", 3, "--max_updates", 4, "--eval_interval", 4, "--log_interval", 2)
    trained = run_here("sf_experiment.py", "--preset", "reading", *sets, *small)
    assert trained.returncode == 0, trained.stderr
    assert "near the true place" in trained.stdout and "-ReadingNet-" in trained.stdout.replace("reading", "")
    params = next(tmp_path.glob("*/best_model.pt"))
    assert resolve_network_and_config(params)[0] == "ReadingNet"
    played = ("--params", params, "--data_set", data_set)
    evaluated = run_here("eval_score_following.py", *played, "--deterministic", "--threads", 1)
    assert evaluated.returncode == 0, evaluated.stderr
    assert "warning: --deterministic has no effect on a reading agent, which samples no actions" in evaluated.stderr
    watched = run_here("test_score_following.py", *played, "--saliency", tmp_path / "a.mp4")
    assert watched.returncode == 2 and "a reading agent makes none" in watched.stderr
    agent = sfg.load_agent(params)
    assert isinstance(agent.player(), ReadingAgent) and agent.player() is not agent.player()
    pieces = sfg.load_pieces(data_set, game_config=agent.config)
    results = [sfg.evaluate(agent, pieces[:1], trials=2) for _ in range(2)]
    assert results[0].stats() == results[1].stats()
    with pytest.raises(UserError, match="this agent needs the game, not an observation; use evaluate"):
        agent.act((np.zeros((2, 39, 20)), np.zeros((2, 40, 150))))


def test_parameters_are_recognised_and_checked(config: GameConfig, tmp_path: Path):
    network, path = reading_network("ReadingNet", config), tmp_path / "params.pt"
    torch.save(network.state_dict(), path)
    assert isinstance(load_trained_agent(path, "ReadingNet", config, seed=0, precision="bfloat16"), ReadingAgent)
    with pytest.raises(UserError, match="--net BaselineNet: reading and listening"):
        load_trained_agent(path, "BaselineNet", config, seed=0)
    with pytest.raises(UserError, match="parameters of another network"):
        load_trained_agent("nottingham", "ReadingNet", config, seed=0)
    network.place.weight.data.fill_(1e30)
    torch.save(network.state_dict(), path)
    with pytest.raises(UserError, match="not finite or beyond"):
        load_parameters(network, path)
    with pytest.raises(UserError, match="--agent a2c: cannot train --net ReadingNet; use --agent reading"):
        algorithm_for(settings_from({"net": "ReadingNet"}), config)
