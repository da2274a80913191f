"""Threads chosen by trial; seeds; what is refused."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_piece import write_small_piece

from score_following_game import machine
from score_following_game.config import GameConfig
from score_following_game.data_processing import dataset, renditions
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.errors import UserError
from score_following_game.machine import fastest, prepare_machine, thread_rates


@pytest.fixture(autouse=True)
def no_threads_chosen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "_threads", None)


def test_the_fewest_threads_near_the_best_rate():
    assert fastest({1: 100.0, 2: 180.0}) == 2
    assert fastest({1: 100.0, 2: 25.0}) == 1  # beside another busy program
    assert fastest({1: 100.0, 2: 109.0}) == 1
    assert fastest({1: 100.0, 2: 190.0, 4: 300.0, 6: 310.0}) == 4


def test_rates_are_of_the_threads_they_name(monkeypatch: pytest.MonkeyPatch):
    tried = []
    clock = [0.0]
    monkeypatch.setattr(machine.time, "perf_counter", lambda: clock[0])

    def work() -> None:
        tried.append(torch.get_num_threads())
        clock[0] += 0.002 * torch.get_num_threads()

    rates = thread_rates(work, 3, 0.05)
    assert list(rates) == [1, 2, 3]
    assert set(tried) == {1, 2, 3} and tried == sorted(tried)
    assert list(rates.values()) == pytest.approx([500, 250, 500 / 3])
    assert list(thread_rates(work, 8, 0.001)) == [1, 2, 4, 8]


def test_a_trial_sets_the_threads_and_is_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "available_cores", lambda: 2)
    monkeypatch.setattr(machine, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(machine, "thread_rates", lambda work, cores: {1: 80.0, 2: 150.4})
    report = prepare_machine(1, "cpu", None, trial=True)
    assert torch.get_num_threads() == 2
    assert report == "Threads: 2 (measured: 80/s with 1, 150/s with 2; --threads N overrides it)"


@pytest.mark.parametrize(("threads", "cores", "trial"), [(1, 2, True), (2, 2, True), (None, 1, True), (None, 2, False)])
def test_no_trial_where_there_is_nothing_to_choose(
    threads: int | None,
    cores: int,
    trial: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(machine, "available_cores", lambda: cores)
    monkeypatch.setattr(machine, "thread_rates", None)
    assert prepare_machine(1, "cpu", threads, trial) == ""
    assert torch.get_num_threads() == (threads or cores)


def test_a_trial_leaves_no_trace_in_the_random_numbers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "available_cores", lambda: 2)
    monkeypatch.setattr(machine, "PROBE_SECONDS", 0.01)
    drawn = []
    for threads in (1, None):
        prepare_machine(5, "cpu", threads, trial=True)
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    ("seed", "device", "threads", "message"),
    [
        (1, "cpu", 0, "--threads 0: expected 1 to"),
        (-1, "cpu", 1, "--seed -1: expected a whole number"),
        (1, "gpu", 1, "--device gpu: expected cpu, cuda or cuda:N"),
        (1, "cuda:99", 1, "--device cuda:99: torch sees"),
    ],
)
def test_refused(seed: int, device: str, threads: int, message: str):
    with pytest.raises(UserError, match=message):
        prepare_machine(seed, device, threads)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_threads_are_those_of_every_pool(
    threads: int,
    folder: Path,
    config: GameConfig,
    monkeypatch: pytest.MonkeyPatch,
):
    for name in "bcdef":
        write_small_piece(folder, name)
    used: set[int] = set()

    def noting(work: Callable) -> Callable:
        def work_and_note(*arguments):
            used.add(threading.get_ident())
            time.sleep(0.05)  # so that a pool's other threads take the other pieces
            return work(*arguments)

        return work_and_note

    monkeypatch.setattr(dataset, "load_piece", noting(dataset.load_piece))
    monkeypatch.setattr(renditions, "read_score", noting(renditions.read_score))
    prepare_machine(1, "cpu", threads)
    pieces = load_data_set(folder, config)
    assert len(used) == threads
    used.clear()
    renditions.score_renditions(pieces, config)
    assert len(used) == threads
