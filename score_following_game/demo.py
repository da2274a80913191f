"""The whole way in a few minutes, on the tunes that come with the package: python -m score_following_game.demo

Shows the agent that comes with the project following a tune; then engraves the tunes, trains an agent, evaluates it on tunes it
never saw beside two baselines, and shows what it does.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from pathlib import Path

import numpy as np
import torch

from score_following_game.agents.agents import Agent, ConstantSpeedAgent, TrainedAgent
from score_following_game.agents.loading import load_trained_agent, resolve_network_and_config
from score_following_game.agents.networks import network_for
from score_following_game.command_line import Parser, script
from score_following_game.config import DEFAULT_GAME_CONFIG, PACKAGE, GameConfig, freely_moving, load_game_config
from score_following_game.data_preparation.building.build import BuildOptions, build
from score_following_game.data_preparation.building.sources import find_sources
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.demo_training import curve_so_far, settings_for, train
from score_following_game.environment.rendering.names import title
from score_following_game.environment.rendering.video import film
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import counted
from score_following_game.evaluation.evaluator import Episode, play_data_set
from score_following_game.evaluation.learning_curve import plot_learning_curve
from score_following_game.evaluation.metrics import alignment_stats, mean_stats
from score_following_game.evaluation.plots import plot_episode
from score_following_game.files import replacing
from score_following_game.machine import DEFAULT_SEED, TRIAL_HELP, available_cores, prepare_machine
from score_following_game.opencv import cv2
from score_following_game.run_files import BEST_MODEL_FILE, CURVE_FILE
from score_following_game.watching.playback import piece_audio
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of
from score_following_game.watching.summary import summary

SETS = ("train", "valid", "test")
TRIALS = 10
SHIPPED, UNLEARNT = "nottingham", "Minuet"  # the agent that comes with the project, and a bundled tune that it has not learnt
PANELS = 3  # of the still picture: moments a second apart


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo_output"), help="folder for the results (default %(default)s)")
    parser.add_argument("--minutes", type=_minutes, default=3.0, help="of training (default %(default)s)")
    parser.add_argument("--threads", type=int, help=TRIAL_HELP)
    arguments = parser.parse_args()
    demonstrate(arguments.output, arguments.minutes, arguments.threads)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0")
    return minutes


def demonstrate(output: Path, minutes: float, threads: int | None) -> None:
    config = load_game_config(DEFAULT_GAME_CONFIG)
    print("1. The agent that comes with the project follows a tune that it has not learnt", flush=True)
    if report := prepare_machine(DEFAULT_SEED, "cpu", threads, trial=True):
        print(f"   {report}", flush=True)
    show_shipped_agent(output)
    print("\n2. Engraving the bundled tunes", flush=True)
    engrave(output / "data")
    print(
        f"\n3. Training an agent of your own for {counted(minutes, 'minute')} by reinforcement (--preset fast), from nothing.\n"
        "   R_on is the share of the onsets of the validation tunes that it reaches before it is lost",
        flush=True,
    )
    settings = settings_for(output, minutes, torch.get_num_threads())
    directory = train(settings, config, output / "training.log")
    print(f"\n4. Following the test tunes, which it has never seen, {TRIALS} times each", flush=True)
    trained = load_agent(str(directory / BEST_MODEL_FILE))
    best = compare(output, config, settings.net, trained)
    print(f"\n5. Filming your agent with {title(best)}, the test tune that it followed best", flush=True)
    piece = load_data_set(output / "data" / "test", config, piece=best)[0]
    episode = follow(trained, piece, config, output / "your_agent.mp4", output / "your_agent.png")
    plot_episode(episode, output / "alignment.png")
    plot_learning_curve(directory / CURVE_FILE, output / "learning_curve.png")
    print(f"   {summary(episode, piece)}")
    print(advice(output, directory, minutes, piece.name), flush=True)


def load_agent(params: str) -> TrainedAgent:
    """An agent that takes its likeliest actions."""
    net, config = resolve_network_and_config(params)
    agent = load_trained_agent(params, net, config, seed=DEFAULT_SEED, deterministic=True)
    assert isinstance(agent, TrainedAgent)  # the demo has no localisation agents
    return agent


def show_shipped_agent(output: Path) -> None:
    _, config = resolve_network_and_config(SHIPPED)
    piece = load_data_set("test_sample", config, piece=UNLEARNT)[0]
    video, picture = output / "shipped_agent.mp4", output / "shipped_agent.png"
    episode = follow(load_agent(SHIPPED), piece, config, video, picture)
    print(f"   {title(piece.name)}\n   {summary(episode, piece)}\n   look: {video}, {picture}", flush=True)


def follow(agent: Agent, piece: Piece, config: GameConfig, video: Path, picture: Path) -> WatchedGame:
    """Film the agent with a piece, and keep the last PANELS moments, a second apart, as a picture."""
    game, fps = game_of(piece, config), config.spectrogram_params.fps
    pictures: list[np.ndarray] = []
    with film(video, fps, piece_audio(piece, config)) as record:
        episode = watch(game, agent, [record, pictures.append])
    played = pictures[: len(episode.frames) + 1]  # the last picture is repeated at the end of a film
    with replacing(picture) as temporary:
        shown = np.vstack(played[::-1][: PANELS * fps : fps][::-1])
        temporary.write_bytes(cv2.imencode(".png", shown)[1].tobytes())
    return episode


def engrave(data: Path) -> None:
    for name in SETS:
        sources = find_sources([PACKAGE / "bundled" / "tunes" / f"{name}.abc"])
        report = build(sources, BuildOptions(data / name, jobs=available_cores()))
        print(f"   {name}: {report.lines()[0]}", flush=True)


def compare(output: Path, config: GameConfig, net: str, trained: TrainedAgent) -> str:
    """Print and keep the table. Returns the name of the test tune that the trained agent followed best."""
    continuous = freely_moving(config)
    pieces = load_data_set(output / "data" / "test", config)
    train_pieces = load_data_set(output / "data" / "train", config)
    pixels = sum(float(piece.onset_x[-1] - piece.onset_x[0]) for piece in train_pieces)
    frames = sum(int(piece.onset_frames[-1] - piece.onset_frames[0]) for piece in train_pieces)
    torch.manual_seed(DEFAULT_SEED)
    untrained = TrainedAgent(network_for(net, config), torch.Generator().manual_seed(1))
    sampled = TrainedAgent(trained.network, torch.Generator().manual_seed(DEFAULT_SEED))
    agents: list[tuple[str, Agent, GameConfig]] = [
        ("untrained network", untrained, config),
        (f"constant speed ({pixels / frames:.2f} px/frame)", ConstantSpeedAgent(pixels / frames), continuous),
        ("yours, sampled as in the papers", sampled, config),
        ("yours, likeliest action", trained, config),
        (f"{SHIPPED} (shipped), likeliest", load_agent(SHIPPED), resolve_network_and_config(SHIPPED)[1]),
    ]
    lines, played = [f"{'':34}{'R_tue':>7}{'R_on':>7}{'mean px':>9}{'std px':>8}"], {}
    print(lines[0], flush=True)
    for name, agent, rules in agents:
        played[name] = trials = play_data_set(agent, ScoreBank(pieces, rules), TRIALS, progress=True)
        stats = mean_stats([alignment_stats(trial) for trial in trials])
        lines.append(
            f"{name:34}{stats.tracked_until_end_ratio:7.2f}{stats.global_tracking_ratio:7.2f}"
            f"{stats.alignment_errors_mean:9.2f}{stats.alignment_errors_std:8.2f}"
        )
        print(lines[-1], flush=True)
    remarks = [
        "R_tue: tunes followed to their end; R_on: onsets reached before the music was lost; errors at those onsets.",
        "Constant speed, the mean of the training tunes, never listens; it is lost where a tune differs.",
    ]
    print("\n".join(remarks), flush=True)
    with replacing(output / "table.txt") as temporary:
        temporary.write_text("\n".join([*lines, *remarks]) + "\n")
    return best_followed(played["yours, likeliest action"])


def best_followed(trials: list[list[Episode]]) -> str:
    ratios = {
        episode.piece: float(np.mean([trial[index].ratio for trial in trials])) for index, episode in enumerate(trials[0])
    }
    return max(ratios, key=lambda name: ratios[name])


def advice(output: Path, directory: Path, minutes: float, piece: str) -> str:
    """What to look at, and what to do next."""
    python, test_set = Path(sys.executable), output / "data" / "test"
    with contextlib.suppress(ValueError):
        python = python.relative_to(Path.cwd())
    grown = " -> ".join(f"{ratio:.2f}" for _, ratio in curve_so_far(directory))
    return f"""
Look, in {output}:
  shipped_agent.mp4   the agent that comes with the project; shipped_agent.png: its last seconds
  your_agent.mp4      your agent, after {counted(minutes, "minute")} of training; your_agent.png: its last seconds
  alignment.png       where your agent was and where the music was, over time
  learning_curve.png  R_on on the validation tunes: {grown}
  table.txt           the table above
Next:
  {python} -m score_following_game.scripts.play --data_set {test_set} --piece {piece}
                      play that tune yourself, in a window, against the agents
  {python} -m score_following_game.scripts.watch --params {directory / BEST_MODEL_FILE} --data_set {test_set}
                      watch your agent in a window (add --video follow.mp4 for a film)
  {python} -m score_following_game.scripts.train --preset fast --max_minutes 30 \\
      --train_set {output / "data" / "train"} --eval_set {output / "data" / "valid"}
                      train for half an hour; docs/training.md says how to train on more music"""


if __name__ == "__main__":
    with script():
        main()
