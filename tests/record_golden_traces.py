"""Records golden traces of the game on the two bundled pieces: python tests/record_golden_traces.py

Run this only after a deliberate change of the rules. It was first run on code that replayed the traces measured from the code
of 2018 exactly (test_game.py::test_reference_traces); tests/data/reference/README.md describes the file.
"""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from extract_reference import REFERENCE

from score_following_game.config import load_game_config
from score_following_game.data_processing.dataset import BUNDLED, load_data_set
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start

GOLDEN = REFERENCE / "game_traces.npz"
CONFIGS = ("nottingham", "nottingham_continuous")
PIECES = ("test_1_Joy_to_the_World", "test_4_Minuet_in_G")
# Coarse enough that sums and means of four are exact in float32: checksums are then the same on every machine.
LOUDNESS_STEP = 1 / 64
OBSERVATION_STEPS = (LOUDNESS_STEP / 4, 1 / 255)  # smallest difference within a spectrogram and within a sheet observation
STARTS = {  # (frame, moving, pixels off the true position)
    "random": (0, False, 0.0),
    "following": (0, False, 0.0),
    "wavering": (0, False, 0.0),
    "late": (100, True, 12.0),
}
RECORD = np.dtype(
    [(name, np.float64) for name in ("action", "reward", "error", "x", "speed", "true_x")]
    + [(name, np.int32) for name in ("frame", "terminated", "lost")]
    + [(name, np.uint32) for name in ("spec_checksum", "sheet_checksum")]
)
Policy = Callable[[Game], float]


def golden_bank(config_name: str, loudness: dict[str, np.ndarray], folder: Path) -> ScoreBank:
    """Returns the bundled pieces heard from ready spectrograms, so that no synthesizer takes part; `folder` is filled.

    loudness: piece -> uint8 (78, frames), in units of LOUDNESS_STEP.
    """
    for name in PIECES:
        for suffix in (".npz", ".mid"):
            shutil.copy(BUNDLED["test_sample"] / f"{name}{suffix}", folder)
        np.save(folder / f"{name}.spec.npy", loudness[name] * np.float32(LOUDNESS_STEP))
    config = load_game_config(f"game_configs/{config_name}.yaml")
    return ScoreBank(load_data_set(folder, config), config)


def play(bank: ScoreBank, piece: str, episode: str, policy: Policy) -> np.ndarray:
    """Returns the trace of one game, RECORD (1 + steps,): row 0 is the state after the reset, its action and reward are NaN."""
    frame, moving, off = STARTS[episode]
    game = Game(bank, 1)
    index = torch.tensor([bank.names.index(piece)])
    game.reset(Start(index, torch.tensor([frame]), torch.tensor([moving]), torch.tensor([off], dtype=torch.float64)))
    rows = [(np.nan, np.nan, game.tracking_error().item(), *state_of(game), False, False, *checksums(game))]
    terminated = False
    while not terminated:
        action = policy(game)
        step = game.step(torch.tensor([action], dtype=torch.float64 if bank.config.continuous else torch.int64))
        terminated, lost = step.terminated.item(), step.lost.item()
        rows.append((action, step.reward.item(), step.error.item(), *state_of(game), terminated, lost, *checksums(game)))
    return np.array(rows, RECORD)


def state_of(game: Game) -> tuple[float, float, float, int]:
    """x, speed, true x, frame."""
    return game.x.item(), game.speed.item(), game.true_position().item(), int(game.frame.item())


def checksums(game: Game) -> list[int]:
    """CRC-32 of what is seen: spectrogram, sheet, each in whole units of its smallest difference."""
    return [
        zlib.crc32(np.ascontiguousarray(np.rint(values[0].numpy() / unit)).astype("<i2").tobytes())
        for values, unit in zip(game.observe(), OBSERVATION_STEPS)
    ]


def recording_policy(episode: str, rng: np.random.Generator) -> Policy:
    """Returns the policy of an episode: random actions, or ones that follow the true position, exactly or wavering."""

    def choose(game: Game) -> float:
        if game.config.continuous:
            random = rng.normal(0, 2)
            exact = (game.bank.true_position(game.piece, game.frame + 1) - game.x - game.speed).item()
            return {"random": random, "wavering": exact + random}.get(episode, exact)
        if episode == "random" or (episode == "wavering" and rng.random() < 0.3):
            return int(rng.integers(len(game.config.actions)))
        changes = np.array(game.config.actions)
        ahead = game.bank.true_position(game.piece, game.frame + 5).item() - game.x.item()
        return int(np.abs(ahead - 5 * (game.speed.item() + changes)).argmin())

    return choose


def main() -> None:
    pieces = load_data_set(BUNDLED["test_sample"], load_game_config(f"game_configs/{CONFIGS[0]}.yaml"))
    loudness = {
        piece.name: np.rint(piece.spectrogram / LOUDNESS_STEP).clip(0, 255).astype(np.uint8)
        for piece in pieces
        if piece.name in PIECES
    }
    arrays = {f"loudness/{name}": values for name, values in loudness.items()}
    for config in CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            bank = golden_bank(config, loudness, Path(folder))
        for piece in PIECES:
            for number, episode in enumerate(STARTS):
                rng = np.random.default_rng(number)
                arrays[f"{config}/{piece}/{episode}"] = play(bank, piece, episode, recording_policy(episode, rng))
    np.savez_compressed(GOLDEN, **arrays)


if __name__ == "__main__":
    main()
