"""The benchmarks run: what they print is looked at by people."""

from __future__ import annotations

import json


def test_latency_of_a_few_frames(run):
    task = {
        "net": "ScoreFollowingNet",
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
