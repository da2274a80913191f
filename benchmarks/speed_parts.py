"""The measurements of speed.py, each made in a process of its own: loading, the game, a network, training, evaluation.

The baselines (one game at a time, and processes of single games) are in speed_baselines.py. Each function returns its figures.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported where they are used: the parent process does not need them
    import torch

    from score_following_game.agents.networks import ActorCritic
    from score_following_game.config import GameConfig
    from score_following_game.environment.score_bank import ScoreBank

CONFIGS = {"ScoreFollowingNet": "nottingham.yaml", "ScoreFollowingNetMSMDLCHSDeepDo": "mutopia_lchs1.yaml"}
SECONDS = 8.0


def rate(work: Callable[[], int], seconds: float = SECONDS) -> float:
    """Returns the units per second of `work`, which is called for some seconds after one call to warm up.

    work: returns the number of units it has done.
    """
    work()
    began, units = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        units += work()
    return units / (time.perf_counter() - began)


def open_bank(data_set: str, net: str = "ScoreFollowingNet", device: str = "cpu") -> tuple[ScoreBank, float]:
    """Returns the pieces of a data set in the game of a network, and the seconds that loading them from the cache took."""
    from score_following_game.config import load_game_config
    from score_following_game.data_processing.dataset import load_data_set
    from score_following_game.environment.score_bank import ScoreBank

    config = load_game_config(CONFIGS[net])
    load_data_set(data_set, config)  # fills the caches, which is not timed
    began = time.perf_counter()
    pieces = load_data_set(data_set, config)
    bank = ScoreBank(pieces, config, device)
    return bank, time.perf_counter() - began


def make_network(net: str, config: GameConfig, device: torch.device | str = "cpu") -> ActorCritic:
    """Returns a network with random parameters, in the memory format that training and evaluation use."""
    import torch

    from score_following_game.agents.networks import network_for

    network = network_for(net, config)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks memory_format
    return network


def loading(data_set: str, **_: object) -> dict[str, float]:
    from score_following_game.data_processing.dataset import score_paths
    from score_following_game.data_processing.piece import load_piece

    bank, seconds = open_bank(data_set)
    paths = list(score_paths(data_set).values())
    began = time.perf_counter()
    for path in paths:
        load_piece(path, bank.config)
    return {"pieces": len(bank), "seconds": seconds, "ms_per_piece": 1000 * (time.perf_counter() - began) / len(paths)}


def game(data_set: str, games: int, **_: object) -> dict[str, float]:
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
        speeds[name] = rate(partial(step, dtype))
        size = sum(values.nbytes for values in observe(bank, game.position(), dtype))
        speeds |= {f"{name}_bytes": size / games, f"{name}_memcpy": memcpy_rate(size)}
    return speeds


def memcpy_rate(size: int) -> float:
    """Returns the bytes per second that torch's number of threads copy, in blocks of `size` bytes altogether."""
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


def network(data_set: str, games: int, precision: str, net: str, **_: object) -> dict[str, float]:
    import torch

    from score_following_game.agents.inference import act, choose_precision, chunks
    from score_following_game.agents.layers import Trace
    from score_following_game.environment.game import Game
    from score_following_game.environment.observation import observe
    from score_following_game.environment.starts import StartSampler

    bank, _seconds = open_bank(data_set, net)
    network = make_network(net, bank.config)
    game = Game(bank, games)
    game.reset(StartSampler(bank, 0, 1.0).draw(games))
    part = next(chunks(bank, games))
    position = game.position().at(part)
    observation = observe(bank, position, choose_precision(precision, torch.device("cpu")))
    recorded: list = []
    act(network, bank, position, observation[0].dtype, recorded=recorded)

    def forward(gradients: bool, trace: Trace | None = None) -> int:
        with torch.set_grad_enabled(gradients):
            logits, value = network(observation, trace)
        if gradients:
            (logits.sum() + value.sum()).backward()
        return len(logits)

    return {
        "acting": rate(lambda: forward(False)),
        "updating": rate(lambda: forward(True)),
        "recorded": rate(lambda: forward(True, Trace(recorded[0][2:]))),
    }


def training(data_set: str, games: int, precision: str, net: str, **_: object) -> dict[str, float]:
    import torch

    from score_following_game.agents.inference import choose_precision
    from score_following_game.environment.starts import StartSampler
    from score_following_game.reinforcement_learning.algorithms.a2c import A2C
    from score_following_game.reinforcement_learning.optimiser import make_optimiser
    from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
    from score_following_game.reinforcement_learning.settings import Settings

    bank, _seconds = open_bank(data_set, net)
    settings = Settings(n_worker=games)
    dtype = choose_precision(precision, torch.device("cpu"))
    network = make_network(net, bank.config)
    optimiser = make_optimiser(settings.optim, settings.optim_params, network.parameters())
    collector = RolloutCollector(bank, games, network, StartSampler(bank, 0), 0, dtype, keep=True)
    learner = A2C(network, optimiser, bank, settings, dtype, collector.generator)

    def update() -> int:
        learner.update(collector.collect(settings.t_max))
        return games * settings.t_max

    speed = rate(update, 3 * SECONDS)
    return {"steps": speed, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def evaluation(data_set: str, precision: str, trials: int, **_: object) -> dict[str, float]:
    """The agent that comes with the project on a whole set, all trials as one batch."""
    from score_following_game.agents.loading import load_trained_agent
    from score_following_game.evaluation.evaluator import play_data_set

    bank, _seconds = open_bank(data_set)
    agent = load_trained_agent("nottingham", "ScoreFollowingNet", bank.config, seed=0, precision=precision)
    play_data_set(agent, bank)
    began = time.perf_counter()
    episodes = [episode for trial in play_data_set(agent, bank, trials) for episode in trial]
    seconds = time.perf_counter() - began
    return {"steps": sum(episode.last_frame for episode in episodes) / seconds, "seconds": seconds, "games": len(episodes)}


def cuda(
    data_set: str, games: int, precision: str, net: str, device: str, agent: str, graph: bool, **_: object
) -> dict[str, float]:
    import speed_cuda

    return speed_cuda.training(open_bank(data_set, net, device)[0], net, agent, games, precision, graph)
