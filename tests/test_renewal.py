"""Pieces that are performed again while they are played: places in the bank, resting, resuming."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_piece import write_small_piece

from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.acoustics.world import World
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.performance import performance_samples
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.renewal import Renewal
from score_following_game.reinforcement_learning.settings import settings_from
from score_following_game.reinforcement_learning.trainer import Trainer
from score_following_game.reinforcement_learning.training_data import PLACE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    for number in range(5):
        write_small_piece(folder, f"tune_{number}", notes=8 + number)
    return folder


@pytest.fixture(scope="module")
def pieces(folder: Path) -> list[Piece]:
    return load_data_set(folder, load_game_config("nottingham"))


@pytest.mark.parametrize("name", ["nottingham", "nottingham_ls1"])
def test_a_replaced_piece_is_seen_as_in_a_bank_of_its_own(pieces: list[Piece], name: str):
    config = load_game_config(name)
    bank = ScoreBank(pieces, config, room=PLACE)
    longer = replace(
        pieces[4],
        spectrogram=np.hstack([pieces[4].spectrogram, pieces[4].spectrogram[:, :40]]),
        onset_frames=pieces[4].onset_frames + 20,
        name="longer",
    )
    bank.replace(1, longer)
    bank.replace(3, pieces[0])
    expected = ScoreBank([pieces[0], longer, pieces[2], pieces[0], pieces[4]], config)
    generator = torch.Generator().manual_seed(0)
    games = [Game(each, 5) for each in (bank, expected)]
    for game in games:
        game.piece = torch.arange(5)
        game.reset(StartSampler(expected, 0, random_start=1.0).draw(5)._replace(piece=torch.arange(5)))
    for _ in range(30):
        for seen, right in zip(games[0].observe(), games[1].observe()):
            torch.testing.assert_close(seen, right, rtol=0, atol=0)
        action = torch.randint(3, (5,), generator=generator)
        steps = [game.step(action) for game in games]
        for own, right in zip(*steps):
            torch.testing.assert_close(own, right, rtol=0, atol=0)
    assert bank.names == expected.names


def test_a_piece_that_is_too_long_has_no_place(pieces: list[Piece]):
    bank = ScoreBank(pieces, load_game_config("nottingham"), room=1.1)
    assert not bank.has_room_for(0, pieces[4])
    with pytest.raises(ValueError, match="tune_4: is too long"):
        bank.replace(0, pieces[4])


def renewal(pieces: list[Piece], remembered: int) -> tuple[Renewal, Game]:
    config = load_game_config("nottingham")
    bank = ScoreBank(pieces, config, room=PLACE)
    sampler = StartSampler(bank, 0)
    return Renewal(bank, sampler, World(frozenset({"timing", "gain"})), 7, remembered), Game(bank, 2)


def play(renewed: Renewal, game: Game, updates: int) -> list[set[int]]:
    """Pretend updates of ten steps: two games, restarted by the sampler. Returns the pieces played in each."""
    played = []
    for _ in range(updates):
        game.reset(renewed.sampler.draw(2))
        played.append(set(game.piece.tolist()))
        renewed.after_update(game.piece)
    return played


def test_renditions_replace_pieces_that_are_no_longer_remembered(pieces: list[Piece]):
    remembered = 3
    renewed, game = renewal(pieces, remembered)
    replaced: list[tuple[int, int]] = []
    replace_piece = renewed.bank.replace
    renewed.bank.replace = lambda index, piece: (replaced.append((len(played), index)), replace_piece(index, piece))  # type: ignore[method-assign]
    played: list[set[int]] = []
    for _ in range(80):
        played += play(renewed, game, 1)
    assert len(replaced) >= 10 and len({index for _, index in replaced}) == 5
    for update, index in replaced:  # neither played nor remembered when it was replaced
        assert all(index not in pieces for pieces in played[update - remembered : update])
    for index, number in enumerate(renewed.number.tolist()):  # one that is too long for its place is passed over
        assert number >= sum(other == index for _, other in replaced) > 0
    names = {piece.name for piece in renewed.bank.pieces}
    assert names == {piece.name for piece in pieces}
    changed = [not np.array_equal(new.spectrogram, old.spectrogram) for new, old in zip(renewed.bank.pieces, pieces)]
    assert sum(changed) >= 3  # by chance a switch may leave a rendition as it is


def test_the_rendition_of_a_long_piece_is_taken_after_more_updates(pieces: list[Piece], monkeypatch: pytest.MonkeyPatch):
    """So that no update waits for it; the number of updates depends on the piece alone."""
    made = {}
    for frames in (10_000, 20):
        monkeypatch.setattr("score_following_game.reinforcement_learning.renewal.FRAMES", frames)
        renewed, game = renewal(pieces, 0)
        play(renewed, game, 60)
        taken = sorted(renewed.since[renewed.since > 0].tolist())
        least = int(renewed.bank.last_onset.min()) // frames
        assert all(later - earlier >= least for earlier, later in pairwise(taken))
        made[frames] = int(renewed.number.sum())
    assert 0 < 2 * made[20] < made[10_000]


def test_state_restores_the_same_renditions(pieces: list[Piece]):
    first, game = renewal(pieces, 1)
    play(first, game, 25)
    state, generator = first.state_dict(), first.sampler.state_dict()
    second, other = renewal(pieces, 1)
    second.load_state_dict(state)
    second.sampler.load_state_dict(generator)
    first._take()
    second._take()
    torch.testing.assert_close(first.bank.spec, second.bank.spec, rtol=0, atol=0)
    torch.testing.assert_close(first.bank.ink, second.bank.ink, rtol=0, atol=0)
    torch.testing.assert_close(first.bank.true_x, second.bank.true_x, rtol=0, atol=0)
    assert play(first, game, 10) == play(second, other, 10)
    torch.testing.assert_close(first.bank.spec, second.bank.spec, rtol=0, atol=0)


def test_pieces_with_a_recording_stay_as_they_are(pieces: list[Piece]):
    fixed = [replace(piece, source=Path("tune.wav")) for piece in pieces[:2]]
    renewed, game = renewal([*fixed, *pieces[2:]], 0)
    play(renewed, game, 20)
    assert renewed.number[:2].tolist() == [0, 0] and (renewed.number[2:] > 0).all()


def test_pieces_that_wait_take_the_places_of_those_that_were_played(folder: Path):
    config = load_game_config("nottingham")
    silent = load_data_set(folder, config, silent=True)
    assert all(piece.spectrogram.shape == (78, 0) for piece in silent)
    bank = ScoreBank(silent[:2], config, room=PLACE, guests=silent)
    assert all(bank.has_room_for(0, piece) for piece in load_data_set(folder, config))
    sampler = StartSampler(bank, 0)
    renewed, game = Renewal(bank, sampler, World(frozenset({"timing", "gain"})), 7, 1, silent[2:]), Game(bank, 1)
    renewed.begin()
    assert renewed.number.tolist() == [1, 1, 0, 0, 0] and all(piece.spectrogram.shape[1] for piece in bank.pieces)
    assert bank.spec.abs().sum(1).gt(0).sum() > sum(int(piece.onset_frames[-1]) for piece in silent[:2])
    heard = set()
    for _ in range(60):
        game.reset(sampler.draw(1))
        heard.add(bank.names[int(game.piece)])
        renewed.after_update(game.piece)
    assert heard == {piece.name for piece in silent}
    assert renewed.number.max() - renewed.number.min() <= 2  # each in its turn


def make_settings(folder: Path, **values: object):
    chosen = {"preset": "fast", "n_worker": 4, "t_max": 8, "memory": 64, "augment": 0, "world": "timing,noise,sheets"}
    settings = settings_from({**chosen, "train_set": str(folder), "eval_set": str(folder), "eval_interval": 1000, **values})
    return replace(settings, no_log=True)


@pytest.mark.parametrize("at_once", [None, 3])
def test_a_resumed_run_equals_an_uninterrupted_one(folder: Path, tmp_path: Path, config: GameConfig, at_once: int | None):
    def trainer(directory: str, updates: int, resume: bool = False) -> Trainer:
        torch.manual_seed(0)
        (tmp_path / directory).mkdir(exist_ok=True)
        made = Trainer(make_settings(folder, max_updates=updates, pieces_at_once=at_once), config, tmp_path / directory, resume)
        made.train()
        return made

    whole = trainer("whole", 24)
    trainer("parts", 14)
    parts = trainer("parts", 24, resume=True)
    assert whole.renewal is not None and whole.renewal.number.sum() > 2
    torch.testing.assert_close(parts.train_bank.spec, whole.train_bank.spec, rtol=0, atol=0)
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(parts.network.state_dict()[name], value, rtol=0, atol=0)


def test_a_recording_has_its_place_from_the_beginning(folder: Path, tmp_path: Path, config: GameConfig):
    shutil.copytree(folder, tmp_path / "set")
    samples = performance_samples(tmp_path / "set" / "tune_2.mid", config)
    soundfile.write(tmp_path / "set" / "tune_2.wav", samples, config.spectrogram_params.sample_rate)
    (tmp_path / "run").mkdir()
    made = Trainer(make_settings(tmp_path / "set", pieces_at_once=2), config, tmp_path / "run")
    assert made.train_bank.names[0] == "tune_2" and len(made.train_bank) == 2
    soundfile.write(tmp_path / "set" / "tune_3.wav", samples, config.spectrogram_params.sample_rate)
    with pytest.raises(UserError, match="--pieces_at_once 1: 2 training pieces"):
        Trainer(make_settings(tmp_path / "set", pieces_at_once=1), config, tmp_path / "run")


def test_unknown_switches_are_refused():
    with pytest.raises(UserError, match="--pieces_at_once does not go with --augment 2"):
        settings_from({"world": "all", "pieces_at_once": 3, "augment": 2})
    with pytest.raises(UserError, match="arguments: --world rain: unknown 'rain'"):
        settings_from({"world": "rain"})
