"""Following live: the spectrogram as samples arrive, and the game on it, equal to those of the whole recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.networks import network_for
from score_following_game.config import GameConfig, SpectrogramParams, load_game_config
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.spectrogram import compute_spectrogram
from score_following_game.data_processing.streaming import StreamingSpectrogram
from score_following_game.environment.game import Game
from score_following_game.environment.live import LiveScore
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError

RATE, HOP, HALF = 22050, 1102.5, 1024


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.05, n).astype(np.float32)


def blocks(samples: np.ndarray, size: int | None) -> Iterator[np.ndarray]:
    """Of one size, or of random ones."""
    rng, first = np.random.default_rng(1), 0
    while first < len(samples):
        n = size or int(rng.integers(0, 4000))
        yield samples[first : first + n]
        first += n


def streamed(samples: np.ndarray, size: int | None, params: SpectrogramParams | None = None) -> np.ndarray:
    stream = StreamingSpectrogram(params)
    frames = [stream.push(block) for block in blocks(samples, size)]
    return np.concatenate([*frames, stream.finish()], axis=1)


@pytest.mark.parametrize("size", [None, 1, 1102, 1103, 5000, 10**6])
def test_streamed_equals_offline(size: int | None):
    samples = noise(2 * RATE + 321)
    np.testing.assert_allclose(streamed(samples, size), compute_spectrogram(samples), atol=1e-6, rtol=0)


@pytest.mark.parametrize("n", [0, 1, 500, 1023, 1024, 1025, 1102, 1103, 2047, 2048, 2049, 2126, 2127, 5000])
def test_signals_shorter_than_some_frames(n: int):
    np.testing.assert_allclose(streamed(noise(n), 700), compute_spectrogram(noise(n)), atol=1e-6, rtol=0)


def test_integers_stereo_silence_and_other_parameters():
    samples = (np.stack([noise(30000), noise(30000, 1)], axis=1) * 32767).astype(np.int16)
    np.testing.assert_allclose(streamed(samples, None), compute_spectrogram(samples), atol=1e-6, rtol=0)
    assert not streamed(np.zeros(20000), None).any()
    for rate, size, fps in ((44100, 4096, 20), (22050, 1024, 25), (16000, 2048, 7)):
        expected = compute_spectrogram(noise(50000), rate, rate=rate, frame_size=size, fps=fps)
        got = streamed(noise(50000), None, SpectrogramParams(rate, size, fps))
        np.testing.assert_allclose(got, expected, atol=1e-6, rtol=0)


def test_a_frame_comes_half_a_frame_after_its_centre():
    stream = StreamingSpectrogram()
    arrived = given = 0
    for block in blocks(noise(40 * 1103), 1):
        arrived += len(block)
        given += stream.push(block).shape[1]
        assert given == sum(int(k * HOP) + HALF <= arrived for k in range(given + 2))
        assert given >= int(arrived / HOP)  # at the moment of frame f, the frames before it are there


def test_memory_stays_small_and_the_pushed_array_may_be_used_again():
    samples, stream, buffer, frames = noise(200 * 1103), StreamingSpectrogram(), np.empty(1103, np.float32), []
    for block in blocks(samples, 1103):
        buffer[:] = block
        frames.append(stream.push(buffer))
        assert len(stream._samples) < 8000
    np.testing.assert_allclose(np.concatenate([*frames, stream.finish()], axis=1), compute_spectrogram(samples), atol=1e-6)


def test_other_types_of_samples_are_refused():
    stream = StreamingSpectrogram()
    with pytest.raises(ValueError, match="uint8"):
        stream.push(np.ones(10, np.uint8))
    stream.push(np.ones(10, np.int16))
    with pytest.raises(ValueError, match="float64"):
        stream.push(np.ones(10))


def recorded_piece(config: GameConfig, seconds: int) -> tuple[Piece, np.ndarray]:
    """A piece of noise, and the samples it is heard from."""
    samples = noise(seconds * RATE, seed=5)
    sheet = np.random.default_rng(5).integers(0, 256, (config.staff_height + 6, 700), dtype=np.uint8)
    onsets = np.arange(3, seconds * 20, 7)
    x = np.linspace(30.3, 650, len(onsets)).astype(np.float32)
    return Piece("noise", sheet, onsets, x, compute_spectrogram(samples), Path(), Path()), samples


def arriving(samples: np.ndarray) -> Iterator[np.ndarray]:
    """The frames of a performance, as its samples come; nothing is heard after it."""
    stream = StreamingSpectrogram()
    for block in blocks(samples, None):
        yield stream.push(block)
    yield stream.finish()
    while True:
        yield np.zeros((78, 1), np.float32)


GAMES = [
    ("ScoreFollowingNet", "nottingham", "right_most", 8),
    ("ScoreFollowingNet", "nottingham", "center", 8),
    ("ScoreFollowingNetMSMDLCHSDeepDoLight", "mutopia_lchs1", "right_most", 3),
]


@pytest.mark.parametrize("net, name, target, seconds", GAMES)
def test_followed_live_as_in_the_recording(net: str, name: str, target: str, seconds: int):
    config = replace(load_game_config(f"{name}.yaml"), target_frame=target)
    piece, samples = recorded_piece(config, seconds)
    torch.manual_seed(3)
    agent = TrainedAgent(network_for(net, config), deterministic=True)
    game = Game(ScoreBank([piece], config), 1)
    live, frames = LiveScore(piece.sheet, piece.onset_x[0], config, minutes=1), arriving(samples)
    actions = set()
    while int(game.frame[0]) < piece.onset_frames[-1]:  # on when lost: the live game cannot know
        while not live.ready:
            live.hear(next(frames))
        for expected, got in zip(game.observe(), live.game.observe()):
            torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
        action = agent.perform_action(live.game)
        live.step(action)
        game.step(agent.perform_action(game))
        actions.add(int(action))
        assert live.x == game.x.item() - config.sheet_pad
        assert live.game.speed.item() == game.speed.item()
    assert len(actions) > 1


def test_no_step_before_its_audio_and_none_beyond_the_room(config: GameConfig):
    piece, _samples = recorded_piece(config, 2)
    live = LiveScore(piece.sheet, piece.onset_x[0], config, minutes=0.05, name="my piece")
    assert live.x == pytest.approx(30.3, abs=1e-4)
    still = torch.tensor([1])
    live.hear(np.zeros((78, 0), np.float32))
    live.step(still)
    with pytest.raises(ValueError, match=r"0 frames heard .* frame 1"):
        live.step(still)
    live.hear(np.zeros((78, 60), np.float32))
    with pytest.raises(UserError, match=r"my piece: .* 0.05 minutes"):
        live.hear(np.zeros((78, 1), np.float32))
