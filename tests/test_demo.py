"""The demo, with seconds instead of minutes of training."""

import json
import sys
from pathlib import Path

import cv2
import pytest
from watching_tools import streams

from score_following_game import demo
from score_following_game.data_preparation.building.duplicates import variants
from score_following_game.demo_training import COOLING, settings_for
from score_following_game.reinforcement_learning.presets import PRESETS


def pieces_of(path: Path):
    return json.loads(path.read_text())["pieces"].items()


def test_a_run_cools_with_its_minutes_and_never_slower_than_the_preset():
    for minutes in (1, 3, 600):
        settings = settings_for(Path("out"), minutes, 1)
        assert (settings.max_minutes, settings.anneal_minutes) == (minutes, COOLING * minutes)
        assert settings.anneal_steps == PRESETS["fast"]["anneal_steps"]
        assert settings.preset == "fast" and settings.agent == "lookahead"


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "x"])
def test_impossible_minutes_are_one_line(run_here, minutes):
    result = run_here("score_following_game/demo.py", "--minutes", minutes)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--minutes" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.slow
def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """In this process, where it can follow the test tunes less often."""
    output = tmp_path / "out"
    monkeypatch.setattr(demo, "TRIALS", 2)
    monkeypatch.setattr(sys, "argv", ["demo", "--minutes", "0.05", "--threads", "1", "--output", str(output)])
    demo.main()
    printed = capfd.readouterr().out
    table = (output / "table.txt").read_text()
    assert table in printed
    assert [line.split("  ")[0] for line in table.splitlines()[1:6]] == [
        "untrained network",
        "constant speed (1.53 px/frame)",
        "yours, sampled as in the papers",
        "yours, likeliest action",
        "nottingham (shipped), likeliest",
    ]
    assert "Minuet in G\n   Followed to the end: " in printed and "s: R_on " in printed
    counts = [len(list((output / "data" / name).glob("*.mid"))) for name in ("train", "valid", "test")]
    assert counts == [36, 7, 7]
    found = {name: each["facts"]["fragments"] for path in output.glob("data/*/prepared.json") for name, each in pieces_of(path)}
    assert len(found) == 50 and not variants(found.items())  # no tune is another setting of a tune of another set
    frames = cv2.imread(str(output / "shipped_agent.png"))
    height = frames.shape[0] // 3
    assert (frames[:height] != frames[height : 2 * height]).any()
    assert (frames[height : 2 * height] != frames[2 * height :]).any()
    for picture in ("alignment.png", "learning_curve.png", "your_agent.png"):
        assert cv2.imread(str(output / picture)) is not None
    for video in ("shipped_agent.mp4", "your_agent.mp4"):
        assert len(streams(output / video)) == 2  # with sound
    params = printed.split("--params ")[1].split()[0]
    assert Path(params).is_file()
