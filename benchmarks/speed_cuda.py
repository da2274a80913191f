"""The part of speed.py for a CUDA device: training with thousands of games, and how its time is divided."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from speed_parts import make_network

from score_following_game.agents.inference import choose_precision, chunks
from score_following_game.environment.game import Game
from score_following_game.environment.observation import observe
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.reinforcement_learning.algorithms.table import ALGORITHMS
from score_following_game.reinforcement_learning.optimiser import make_optimiser
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout
from score_following_game.reinforcement_learning.settings import settings_from

UPDATES = 5
SETTINGS = {"a2c": {"agent": "a2c"}, "lookahead": {"preset": "fast"}}


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Returns the seconds that a call takes, until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def training(bank: ScoreBank, net: str, agent: str, games: int, precision: str, graph: bool) -> dict[str, float]:
    """Returns the figures of training, averaged over UPDATES updates.

    steps: game steps per second. acting, learning: milliseconds per update. game: the part of acting that goes into the rules
    and the observations. peak_gb: the largest memory used. graph: whether the step was a CUDA graph.
    """
    settings = settings_from({**SETTINGS[agent], "net": net, "n_worker": games})
    dtype = choose_precision(precision, bank.device)
    network = make_network(net, bank.config, bank.device).train()
    sampler = StartSampler(bank, 0, settings.random_start, settings.prioritized_sampling)
    collector = RolloutCollector(bank, games, network, sampler, 0, dtype, settings.agent == "a2c", graph)
    optimiser = make_optimiser(settings.optim, settings.optim_params, network.parameters())
    learner = ALGORITHMS[settings.agent].learner(network, optimiser, bank, settings, dtype, collector.generator)
    acting = learning = 0.0

    def collect_into(rollouts: list[Rollout]) -> None:
        rollouts.append(collector.collect(settings.t_max))

    def learn_from(rollouts: list[Rollout]) -> None:
        learner.update(rollouts.pop())

    for update in range(UPDATES + 1):
        rollouts: list[Rollout] = []
        collect = seconds(partial(collect_into, rollouts), bank.device)
        learn = seconds(partial(learn_from, rollouts), bank.device)
        if update:  # the first one warms up and captures the graph
            acting, learning = acting + collect, learning + learn
    peak = torch.cuda.max_memory_allocated(bank.device) if bank.device.type == "cuda" else 0
    return {
        "steps": UPDATES * games * settings.t_max / (acting + learning),
        "acting": 1000 * acting / UPDATES,
        "learning": 1000 * learning / UPDATES,
        "game": 1000 * game_seconds(bank, games, settings.t_max, dtype),
        "peak_gb": peak / 1e9,
        "graph": collector.has_graph,
    }


def game_seconds(bank: ScoreBank, games: int, steps: int, dtype: torch.dtype) -> float:
    """Returns the seconds of a number of steps without a network or a graph: observations, rules and new starts."""
    sampler, game = StartSampler(bank, 0), Game(bank, games)
    game.reset(sampler.draw(games))
    still = torch.ones(games, dtype=torch.int64, device=bank.device)

    def play() -> None:
        for _ in range(steps):
            position = game.position()
            for part in chunks(bank, games):
                observe(bank, position.at(part), dtype)
            game.reset(sampler.draw(games), game.step(still).terminated)

    play()
    return seconds(play, bank.device)


def rows(measure: Callable[..., dict[str, float]], nets: dict[str, str], numbers_of_games: Sequence[int]) -> Iterator[str]:
    """Yields the lines of the table.

    Args:
        measure: called with net, data_set, agent, games and graph; returns the figures of `training`.
        nets: the data set that each network plays.
        numbers_of_games: one block of rows for each.
    """
    for net, data_set in nets.items():
        for agent in SETTINGS:
            yield f"  {net}, {agent}, bfloat16; milliseconds per update"
            yield "     games  graph    steps/s    acting  learning  game alone  peak GB"
            for games in numbers_of_games:
                for graph in (True, False):
                    found = measure(net=net, data_set=data_set, agent=agent, games=games, graph=graph)
                    yield (
                        f"    {games:6}  {'on' if found['graph'] else 'off':5} {found['steps']:10.0f} "
                        f"{found['acting']:9.1f} {found['learning']:9.1f} {found['game']:11.1f} {found['peak_gb']:8.1f}"
                    )
                    if not found["graph"]:  # a network with dropout has no graph in either row
                        break
