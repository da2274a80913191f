"""Threads chosen by trial; seeds; what is refused."""

import pytest
import torch

from score_following_game import machine
from score_following_game.errors import UserError
from score_following_game.machine import fastest, prepare_machine, thread_rates


@pytest.fixture(autouse=True)
def one_thread_again():
    yield
    torch.set_num_threads(1)


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


def test_a_trial_sets_the_threads_and_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine, "available_cores", lambda: 2)
    monkeypatch.setattr(machine, "PROBE_SECONDS", 0.01)
    monkeypatch.setattr(machine, "thread_rates", lambda work, cores: {1: 80.0, 2: 150.4})
    told = prepare_machine(1, "cpu", None, trial=True)
    assert torch.get_num_threads() == 2
    assert told == "Threads: 2 (tried: 80/s with 1, 150/s with 2; --threads N sets it)"


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
        (1, "cpu", 0, "--threads 0: wanted 1 to"),
        (-1, "cpu", 1, "--seed -1: wanted a whole number"),
        (1, "gpu", 1, "--device gpu: wanted cpu, cuda or cuda:N"),
        (1, "cuda:99", 1, "--device cuda:99: torch sees"),
    ],
)
def test_refused(seed: int, device: str, threads: int, message: str):
    with pytest.raises(UserError, match=message):
        prepare_machine(seed, device, threads)
