#!/usr/bin/env python
"""How fast the parts are: loading, the game, the network, training; and the same trainer fed by gymnasium's AsyncVectorEnv.

    python benchmarks/speed.py --data_set DATA/nottingham_train --piano_set DATA/msmd_all/msmd_all_valid

    python benchmarks/speed.py --data_set DATA/nottingham_train --piano_set DATA/msmd_all/msmd_all_train --device cuda

Prints a table per number of threads, or one of training on a CUDA device with thousands of games; every part runs in a
process of its own. Ratios are against the baseline named in the row. On two cores with 16 games the 2018 code made 545
steps/s with ScoreFollowingNet, 20 with the deep piano network.
"""
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from score_following_game.command_line import Parser, script
from score_following_game.errors import UserError
from score_following_game.machine import DEVICE_HELP, prepare_machine

BASELINES_2018 = {"ScoreFollowingNet": 545.0, "ScoreFollowingNetMSMDLCHSDeepDo": 20.0}
CONFIGS = {"ScoreFollowingNet": "nottingham.yaml", "ScoreFollowingNetMSMDLCHSDeepDo": "mutopia_lchs1.yaml"}
SECONDS = 8.0


def rate(work: Callable[[], int], seconds: float = SECONDS) -> float:
    """Calls work() (-> units done) for some seconds, after one call to warm up -> units per second."""
    work()
    began, units = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        units += work()
    return units / (time.perf_counter() - began)


def open_bank(data_set: str, net: str = "ScoreFollowingNet", device: str = "cpu"):
    from score_following_game.config import load_game_config
    from score_following_game.data_processing.dataset import load_data_set
    from score_following_game.environment.score_bank import ScoreBank

    config = load_game_config(CONFIGS[net])
    load_data_set(data_set, config)  # the caches, outside the clock
    began = time.perf_counter()
    pieces = load_data_set(data_set, config)
    bank = ScoreBank(pieces, config, device)
    return bank, time.perf_counter() - began


def part_loading(data_set: str, **_: object) -> dict[str, float]:
    from score_following_game.data_processing.dataset import score_paths
    from score_following_game.data_processing.piece import load_piece

    bank, seconds = open_bank(data_set)
    paths = list(score_paths(data_set).values())
    began = time.perf_counter()
    for path in paths:
        load_piece(path, bank.config)
    return {"pieces": len(bank), "seconds": seconds, "ms_per_piece": 1000 * (time.perf_counter() - began) / len(paths)}


def part_game(data_set: str, games: int, **_: object) -> dict[str, float]:
    import torch

    from score_following_game.environment.game import Game
    from score_following_game.environment.observation import observe
    from score_following_game.environment.starts import StartSampler

    bank, _seconds = open_bank(data_set)
    sampler = StartSampler(bank, 0)
    game = Game(bank, games)
    game.reset(sampler.draw(games))
    still = torch.ones(games, dtype=torch.int64)

    def step(dtype: torch.dtype | None) -> int:
        if dtype is not None:
            observe(bank, game.position(), dtype)
        game.reset(sampler.draw(games), game.step(still).terminated)
        return games

    speeds = {"rules": rate(lambda: step(None), 3)}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        speeds[name] = rate(lambda dtype=dtype: step(dtype))
        size = sum(values.nbytes for values in observe(bank, game.position(), dtype))
        speeds |= {f"{name}_bytes": size / games, f"{name}_memcpy": memcpy_rate(size)}
    return speeds


def memcpy_rate(size: int) -> float:
    """Bytes per second that as many threads as torch has copy, in blocks that are together as large as `size`."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    import torch

    threads = torch.get_num_threads()
    blocks = [(np.zeros(size // threads, np.uint8), np.ones(size // threads, np.uint8)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def copy() -> int:
            list(pool.map(lambda pair: np.copyto(*pair), blocks))
            return size

        return rate(copy, 2)


def part_network(data_set: str, games: int, precision: str, net: str, **_: object) -> dict[str, float]:
    import torch

    from score_following_game.agents.inference import act, choose_precision, chunks
    from score_following_game.agents.layers import Trace
    from score_following_game.agents.networks import network_for
    from score_following_game.environment.game import Game
    from score_following_game.environment.observation import observe
    from score_following_game.environment.starts import StartSampler

    bank, _seconds = open_bank(data_set, net)
    network = network_for(net, bank.config).to(memory_format=torch.channels_last)
    game = Game(bank, games)
    game.reset(StartSampler(bank, 0, 1.0).draw(games))
    part = next(chunks(bank, games))
    position = game.position().at(part)
    observation = observe(bank, position, choose_precision(precision, torch.device("cpu")))
    recorded: list = []
    act(network, bank, position, observation[0].dtype, recorded)

    def forward(gradients: bool, trace: Trace | None = None) -> int:
        with torch.set_grad_enabled(gradients):
            logits, value = network(observation, trace)
        if gradients:
            (logits.sum() + value.sum()).backward()
        return len(logits)

    return {"acting": rate(lambda: forward(False)), "updating": rate(lambda: forward(True)),
            "recorded": rate(lambda: forward(True, Trace(recorded[0][2:])))}


def part_training(data_set: str, games: int, precision: str, net: str, **_: object) -> dict[str, float]:
    import torch

    from score_following_game.agents.inference import choose_precision
    from score_following_game.agents.networks import network_for
    from score_following_game.environment.starts import StartSampler
    from score_following_game.reinforcement_learning.a2c import A2C
    from score_following_game.reinforcement_learning.rollout import RolloutCollector
    from score_following_game.reinforcement_learning.settings import Settings, make_optimiser

    bank, _seconds = open_bank(data_set, net)
    settings = Settings(n_worker=games)
    dtype = choose_precision(precision, torch.device("cpu"))
    network = network_for(net, bank.config).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(settings, network.parameters())
    collector = RolloutCollector(bank, games, network, StartSampler(bank, 0), 0, dtype, keep=True)
    learner = A2C(network, optimiser, bank, settings, dtype, collector.generator)

    def update() -> int:
        learner.update(collector.collect(settings.t_max))
        return games * settings.t_max

    speed = rate(update, 3 * SECONDS)
    return {"steps": speed, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def part_async(data_set: str, games: int, precision: str, **_: object) -> dict[str, float]:
    """The same network, loss and optimiser; observations come from AsyncVectorEnv and are kept as pixels."""
    import numpy as np
    import torch
    from gymnasium.vector import AsyncVectorEnv, AutoresetMode

    from score_following_game.agents.inference import choose_precision
    from score_following_game.agents.networks import network_for
    from score_following_game.agents.policy import CategoricalPolicy
    from score_following_game.environment.env import ScoreFollowingEnv
    from score_following_game.reinforcement_learning.losses import Losses, backward_chunk, optimiser_step
    from score_following_game.reinforcement_learning.rollout import discounted_returns
    from score_following_game.reinforcement_learning.settings import Settings, make_optimiser

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a process forked after OpenMP has started its threads would wait for them for ever
    bank, _seconds = open_bank(data_set)
    settings = Settings(n_worker=games)
    environments = AsyncVectorEnv([lambda: ScoreFollowingEnv(bank)] * games, autoreset_mode=AutoresetMode.SAME_STEP,
                                  context="fork")
    torch.set_num_threads(threads)
    network = network_for("ScoreFollowingNet", bank.config).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(settings, network.parameters())
    now, dtype = environments.reset(seed=0)[0], choose_precision(precision, torch.device("cpu"))

    def run(observation: tuple) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = [torch.from_numpy(values).contiguous(memory_format=torch.channels_last) for values in observation]
        logits, value = network([values.to(dtype) for values in tensors])
        return logits, value[:, 0]

    def update() -> int:
        nonlocal now
        seen, actions, rewards, masks = [], [], [], []
        for _step in range(settings.t_max):
            with torch.no_grad():
                action = CategoricalPolicy.from_logits(run(now)[0]).sample()
            seen.append(now)
            now, reward, terminated, _truncated, _info = environments.step(action.numpy())
            actions.append(action)
            rewards.append(torch.from_numpy(reward).float())
            masks.append(torch.from_numpy(~terminated).float())
        with torch.no_grad():
            last = run(now)[1]
        returns = discounted_returns(torch.stack(rewards), torch.stack(masks), last, settings.discounting).flatten()
        logits, values = run(tuple(np.concatenate(parts) for parts in zip(*seen)))
        policy, advantages = CategoricalPolicy.from_logits(logits), returns - values
        losses = Losses()
        optimiser.zero_grad()
        backward_chunk(losses, policy, -advantages.detach() * policy.log_prob(torch.cat(actions)), advantages.square(),
                       (settings.value_coef, settings.entropy_coef), len(returns))
        optimiser_step(network, optimiser, losses, None)
        return len(returns)

    speed = rate(update, 3 * SECONDS)
    environments.close()
    return {"steps": speed}


def part_cuda(data_set: str, games: int, precision: str, net: str, device: str, agent: str, graph: bool, **_: object):
    import speed_cuda

    return speed_cuda.training(open_bank(data_set, net, device)[0], net, agent, games, precision, graph)


PARTS = {name.removeprefix("part_"): function for name, function in list(globals().items()) if name.startswith("part_")}


def measure(
    part: str, data_set: str, threads: int, games: int = 256, precision: str = "float32", net: str = "ScoreFollowingNet",
    device: str = "cpu", **more: object,
) -> dict[str, float]:
    """One part in a fresh process."""
    task = json.dumps({"part": part, "data_set": data_set, "threads": threads, "games": games, "precision": precision,
                       "net": net, "device": device, **more})
    result = subprocess.run([sys.executable, __file__, "--task", task], check=False, capture_output=True, text=True)
    if result.returncode:
        told = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise UserError(f"{part}: {told[-1].removeprefix('error: ')}")
    return json.loads(result.stdout.splitlines()[-1])


ROW = "  {:64}{:>10}  {}".format


def table(data_set: str, piano_set: str | None, threads: int) -> None:
    print(f"\n{threads} thread{'s' * (threads > 1)}")
    game = measure("game", data_set, threads, 1024)
    print(ROW("game, rules only, 1024 games, steps/s", f"{game['rules']:.0f}", ""))
    for dtype in ("float32", "bfloat16"):
        written = game[dtype] * game[f"{dtype}_bytes"]
        print(ROW(f"game with {dtype} observations, 1024 games, steps/s", f"{game[dtype]:.0f}",
                  f"{written / 1e9:.1f} GB/s written, {100 * written / game[f'{dtype}_memcpy']:.0f} % of memcpy's"))
    baseline = measure("async", data_set, threads, 16)["steps"]
    print(ROW("A2C fed by AsyncVectorEnv of 16 single games, steps/s", f"{baseline:.0f}", "baseline"))
    network_rows(data_set, threads, "ScoreFollowingNet", (16, 256), baseline)
    if piano_set:
        network_rows(piano_set, threads, "ScoreFollowingNetMSMDLCHSDeepDo", (16, 64), None)


def network_rows(data_set: str, threads: int, net: str, numbers_of_games: tuple[int, ...], baseline: float | None) -> None:
    """A network alone and A2C with it, in both precisions."""
    print(f"  {net}")
    for precision in ("float32", "bfloat16"):
        network = measure("network", data_set, threads, precision=precision, net=net)
        both = 1 / (1 / network["acting"] + 1 / network["recorded"])
        print(ROW(f"network alone, {precision}, forward / with gradient, windows/s",
                  f"{network['acting']:.0f}", f"/ {network['updating']:.0f}; forward and gradient of what was kept {both:.0f}"))
        for games in numbers_of_games:
            training = measure("training", data_set, threads, games, precision, net)
            ratios = [f"{training['steps'] / baseline:.1f} x AsyncVectorEnv"] if baseline else []
            ratios.append(f"{training['steps'] / BASELINES_2018[net]:.1f} x 2018")
            print(ROW(f"A2C training, {games} games, {precision}, steps/s", f"{training['steps']:.0f}",
                      f"{', '.join(ratios)}; peak {training['peak_mb']:.0f} MB"))


def cuda_table(nets: dict[str, str], device: str, numbers_of_games: list[int]) -> None:
    """nets: network -> data set to play."""
    prepare_machine(4711, device, 1)  # refuses a device that is not there
    import speed_cuda
    import torch

    print(f"\n{torch.cuda.get_device_name(device)}, torch {torch.__version__}")
    for row in speed_cuda.rows(lambda **task: measure("cuda", threads=1, precision="bfloat16", device=device, **task), nets,
                               numbers_of_games):
        print(row, flush=True)


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_set", default="test_sample", help="Nottingham-style pieces (default %(default)s)")
    parser.add_argument("--piano_set", help="piano pieces, for the rows of the deep piano network (default: left out)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--device", default="cpu", help=f"{DEVICE_HELP} (default %(default)s)")
    parser.add_argument("--games", type=int, nargs="+", default=[1024, 4096, 16384],
                        help="with --device cuda: numbers of games (default %(default)s)")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        task = json.loads(arguments.task)
        prepare_machine(4711, task["device"], task["threads"])
        print(json.dumps(PARTS[task["part"]](**task)))
        return
    if arguments.device != "cpu":
        nets = dict(zip(CONFIGS, (arguments.data_set, arguments.piano_set)))
        cuda_table({net: data_set for net, data_set in nets.items() if data_set}, arguments.device, arguments.games)
        return
    loading = measure("loading", arguments.data_set, 1)
    print(f"loading {loading['pieces']:.0f} cached pieces: {loading['seconds']:.2f} s, "
          f"one alone {loading['ms_per_piece']:.2f} ms")
    for threads in arguments.threads:
        table(arguments.data_set, arguments.piano_set, threads)


if __name__ == "__main__":
    with script():
        main()
