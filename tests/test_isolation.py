"""Tasks in child processes: a crash, a hang or an error costs one task only."""

from __future__ import annotations

import os
import time

import pytest

from score_following_game.data_preparation.engraving.isolation import MOST_PATIENCE, allowed, run_isolated
from score_following_game.data_preparation.errors import EngravingError


def behave(task: str) -> str:
    if task == "abort":
        os.abort()
    if task == "hang":
        time.sleep(60)
    if task == "refuse":
        raise EngravingError("because", "of this")
    if task == "fail":
        raise ZeroDivisionError("by nothing")
    return task.upper()


def test_a_crash_or_a_hang_costs_one_task() -> None:
    tasks = ["a", "abort", "b", "hang", "refuse", "fail", "c"]
    outcomes = {outcome.task: outcome for outcome in run_isolated(behave, tasks, processes=2, time_limit=1.0)}
    assert sorted(outcomes) == sorted(tasks)
    assert [outcomes[task].value for task in "abc"] == ["A", "B", "C"]
    assert outcomes["abort"].reason == "the engraver crashed"
    assert outcomes["hang"].reason == "time limit"
    assert (outcomes["refuse"].reason, outcomes["refuse"].detail) == ("because", "of this")
    assert outcomes["fail"].detail == "ZeroDivisionError: by nothing"


def test_a_busy_machine_is_allowed_more_time(monkeypatch: pytest.MonkeyPatch):
    cores = os.cpu_count() or 1
    for load, factor in ((0.0, 1.0), (cores, 1.0), (4.0 * cores, 4.0), (99.0 * cores, MOST_PATIENCE)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, load, load))
        assert allowed(30.0) == pytest.approx(30 * factor)
