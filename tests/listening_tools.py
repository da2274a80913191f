"""What the tests of --audio mic share: noise, a tune as it is heard after some silence, the network that listens."""

from pathlib import Path

import numpy as np
import pretty_midi
import soundfile
import torch
from small_piece import write_small_piece

from score_following_game.agents.agents import TrainedAgent
from score_following_game.agents.networks import network_for
from score_following_game.config import GameConfig, SpectrogramParams
from score_following_game.data_processing.synthesis import synthesise

RATE, SOUND = 22050, SpectrogramParams()
SCRIPT = "test_score_following.py"
SILENCE, LASTS = 0.7, 4.5  # seconds before the music, and in all


def noise(seconds: float, level: float = 1e-3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.float32)


def write_heard(folder: Path) -> Path:
    """Write a small piece of 3.2 s: its npz, which is returned; beside it its MIDI and, as heard.wav, its sound after SILENCE,
    before some more.
    """
    write_small_piece(folder, "tune")
    samples = synthesise(pretty_midi.PrettyMIDI(str(folder / "tune.mid"))).astype(np.float32)
    samples *= 0.5 / np.abs(samples).max()
    heard = np.concatenate([np.zeros(round(SILENCE * RATE)), samples, np.zeros(RATE)])[: round(LASTS * RATE)]
    soundfile.write(folder / "heard.wav", heard + noise(LASTS), RATE)
    return folder / "tune.npz"


def agent(config: GameConfig) -> TrainedAgent:
    torch.manual_seed(3)
    return TrainedAgent(network_for("ScoreFollowingNet", config), deterministic=True)
