#!/usr/bin/env python
"""Measure the speed of all parts beside their baselines: loading, the game, the network, training, evaluation, live following.

    python benchmarks/speed.py --data_set DATA/nottingham_train --piano_set DATA/msmd_all/msmd_all_valid \\
        --test_set DATA/nottingham_test
    python benchmarks/speed.py --data_set DATA/nottingham_train --piano_set DATA/msmd_all/msmd_all_train --device cuda

Prints a table for each number of threads and the latency of live following (latency.py), or with a CUDA device the speed of
training with thousands of games. Every part runs in a process of its own. Ratios refer to the baseline that the row names:
training fed by gymnasium's AsyncVectorEnv, evaluation of one game at a time, or the 2018 code. On two cores with 16 games the
2018 code made 545 steps/s with ScoreFollowingNet and 20 with the deep piano network.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import latency_parts
import speed_baselines
import speed_parts
from fresh_process import in_fresh_process

from score_following_game.command_line import Parser, script
from score_following_game.machine import DEVICE_HELP, prepare_machine

GAME_2018 = 12_000.0  # steps/s of the 2018 environment, in process
BASELINES_2018 = {"ScoreFollowingNet": 545.0, "ScoreFollowingNetMSMDLCHSDeepDo": 20.0}

PARTS: dict[str, Callable[..., dict[str, float]]] = {
    "loading": speed_parts.loading,
    "game": speed_parts.game,
    "network": speed_parts.network,
    "training": speed_parts.training,
    "evaluation": speed_parts.evaluation,
    "async": speed_baselines.asynchronous,
    "one_at_a_time": speed_baselines.one_at_a_time,
    "cuda": speed_parts.cuda,
}


def measure(
    part: str,
    data_set: str,
    threads: int,
    games: int = 256,
    precision: str = "float32",
    net: str = "ScoreFollowingNet",
    device: str = "cpu",
    **more: object,
) -> dict[str, float]:
    """Returns the figures of one part, measured in a process of its own."""
    task = {
        "part": part,
        "data_set": data_set,
        "threads": threads,
        "games": games,
        "precision": precision,
        "net": net,
        "device": device,
        **more,
    }
    return in_fresh_process("speed.py", task, part)


ROW = "  {:64}{:>10}  {}".format


def table(data_set: str, piano_set: str | None, test_set: str | None, threads: int) -> None:
    print(f"\n{threads} thread{'s' * (threads > 1)}")
    game = measure("game", data_set, threads, 1024)
    print(ROW("game, rules only, 1024 games, steps/s", f"{game['rules']:.0f}", ""))
    for dtype in ("float32", "bfloat16"):
        written = game[dtype] * game[f"{dtype}_bytes"]
        print(
            ROW(
                f"game with {dtype} observations, 1024 games, steps/s",
                f"{game[dtype]:.0f}",
                f"{game[dtype] / GAME_2018:.1f} x 2018; {written / 1e9:.1f} GB/s written, "
                f"{100 * written / game[f'{dtype}_memcpy']:.0f} % of memcpy's",
            )
        )
    baseline = measure("async", data_set, threads, 16)["steps"]
    print(ROW("A2C fed by AsyncVectorEnv, 16 processes of a game, steps/s", f"{baseline:.0f}", "baseline"))
    network_rows(data_set, threads, "ScoreFollowingNet", (16, 256), baseline)
    if piano_set:
        network_rows(piano_set, threads, "ScoreFollowingNetMSMDLCHSDeepDo", (16, 64), None)
    evaluation_rows(test_set or data_set, threads)


def evaluation_rows(data_set: str, threads: int) -> None:
    """Print the speed of evaluating the agent that comes with the project, ten trials."""
    baseline = measure("one_at_a_time", data_set, threads, 5)["steps"]
    print(ROW("evaluation, one game at a time, float32, steps/s", f"{baseline:.0f}", "baseline"))
    for precision in ("float32", "bfloat16"):
        batch = measure("evaluation", data_set, threads, precision=precision, trials=10)
        print(
            ROW(
                f"evaluation, {batch['games']:.0f} games as one batch, {precision}, steps/s",
                f"{batch['steps']:.0f}",
                f"{batch['steps'] / baseline:.1f} x one at a time; {batch['seconds']:.1f} s",
            )
        )


def network_rows(data_set: str, threads: int, net: str, numbers_of_games: tuple[int, ...], baseline: float | None) -> None:
    """Print the speed of a network alone and of A2C with it, in both precisions."""
    print(f"  {net}")
    for precision in ("float32", "bfloat16"):
        network = measure("network", data_set, threads, precision=precision, net=net)
        both = 1 / (1 / network["acting"] + 1 / network["recorded"])
        print(
            ROW(
                f"network alone, {precision}, forward / with gradient, windows/s",
                f"{network['acting']:.0f}",
                f"/ {network['updating']:.0f}; forward, and gradient from kept outputs {both:.0f}",
            )
        )
        for games in numbers_of_games:
            training = measure("training", data_set, threads, games, precision, net)
            ratios = [f"{training['steps'] / baseline:.1f} x AsyncVectorEnv"] if baseline else []
            ratios.append(f"{training['steps'] / BASELINES_2018[net]:.1f} x 2018")
            print(
                ROW(
                    f"A2C training, {games} games, {precision}, steps/s",
                    f"{training['steps']:.0f}",
                    f"{', '.join(ratios)}; peak {training['peak_mb']:.0f} MB",
                )
            )


def cuda_table(nets: dict[str, str], device: str, numbers_of_games: list[int]) -> None:
    """Print the speed of training on a CUDA device. nets: the data set that each network plays."""
    prepare_machine(4711, device, 1)  # raises UserError for a device that does not exist
    import speed_cuda
    import torch

    print(f"\n{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    for row in speed_cuda.rows(
        lambda **task: measure("cuda", threads=1, precision="bfloat16", device=device, **task), nets, numbers_of_games
    ):
        print(row, flush=True)


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_set", default="test_sample", help="Nottingham-style pieces (default %(default)s)")
    parser.add_argument("--piano_set", help="piano pieces, for the rows of the deep piano network (default: left out)")
    parser.add_argument("--test_set", help="pieces to evaluate the agent on, ten trials (default: those of --data_set)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (default %(default)s)")
    parser.add_argument("--device", default="cpu", help=f"{DEVICE_HELP} (default %(default)s)")
    parser.add_argument(
        "--games",
        type=int,
        nargs="+",
        default=[1024, 4096, 16384],
        help="with --device cuda: numbers of games (default %(default)s)",
    )
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        task = json.loads(arguments.task)
        prepare_machine(4711, task["device"], task["threads"])
        print(json.dumps(PARTS[task["part"]](**task)))
        return
    if arguments.device != "cpu":
        nets = dict(zip(speed_parts.CONFIGS, (arguments.data_set, arguments.piano_set)))
        cuda_table({net: data_set for net, data_set in nets.items() if data_set}, arguments.device, arguments.games)
        return
    loading = measure("loading", arguments.data_set, 1)
    print(
        f"loading {loading['pieces']:.0f} cached pieces: {loading['seconds']:.2f} s, one alone {loading['ms_per_piece']:.2f} ms"
    )
    for threads in arguments.threads:
        table(arguments.data_set, arguments.piano_set, arguments.test_set, threads)
    for task in latency_parts.tasks("test_sample"):
        latency_parts.print_table(task, latency_parts.measure(task))


if __name__ == "__main__":
    with script():
        main()
