"""The whole way in a few minutes, on the tunes that come with the package: python -m score_following_game.demo

Engraves the tunes, trains an agent, evaluates it on tunes it never saw beside two baselines, and draws what it did.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from score_following_game.agents.agents import Agent, ConstantSpeedAgent, TrainedAgent
from score_following_game.agents.loading import load_trained_agent
from score_following_game.agents.networks import network_for
from score_following_game.command_line import Parser, script
from score_following_game.config import DEFAULT_GAME_CONFIG, PACKAGE, GameConfig, freely_moving, load_game_config
from score_following_game.data_preparation.building.build import BuildOptions, build
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.rendering.picture import Overlay, render
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.evaluator import Episode, play_data_set
from score_following_game.evaluation.learning_curve import plot_learning_curve
from score_following_game.evaluation.metrics import alignment_stats, mean_stats
from score_following_game.evaluation.plots import plot_episode
from score_following_game.files import replacing
from score_following_game.machine import TRIAL_HELP, available_cores, prepare_machine
from score_following_game.opencv import cv2
from score_following_game.reinforcement_learning.run_directory import create_run_directory
from score_following_game.reinforcement_learning.settings import Settings, settings_from
from score_following_game.reinforcement_learning.trainer import Trainer
from score_following_game.run_files import BEST_MODEL_FILE, CURVE_FILE
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of

SETS = ("train", "valid", "test")
TRIALS = 10
# The preset is tuned for half an hour. In a few minutes, on any machine: smaller updates, so that there are more of them, an
# average that forgets sooner, and cooling within that time. R_on on the validation tunes is printed as it grows.
FOR_MINUTES = {"n_worker": 16, "averaging": 0.95, "anneal_steps": 150_000, "eval_interval": 40, "log_interval": 40}


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo_output"), help="folder for the results (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (default %(default)s)")
    parser.add_argument("--threads", type=int, help=TRIAL_HELP)
    arguments = parser.parse_args()
    demonstrate(arguments.output, arguments.minutes, arguments.threads)


def demonstrate(output: Path, minutes: float, threads: int | None) -> None:
    config = load_game_config(DEFAULT_GAME_CONFIG)
    print("1. Engraving the bundled tunes", flush=True)
    engrave(output / "data")
    print(
        f"\n2. Training for {minutes:g} minutes by reinforcement (--preset fast); R_on is the share of the onsets of the\n"
        "   validation tunes that the agent reaches before it is lost",
        flush=True,
    )
    settings = settings_from(
        {
            "preset": "fast",
            **FOR_MINUTES,
            "train_set": str(output / "data" / "train"),
            "eval_set": str(output / "data" / "valid"),
            "param_root": str(output / "params"),
            "log_root": str(output / "runs"),
            "max_minutes": minutes,
            "threads": threads,
        }
    )
    directory = train(settings, config)
    print(f"\n3. Following the test tunes, which it has never seen, {TRIALS} times each", flush=True)
    trained = load_trained_agent(directory / BEST_MODEL_FILE, settings.net, config, seed=settings.seed)
    assert isinstance(trained, TrainedAgent)  # the preset trains no localisation
    best = compare(output, config, settings, trained)
    print("\n4. Drawing", flush=True)
    draw(output, config, trained, best)
    plot_learning_curve(directory / CURVE_FILE, output / "learning_curve.png")
    python, test_set = sys.executable, output / "data" / "test"
    print(f"""
In {output}:
  table.txt           the table above
  last_frames.png     what the agent saw and did in the last frames of {best}
  alignment.png       where it was and where the music was, over time
  learning_curve.png  the tracking ratios on the validation tunes during training
Next:
  {python} -m score_following_game.scripts.watch --params {directory / BEST_MODEL_FILE} --data_set {test_set}
                                     watch it play in a window (add --video follow.mp4 for a film)
  {python} -m score_following_game.scripts.train --resume {directory} --max_minutes {minutes + 30:g}
                                     train on; docs/training.md says how to train on more music""")


def engrave(data: Path) -> None:
    for name in SETS:
        sources = find_sources([PACKAGE / "bundled" / "tunes" / f"{name}.abc"])
        report = build(sources, BuildOptions(data / name, jobs=available_cores()))
        print(f"   {name}: {report.lines()[0]}", flush=True)


def train(settings: Settings, config: GameConfig) -> Path:
    """Returns the run's directory."""
    if report := prepare_machine(settings.seed, settings.device, settings.threads, trial=True):
        print(f"   {report}", flush=True)
    settings.threads = torch.get_num_threads()  # --resume continues with as many
    trainer = Trainer(settings, config)
    trainer.directory = create_run_directory(settings, config)
    trainer.train()
    return trainer.directory


def compare(output: Path, config: GameConfig, settings: Settings, trained: TrainedAgent) -> str:
    """Print and keep the table. Returns the name of the test tune that the agent followed best."""
    continuous = freely_moving(config)
    pieces = load_data_set(output / "data" / "test", config)
    train_pieces = load_data_set(output / "data" / "train", config)
    pixels = sum(float(piece.onset_x[-1] - piece.onset_x[0]) for piece in train_pieces)
    frames = sum(int(piece.onset_frames[-1] - piece.onset_frames[0]) for piece in train_pieces)
    torch.manual_seed(settings.seed)
    untrained = TrainedAgent(network_for(settings.net, config), torch.Generator().manual_seed(1))
    agents: list[tuple[str, Agent, GameConfig]] = [
        ("untrained network", untrained, config),
        (f"constant speed ({pixels / frames:.2f} px/frame)", ConstantSpeedAgent(pixels / frames), continuous),
        ("trained, sampled as in the papers", trained, config),
        ("trained, likeliest action", TrainedAgent(trained.network, deterministic=True), config),
    ]
    lines = [f"{'':34}{'R_tue':>7}{'R_on':>7}{'mean px':>9}{'std px':>8}"]
    for name, agent, rules in agents:
        trials = play_data_set(agent, ScoreBank(pieces, rules), TRIALS)
        stats = mean_stats([alignment_stats(trial) for trial in trials])
        lines.append(
            f"{name:34}{stats.tracked_until_end_ratio:7.2f}{stats.global_tracking_ratio:7.2f}"
            f"{stats.alignment_errors_mean:9.2f}{stats.alignment_errors_std:8.2f}"
        )
    lines += [
        "R_tue: tunes followed to their end; R_on: onsets reached before the music was lost; errors at those onsets.",
        "Constant speed knows the average tempo from the start and never listens; it is lost when a tune differs. A few",
        "minutes are a beginning: docs/results.md shows what an hour or two give.",
    ]
    print("\n".join(lines), flush=True)
    with replacing(output / "table.txt") as temporary:
        temporary.write_text("\n".join(lines) + "\n")
    return best_followed(trials)


def best_followed(trials: list[list[Episode]]) -> str:
    ratios = {
        episode.piece: float(np.mean([trial[index].ratio for trial in trials])) for index, episode in enumerate(trials[0])
    }
    return max(ratios, key=lambda name: ratios[name])


def draw(output: Path, config: GameConfig, agent: TrainedAgent, name: str) -> None:
    """Play one tune by the likeliest actions; keep its last three frames, a second apart, and its alignment."""
    agent = TrainedAgent(agent.network, deterministic=True)
    game = game_of(load_data_set(output / "data" / "test", config, piece=name)[0], config)
    pictures: list[np.ndarray] = []
    episode = watch(game, agent, [pictures.append])
    played = pictures[: len(episode.frames) + 1]  # the last picture is repeated at the end of a film
    shown = played[::-1][: 3 * config.spectrogram_params.fps : config.spectrogram_params.fps][::-1]
    with replacing(output / "last_frames.png") as temporary:
        picture = np.vstack(shown or [render(game, Overlay())])
        temporary.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    plot_episode(episode, output / "alignment.png")


if __name__ == "__main__":
    with script():
        main()
