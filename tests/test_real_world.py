"""The bench of real-world conditions, and intervals over pieces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_piece import write_small_piece

from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.intervals import intervals
from score_following_game.evaluation.metrics import UNITS
from score_following_game.evaluation.results import Results


def results(tracked: list[int], onsets: int = 10) -> Results:
    """One trial of a piece for each number of tracked onsets."""
    frames = np.arange(1, onsets + 1)
    trial = [Episode(f"piece_{index}", count, frames, frames[:count], np.zeros(count)) for index, count in enumerate(tracked)]
    return Results({unit: [trial] for unit in UNITS})


def test_interval_over_pieces():
    same = intervals(results([7] * 30))
    assert same["global_tracking_ratio"] == pytest.approx((0.7, 0.7)) and same["tracked_until_end_ratio"] == (0, 0)
    half = results([0, 10] * 50)
    low, high = intervals(half)["global_tracking_ratio"]
    assert intervals(half)["tracked_until_end_ratio"] == (low, high)  # the pieces that are followed are followed to their end
    assert low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02) and high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.02)
    assert intervals(half)["global_tracking_ratio"] == (low, high)  # the same each time
    narrow = intervals(results([0, 10] * 800))["global_tracking_ratio"]
    assert narrow[1] - narrow[0] < (high - low) / 3


def test_the_bench_on_a_bundled_tune(run, tmp_path: Path):
    out = tmp_path / "real_world.json"
    conditions = ["default", "one click +20 dB"]
    arguments = ["--limit", "1", "--trials", "2", "--threads", "1", "--json", out, "--conditions", *conditions]
    printed = run("benchmarks/real_world.py", *map(str, arguments)).stdout
    header, *rows = printed.splitlines()
    assert header.split()[:5] == ["condition", "agent", "R_tue", "R_on", "95"]
    assert len(rows) == 3 * (len(conditions) + 1)
    found = json.loads(out.read_text())
    assert set(found) == {"about", *conditions}
    for condition in conditions:
        assert set(found[condition]) == {"nottingham", "constant speed", "online time warping"}
        agent = found[condition]["nottingham"]
        low, high = agent["intervals"]["global_tracking_ratio"]
        assert low <= agent["mean"]["global_tracking_ratio"] <= high
        assert len(agent["pieces"]) == 2
    # a click 20 dB above the peak changes nothing (it used to: R_on 0.14)
    assert found[conditions[1]]["nottingham"]["mean"]["global_tracking_ratio"] > 0.9


def test_the_bench_refuses_recordings_under_other_conditions(run, tmp_path: Path):
    folder = write_small_piece(tmp_path / "set")
    np.save(folder / "tune.spec.npy", np.zeros((78, 100), np.float32))
    ended = run("benchmarks/real_world.py", "--data_set", str(folder), "--threads", "1", check=False)
    assert ended.returncode == 2
    assert "tune: has a recording or a precomputed spectrogram" in ended.stderr and "Traceback" not in ended.stderr
