#!/usr/bin/env python
"""How fast the parts are: loading, the game, the network, training; and the same trainer fed by gymnasium's AsyncVectorEnv.

    python benchmarks/speed.py --data_set DATA/nottingham_train

Prints a table per number of threads; every part runs in a process of its own. Ratios are against the baseline named in the
row. The 2018 code made 545 steps/s on two cores with 16 games.
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

BASELINE_2018 = 545.0
SECONDS = 8.0


def rate(work: Callable[[], int], seconds: float = SECONDS) -> float:
    """Calls work() (-> units done) for some seconds, after one call to warm up -> units per second."""
    work()
    began, units = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        units += work()
    return units / (time.perf_counter() - began)


def open_bank(data_set: str):
    from score_following_game.config import load_game_config
    from score_following_game.data_processing.dataset import load_data_set
    from score_following_game.environment.score_bank import ScoreBank

    config = load_game_config("nottingham.yaml")
    load_data_set(data_set, config)  # the caches, outside the clock
    began = time.perf_counter()
    pieces = load_data_set(data_set, config)
    bank = ScoreBank(pieces, config)
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
    from score_following_game.environment.starts import StartSampler

    bank, _seconds = open_bank(data_set)
    sampler = StartSampler(bank, 0)
    game = Game(bank, games)
    game.reset(sampler.draw(games))
    still = torch.ones(games, dtype=torch.int64)

    def step(look: bool) -> int:
        if look:
            game.observe()
        ended = game.step(still).terminated.nonzero()[:, 0]
        game.reset(sampler.draw(len(ended)), ended)
        return games

    return {"rules": rate(lambda: step(False), 3), "rules_and_observations": rate(lambda: step(True))}


def part_network(data_set: str, games: int, precision: str, **_: object) -> dict[str, float]:
    import torch

    from score_following_game.agents.inference import chunks, run_network
    from score_following_game.agents.networks import network_for
    from score_following_game.environment.game import Game
    from score_following_game.environment.observation import observe
    from score_following_game.environment.starts import StartSampler

    bank, _seconds = open_bank(data_set)
    network = network_for("ScoreFollowingNet", bank.config).to(memory_format=torch.channels_last)
    game = Game(bank, games)
    game.reset(StartSampler(bank, 0, 1.0).draw(games))
    part = next(chunks(bank, games))
    position = game.position().at(part)
    size = len(position.piece)
    observation = observe(bank, position)

    def forward(gradients: bool) -> int:
        with torch.set_grad_enabled(gradients), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits, value = network(observation)
        if gradients:
            (logits.float().sum() + value.float().sum()).backward()
        return size

    assert torch.isfinite(run_network(network, bank, position, torch.float32)[0]).all()
    return {"acting": rate(lambda: forward(False)), "updating": rate(lambda: forward(True))}


def part_training(data_set: str, games: int, precision: str, **_: object) -> dict[str, float]:
    import torch

    from score_following_game.agents.inference import choose_precision
    from score_following_game.agents.networks import network_for
    from score_following_game.environment.starts import StartSampler
    from score_following_game.reinforcement_learning import a2c
    from score_following_game.reinforcement_learning.rollout import RolloutCollector
    from score_following_game.reinforcement_learning.settings import Settings, make_optimiser

    bank, _seconds = open_bank(data_set)
    settings = Settings(n_worker=games)
    dtype = choose_precision(precision, torch.device("cpu"))
    network = network_for("ScoreFollowingNet", bank.config).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(settings, network.parameters())
    collector = RolloutCollector(bank, games, network, StartSampler(bank, 0), 0, dtype)

    def update() -> int:
        a2c.update(collector.collect(settings.t_max), network, optimiser, bank, settings, dtype, collector.generator)
        return games * settings.t_max

    speed = rate(update, 3 * SECONDS)
    return {"steps": speed, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def part_async(data_set: str, games: int, precision: str, **_: object) -> dict[str, float]:
    """The same network, loss and optimiser; observations come from AsyncVectorEnv and are kept as pixels."""
    import numpy as np
    import torch
    from gymnasium.vector import AsyncVectorEnv, AutoresetMode

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
    now = environments.reset(seed=0)[0]

    def run(observation: tuple) -> tuple[torch.Tensor, torch.Tensor]:
        tensors = [torch.from_numpy(values).contiguous(memory_format=torch.channels_last) for values in observation]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits, value = network(tensors)
        return logits.float(), value.float()[:, 0]

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


PARTS = {name.removeprefix("part_"): function for name, function in list(globals().items()) if name.startswith("part_")}


def measure(part: str, data_set: str, threads: int, games: int = 256, precision: str = "float32") -> dict[str, float]:
    """One part in a fresh process."""
    task = json.dumps({"part": part, "data_set": data_set, "threads": threads, "games": games, "precision": precision})
    result = subprocess.run([sys.executable, __file__, "--task", task], check=False, capture_output=True, text=True)
    if result.returncode:
        told = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise UserError(f"{part}: {told[-1].removeprefix('error: ')}")
    return json.loads(result.stdout.splitlines()[-1])


def table(data_set: str, threads: int) -> None:
    print(f"\n{threads} thread{'s' * (threads > 1)}")
    row = "  {:58}{:>10}  {}".format
    game = measure("game", data_set, threads)
    print(row("game, rules only, 256 games, steps/s", f"{game['rules']:.0f}", ""))
    print(row("game with float32 observations, 256 games, steps/s", f"{game['rules_and_observations']:.0f}", ""))
    baseline = measure("async", data_set, threads, 16)["steps"]
    print(row("A2C fed by AsyncVectorEnv of 16 single games, steps/s", f"{baseline:.0f}", "baseline"))
    for precision in ("float32", "bfloat16"):
        network = measure("network", data_set, threads, precision=precision)
        both = 1 / (1 / network["acting"] + 1 / network["updating"])
        print(row(f"network alone, {precision}, forward / with gradient, windows/s",
                  f"{network['acting']:.0f}", f"/ {network['updating']:.0f}; both passes {both:.0f}"))
        for games in (16, 256):
            training = measure("training", data_set, threads, games, precision)
            print(row(f"A2C training, {games} games, {precision}, steps/s", f"{training['steps']:.0f}",
                      f"{training['steps'] / baseline:.1f} x AsyncVectorEnv, {training['steps'] / BASELINE_2018:.1f} x 2018; "
                      f"peak {training['peak_mb']:.0f} MB"))


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_set", default="test_sample", help="Nottingham-style pieces (default %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        from score_following_game.machine import prepare_machine

        task = json.loads(arguments.task)
        prepare_machine(4711, "cpu", task["threads"])
        print(json.dumps(PARTS[task["part"]](**task)))
        return
    loading = measure("loading", arguments.data_set, 1)
    print(f"loading {loading['pieces']:.0f} cached pieces: {loading['seconds']:.2f} s, "
          f"one alone {loading['ms_per_piece']:.2f} ms")
    for threads in arguments.threads:
        table(arguments.data_set, threads)


if __name__ == "__main__":
    with script():
        main()
