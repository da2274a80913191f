"""The rules: the reference traces to the bit, batch equal to single games, and each rule on its own."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.observation import Position, observe
from score_following_game.environment.score_bank import ScoreBank, interpolate
from score_following_game.environment.starts import LAST_START, Start, StartSampler
from score_following_game.errors import UserError


def random_piece(rng: np.random.Generator, config: GameConfig, falling: bool = False) -> Piece:
    """A piece of any shape: noise for a sheet and a spectrogram, a recording that may end early."""
    onsets = np.unique(rng.integers(0, 120, rng.integers(1, 20)))
    x = rng.uniform(0, 400, len(onsets)).astype(np.float32)
    sheet = rng.integers(0, 256, (config.staff_height + int(rng.integers(0, 9)), int(rng.integers(410, 500))), dtype=np.uint8)
    spectrogram = rng.random((78, int(rng.integers(1, 200))), dtype=np.float32)
    return Piece("random", sheet, onsets, x if falling else np.sort(x), spectrogram, Path("random.mid"), Path("random.mid"))


def starts(pieces: list[int], frames: list[int] | None = None, moving: bool = False) -> Start:
    frame = torch.tensor(frames or [0] * len(pieces))
    return Start.from_beginning(torch.tensor(pieces))._replace(frame=frame, moving=torch.full((len(pieces),), moving))


@pytest.mark.parametrize("name", ["nottingham", "nottingham_continuous"])
def test_reference_traces(shared: Path, tmp_path: Path, name: str):
    config = load_game_config(f"game_configs/{name}.yaml")
    for file in (shared / "data" / "published_sample").glob("ashover*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    bank = ScoreBank(load_data_set(tmp_path, config), config)
    trace = np.load(shared / "reference" / f"game_trace_{name}.npz")
    episodes = sorted({key.split("/")[0] for key in trace} - {"pool"})
    assert len(episodes) >= 3
    frames = (trace["pool/interp_frames"] - config.spec_pad).clip(0, int(bank.last_onset[0]))
    np.testing.assert_array_equal(bank.true_x.numpy()[frames], trace["pool/interp_coord"])
    for episode in episodes:
        compare_episode(Game(bank, 1), {key.split("/")[1]: trace[key] for key in trace if key.startswith(f"{episode}/")})


def compare_episode(game: Game, trace: dict[str, np.ndarray]) -> None:
    """Positions, rewards and ends exactly, observations to 1e-6; difference channels of step 0 are zero here by intent."""
    pad = game.config.spec_pad
    for index, action in enumerate(trace["action"]):
        if index:
            step = game.step(torch.tensor([action if game.config.continuous else int(action)]))
            assert step.reward.item() == trace["reward"][index]
            assert step.terminated.item() == trace["done"][index]
            assert step.error.item() == trace["tracking_error"][index]
        assert game.frame.item() + pad == trace["curr_spec_frame"][index]
        assert game.x.item() == trace["sheet_coord"][index]
        assert game.speed.item() == trace["sheet_speed"][index]
        assert game.true_position().item() == trace["true_coord"][index]
        channels = slice(None) if index else slice(0, 1)
        spec, sheet = (values[0].numpy() for values in game.observe())
        if f"obs_spec_step{index}" in trace:
            np.testing.assert_allclose(spec[channels], trace[f"obs_spec_step{index}"][channels], atol=1e-6)
            np.testing.assert_allclose(sheet[channels], trace[f"obs_sheet_step{index}"][channels], atol=1e-6)
        if not index:
            assert not spec[1].any()
            assert not sheet[1].any()


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(["nottingham", "nottingham_continuous", "mutopia_lchs1"]),
    n_pieces=st.integers(1, 4),
    n_games=st.integers(1, 7),
    window=st.sampled_from([-1, 0, 3]),
)
def test_a_batch_plays_as_its_games_one_by_one(seed: int, name: str, n_pieces: int, n_games: int, window: int):
    rng = np.random.default_rng(seed)
    config = replace(load_game_config(f"game_configs/{name}.yaml"), reward_window=window)
    bank = ScoreBank([random_piece(rng, config, falling=bool(rng.integers(2))) for _ in range(n_pieces)], config)
    pieces = rng.integers(0, n_pieces, n_games).tolist()
    batch = Game(bank, n_games)
    batch.reset(starts(pieces))
    singles = [Game(bank, 1) for _ in pieces]
    for game, piece in zip(singles, pieces):
        game.reset(starts([piece]))
    running = list(range(n_games))
    while running:
        actions = rng.normal(0, 2, len(running)) if config.continuous else rng.integers(0, 3, len(running))
        actions = torch.from_numpy(np.asarray(actions))
        seen = batch.observe()
        step = batch.step(actions)
        for row, number in enumerate(running):
            alone = singles[number].observe()
            assert torch.equal(alone[0][0], seen[0][row])
            assert torch.equal(alone[1][0], seen[1][row])
            single = singles[number].step(actions[row : row + 1])
            assert all(a.item() == b[row].item() for a, b in zip(single, step))
            assert singles[number].x.item() == batch.x[row].item()
        batch.keep(~step.terminated)
        running = [number for number, ended in zip(running, step.terminated.tolist()) if not ended]


@settings(max_examples=20)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(["nottingham", "mutopia_lchs1", "mutopia"]),
    target=st.sampled_from(["right_most", "center"]),
)
def test_observations_are_resized_crops(seed: int, name: str, target: str):
    """Independent of the bank's tables: pad, crop and resize each window by OpenCV, as the rules say."""
    rng = np.random.default_rng(seed)
    config = replace(load_game_config(f"game_configs/{name}.yaml"), target_frame=target)
    pieces = [random_piece(rng, config) for _ in range(3)]
    bank = ScoreBank(pieces, config)
    index, piece = 1, pieces[1]
    sheet = np.pad(piece.sheet, ((0, 0), (config.sheet_pad,) * 2), constant_values=piece.sheet.max())
    spec = np.pad(piece.spectrogram, ((0, 0), (config.spec_pad, config.spec_pad + 200)))
    frame = int(rng.integers(0, piece.onset_frames[-1] + 1))
    x = rng.uniform(config.sheet_context / 2, sheet.shape[1] - config.sheet_context / 2 - 1)
    seen = observe(bank, Position(*(torch.tensor([v]) for v in (index, frame, x, frame, x))))
    left = frame + config.spec_pad - (config.spec_context if target == "right_most" else config.spec_context // 2)
    expected = spec[:, left : left + config.spec_context]
    expected = cv2.resize(expected, None, fx=config.spec_factor, fy=config.spec_factor)
    np.testing.assert_allclose(seen[0][0, 0].numpy(), expected, atol=1e-6)
    top, left = piece.sheet.shape[0] // 2 - config.staff_height // 2, int(x - config.sheet_context / 2)
    crop = sheet[top : top + config.staff_height, left : left + config.sheet_context]
    crop = cv2.resize(crop, None, fx=config.sheet_factor, fy=config.sheet_factor)
    np.testing.assert_allclose(seen[1][0, 0].numpy(), 1 - crop / np.float32(255), atol=1e-6)
    assert seen[1].is_contiguous(memory_format=torch.channels_last)


def test_lost_at_the_first_whole_pixel_beyond_the_threshold(bank: ScoreBank, config: GameConfig):
    continuous = replace(config, continuous=True, actions=())
    own = ScoreBank(bank.pieces, continuous)
    for distance, lost in ((50.99, False), (51.0, True)):
        game = Game(own, 1)
        game.reset(starts([1]))
        error_now = game.bank.true_position(game.piece, game.frame + 1) - game.x
        step = game.step(error_now + distance)
        assert step.lost.item() is lost
        assert step.terminated.item() is lost
        assert step.reward.item() == 0  # (50 - int(50.99)) / 50 as well


def test_continuous_reward_falls_with_backward_speed_but_being_lost_is_zero(bank: ScoreBank, config: GameConfig):
    game = Game(ScoreBank(bank.pieces, replace(config, continuous=True, actions=())), 1)
    game.reset(starts([1]))
    step = game.step(torch.tensor([-3.5]))
    assert step.reward.item() == (50 - int(abs(step.error.item()))) / 50 - 3.5
    assert game.step(torch.tensor([-80.0])).reward.item() == 0


def test_position_is_clipped_to_the_padded_sheet(bank: ScoreBank):
    game = Game(bank, 1)
    game.speed += 1e6
    game.step(torch.tensor([1]))
    assert game.x.item() == bank.width[0].item() - 75 - 1
    game.speed -= 1e7
    game.step(torch.tensor([1]))
    assert game.x.item() == 75


def test_the_song_is_over_at_its_last_onset(bank: ScoreBank, config: GameConfig):
    game = Game(ScoreBank(bank.pieces, replace(config, continuous=True, actions=())), 1)
    game.reset(starts([0]))
    for frame in range(1, int(bank.last_onset[0]) + 1):
        change = game.bank.true_position(game.piece, game.frame + 1) - game.x - game.speed
        step = game.step(change)
        assert step.terminated.item() is (frame == 40)
        assert not step.lost.item()
        assert step.reward.item() == 1


def test_reward_window_rewards_near_onsets_only(bank: ScoreBank, config: GameConfig):
    game = Game(ScoreBank(bank.pieces, replace(config, reward_window=1)), 1)
    rewarded = [game.step(torch.tensor([1])).reward.item() > 0 for _ in range(16)]
    # Onsets every 8 frames, the first at frame 0: frames 1, 7, 8, 9, 15, 16 are within one of them.
    assert [frame for frame, positive in enumerate(rewarded, start=1) if positive] == [1, 7, 8, 9, 15, 16]


def test_random_starts_begin_on_the_music_at_its_speed(bank: ScoreBank):
    sampler = StartSampler(bank, seed=1, random_start=1.0)
    start = sampler.draw(2000)
    assert start.moving.all()
    for piece in range(len(bank)):
        frames = start.frame[start.piece == piece]
        assert frames.min() == 0
        assert frames.max() == bank.last_onset[piece] - LAST_START
    game = Game(bank, 2000)
    game.reset(start)
    assert torch.equal(game.x, bank.true_position(start.piece, start.frame))
    slope = bank.true_position(start.piece, start.frame + 1) - game.x
    assert torch.equal(game.speed, torch.round(slope / 0.5) * 0.5)
    spec, sheet = game.observe()
    assert not spec[:, 1].any()
    assert not sheet[:, 1].any()
    assert spec[:, 0].any()


def test_random_starts_may_be_off_the_music(bank: ScoreBank):
    start = StartSampler(bank, 1, random_start=0.5, random_offset=30.0).draw(4000)
    assert not start.off[~start.moving].any()
    off = start.off[start.moving]
    assert off.min() < -29
    assert 29 < off.max() <= 30
    game = Game(bank, len(start.piece))
    game.reset(start)
    free = (game.x > bank.config.sheet_context / 2) & (game.x < bank.width[start.piece] - bank.config.sheet_context / 2 - 1)
    torch.testing.assert_close(game.tracking_error()[free], start.off[free])
    assert (game.x == game.previous_x).all()
    assert not StartSampler(bank, 1, random_start=1.0).draw(100).off.any()
    with pytest.raises(UserError, match=f"random_offset is 80, expected a number from 0 to below {bank.config.threshold}"):
        StartSampler(bank, 1, random_offset=80)


def test_share_of_random_starts_and_determinism(bank: ScoreBank):
    first, second = StartSampler(bank, 3, 0.3).draw(5000), StartSampler(bank, 3, 0.3).draw(5000)
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert 0.27 < first.moving.double().mean() < 0.33
    assert not first.frame[~first.moving].any()
    assert not StartSampler(bank, 3).draw(100).frame.any()


def test_prioritised_sampling_prefers_what_goes_badly(bank: ScoreBank):
    sampler = StartSampler(bank, 0, prioritized=True)
    last = bank.last_onset
    # Of games of a piece ending together the last one counts; what a random start left out does not.
    begun = torch.stack([torch.tensor(0), torch.tensor(0), last[1] // 2, last[2] // 2, torch.tensor(0)])
    frame = torch.stack([last[1], last[0], last[1] // 2 + (last[1] - last[1] // 2) // 2, last[2] // 2, last[1]])
    sampler.report(torch.tensor([1, 0, 1, 2, 1]), begun, frame, torch.tensor([True, True, True, True, False]))
    counts = torch.bincount(sampler.draw(20000).piece, minlength=3) / 20000
    weights = torch.tensor([0.05, 0.5, 1.0]) / 1.55
    torch.testing.assert_close(counts, weights, atol=0.02, rtol=0)
    restored = StartSampler(bank, 9, prioritized=True)
    restored.load_state_dict(sampler.state_dict())
    assert torch.equal(restored.draw(50).piece, sampler.draw(50).piece)


def test_interpolation_by_hand():
    x = interpolate(np.arange(8), np.array([2, 4, 6]), np.array([10, 20, 20], np.float32))
    assert x.tolist() == [10, 10, 10, 15, 20, 20, 20, 20]
    assert interpolate(np.arange(3), np.array([1]), np.array([7], np.float32)).tolist() == [7, 7, 7]
