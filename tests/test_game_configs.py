"""The published game configs to the number, the networks that play them, and the knobs that none of them turns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT

from score_following_game.agents.architectures import ARCHITECTURES
from score_following_game.agents.inference import act
from score_following_game.agents.networks import network_for
from score_following_game.config import GameConfig, SpectrogramParams, load_game_config
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector

# spec_context, sheet_context, staff_height, spec_factor, sheet_factor, spec_shape, sheet_shape, actions; two are our own
NUMBERS = {
    "long_past": (160, 150, 40, 0.5, 1.0, (2, 39, 80), (2, 40, 150), 0.5),
    "nottingham_reading": (40, 150, 40, 1.0, 1.0, (2, 78, 40), (2, 40, 150), 0.5),
    "nottingham": (40, 150, 40, 0.5, 1.0, (2, 39, 20), (2, 40, 150), 0.5),
    "nottingham_ls1": (40, 150, 40, 1.0, 1.0, (2, 78, 40), (2, 40, 150), 1.0),
    "mutopia": (40, 256, 128, 0.5, 0.5, (2, 39, 20), (2, 64, 128), 0.5),
    "mutopia_lc": (40, 512, 140, 0.5, 0.5, (2, 39, 20), (2, 70, 256), 0.5),
    "mutopia_lch": (40, 512, 160, 0.5, 0.5, (2, 39, 20), (2, 80, 256), 0.5),
    "mutopia_lchs": (40, 512, 160, 1.0, 0.5, (2, 78, 40), (2, 80, 256), 0.5),
    "mutopia_lchs1": (40, 512, 160, 1.0, 0.5, (2, 78, 40), (2, 80, 256), 1.0),
    "mutopia_lchs1a": (60, 512, 160, 1.0, 0.5, (2, 78, 60), (2, 80, 256), 1.0),
}
ALSO_CONTINUOUS = ("nottingham", "mutopia", "mutopia_lc", "mutopia_lch", "mutopia_lchs")
CONFIGS = [*NUMBERS, *(f"{name}_continuous" for name in ALSO_CONTINUOUS)]
KEYS = [
    "spec_context",
    "sheet_context",
    "staff_height",
    "spectrogram_params",
    "spec_factor",
    "sheet_factor",
    "spec_shape",
    "sheet_shape",
    "target_frame",
    "continuous",
    "actions",
    "reward_window",
]


def written(tmp_path: Path, name: str, **changes: object) -> GameConfig:
    """A published config with some keys changed, by way of a file."""
    content = yaml.safe_load((ROOT / "game_configs" / f"{name}.yaml").read_text()) | changes
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(content))
    return load_game_config(tmp_path / "changed.yaml")


def noise(config: GameConfig, onsets: list[int], name: str = "noise") -> Piece:
    """A piece of noise whose notes stand 4 px a frame apart."""
    rng = np.random.default_rng(len(onsets))
    frames = np.array(onsets)
    sheet = rng.integers(0, 256, (config.staff_height, 4 * onsets[-1] + 100), dtype=np.uint8)
    spectrogram = rng.random((78, onsets[-1] + 20), dtype=np.float32)
    return Piece(name, sheet, frames, (50 + 4 * frames).astype(np.float32), spectrogram, Path("a.mid"), Path("a.mid"))


def test_there_are_these_and_no_others():
    assert {path.stem for path in (ROOT / "game_configs").glob("*.yaml")} == set(CONFIGS)
    assert len(CONFIGS) == 15


@pytest.mark.parametrize("name", CONFIGS)
def test_the_numbers_are_those_stated(name: str):
    config = load_game_config(f"game_configs/{name}.yaml")
    continuous = name.endswith("_continuous")
    *numbers, change = NUMBERS[name.removesuffix("_continuous")]
    assert [
        config.spec_context,
        config.sheet_context,
        config.staff_height,
        config.spec_factor,
        config.sheet_factor,
        config.spec_shape,
        config.sheet_shape,
    ] == numbers
    assert config.actions == (() if continuous else (-change, 0.0, change))
    assert config.continuous is continuous
    assert (config.target_frame, config.reward_window) == ("right_most", -1)
    assert config.spectrogram_params == SpectrogramParams(sample_rate=22050, frame_size=2048, fps=20)
    assert list(yaml.safe_load((ROOT / "game_configs" / f"{name}.yaml").read_text())) == KEYS


def fitting(name: str) -> list[str]:
    """The configs whose observations and kind of action a network takes."""
    expected = ARCHITECTURES[name]
    configs = {config: load_game_config(f"game_configs/{config}.yaml") for config in CONFIGS}
    return [
        key
        for key, config in configs.items()
        if config.continuous == expected.continuous
        and (config.spec_shape[1:], config.sheet_shape[1:]) == (expected.spec_size, expected.sheet_size)
    ]


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_network_plays_a_game(name: str):
    configs = fitting(name)
    assert configs
    if "LCHSA" in name:
        assert configs == ["mutopia_lchs1a"]
    for config in map(load_game_config, (f"game_configs/{key}.yaml" for key in configs[:1])):
        game = Game(ScoreBank([noise(config, [0, 8, 16])], config), 2)
        network = network_for(name, config).eval()
        judged = act(network, game.bank, game.position(), torch.float32, network.initial_lstm_state(2))
        policy = network.policy(judged.output)
        step = game.step(policy.sample(torch.Generator().manual_seed(0)))
        assert step.reward.isfinite().all()
        assert judged.value.shape == (2,)


def test_every_config_has_a_network():
    assert {config for name in ARCHITECTURES for config in fitting(name)} == set(CONFIGS) - {
        "mutopia_continuous",
        "mutopia_lc_continuous",
        "mutopia_lch_continuous",
    }  # of those none was published


@pytest.mark.parametrize("window", [0, 1, 3, 50])
def test_the_reward_window_takes_rewards_away_and_changes_none(tmp_path: Path, window: int):
    """Against the rule: 0 unless the frame is within +-window of the onset before it or the one after it."""
    everywhere, near = (written(tmp_path, "nottingham", reward_window=width) for width in (-1, window))
    onsets = [5, 6, 14, 30, 31, 45]
    plain, windowed = (Game(ScoreBank([noise(config, onsets)], config), 3) for config in (everywhere, near))
    generator = torch.Generator().manual_seed(window)
    seen = set()
    while len(plain):
        actions = torch.randint(3, (len(plain),), generator=generator)
        full, step = plain.step(actions), windowed.step(actions)
        frame = int(plain.frame[0])
        current = max((onset for onset in onsets if onset <= frame), default=onsets[0])
        following = min((onset for onset in onsets if onset > frame), default=onsets[-1])
        inside = min(abs(frame - current), abs(frame - following)) <= window
        assert torch.equal(step.reward, full.reward if inside else torch.zeros_like(full.reward))
        assert torch.equal(step.terminated, full.terminated)
        seen.add(inside)
        for game in (plain, windowed):
            game.keep(~full.terminated)
    assert seen == ({True} if window == 50 else {True, False})


@pytest.mark.parametrize(("target", "first", "last"), [("right_most", 31, 70), ("center", 11, 50)])
def test_where_the_present_frame_is_heard(tmp_path: Path, target: str, first: int, last: int):
    """A sound of one frame, 30: heard after it, or as long before as after."""
    config = written(tmp_path, "nottingham_ls1", target_frame=target, continuous=True, actions=[])
    piece = noise(config, [0, 80])
    sound = np.zeros_like(piece.spectrogram)
    sound[:, 30] = 1
    game = Game(ScoreBank([replace(piece, spectrogram=sound)], config), 1)
    heard = {}
    for frame in range(1, 80):
        game.step(torch.tensor([4.0 if frame == 1 else 0.0]))
        if columns := game.observe()[0][0, 0, 0].nonzero()[:, 0].tolist():
            (heard[frame],) = columns
    assert list(heard) == list(range(first, last + 1))
    assert heard[first] == 39
    assert heard[last] == 0
    assert heard[31] == (39 if target == "right_most" else 19)


def test_training_prefers_the_pieces_whose_latest_game_went_badly(tmp_path: Path):
    """From the games a collector has played, the weights of the pieces it draws next, worked out again by hand."""
    config = written(tmp_path, "nottingham")
    pieces = [noise(config, list(range(0, length, 5)), f"piece{length}") for length in (11, 26, 61)]
    bank = ScoreBank(pieces, config)
    torch.manual_seed(0)
    sampler = StartSampler(bank, 3, random_start=0.0, prioritized=True)
    collector = RolloutCollector(bank, 16, network_for("ScoreFollowingNet", config), sampler, 4, torch.float32)
    latest = [0.0, 0.0, 0.0]
    for _ in range(3):
        rollout = collector.collect(20)
        steps = zip(
            *(values.view(20, 16).tolist() for values in (rollout.masks, rollout.positions.piece, rollout.positions.frame))
        )
        for masks, played, frames in steps:
            for mask, piece, frame in zip(masks, played, frames):
                if not mask:
                    latest[piece] = (frame + 1) / int(bank.last_onset[piece])
    assert latest[0] != latest[2]
    assert sampler.latest_ratio.tolist() == pytest.approx(latest)
    for resting, most in ((None, 0.95), (torch.zeros(3, dtype=torch.bool), 0.5)):  # as it is, and of renditions
        sampler.resting = resting
        weights = torch.tensor([1 - min(ratio, most) for ratio in latest])
        shares = torch.bincount(sampler.draw(30000).piece, minlength=3) / 30000
        torch.testing.assert_close(shares, weights / weights.sum(), atol=0.015, rtol=0)
