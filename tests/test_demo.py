"""The demo, with seconds instead of minutes of training."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from conftest import ROOT


@pytest.mark.slow
def test_demo(tmp_path: Path):
    output = tmp_path / "out"
    result = subprocess.run(
        [sys.executable, "-m", "score_following_game.demo", "--minutes", "0.05", "--threads", "1", "--output", output],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    table = (output / "table.txt").read_text()
    assert table in result.stdout
    assert [line.split("  ")[0] for line in table.splitlines()[1:5]] == [
        "untrained network",
        "constant speed (1.53 px/frame)",
        "trained, sampled as in the papers",
        "trained, likeliest action",
    ]
    counts = [len(list((output / "data" / name).glob("*.mid"))) for name in ("train", "valid", "test")]
    assert counts == [36, 7, 7]
    frames = cv2.imread(str(output / "last_frames.png"))
    height = frames.shape[0] // 3
    assert (frames[:height] != frames[height : 2 * height]).any()
    assert (frames[height : 2 * height] != frames[2 * height :]).any()
    for picture in ("alignment.png", "learning_curve.png"):
        assert cv2.imread(str(output / picture)) is not None
    params = result.stdout.split("--params ")[1].split()[0]
    assert Path(params).is_file()
