"""The benchmarks run: what they print is looked at by people."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("net", ["ScoreFollowingNet", "ReadingNet"])
def test_latency_of_a_few_frames(run, net: str):
    task = {
        "net": net,
        "config": "nottingham.yaml",
        "frames": 4,
        "target": 10.0,
        "precision": "float32",
        "data_set": "test_sample",
        "paced": False,
    }
    figures = json.loads(run("benchmarks/latency.py", "--task", json.dumps(task)).stdout)
    assert list(figures) == ["spectrogram", "observation", "network", "action", "whole", "whole, processor time", "disturbed"]
    median, late, worst, over = figures["whole"]
    assert 0 < median <= late <= worst
    assert 0 <= over <= 1
    assert sum(figures[stage][0] for stage in ("spectrogram", "observation", "network", "action")) <= 2 * worst


def test_alignment_of_a_few_performances(run, tmp_path):
    options = ("--kinds", "left out", "drifting", "--json", tmp_path / "a.json")
    shown = run("benchmarks/alignment.py", "score_following_game/bundled/test_sample", *options).stdout
    kinds = {line[:22].strip(): line.split() for line in shown.splitlines()}
    assert "to be refused" in " ".join(kinds["left out"]) and "drifting gain" in kinds
    cases = json.loads((tmp_path / "a.json").read_text())["cases"]
    assert {case["kind"] for case in cases} == {"left out", "drifting gain"}
    assert all(case["errors"] and not case["refusal"] for case in cases if case["right"])
