"""The agents that come with the project: found by name, and able."""

from __future__ import annotations

from pathlib import Path

import pytest

from score_following_game.agents.shipped import find_parameters, shipped_agents
from score_following_game.errors import UserError
from score_following_game.run_files import BEST_MODEL_FILE


def test_the_shipped_agent_follows_the_bundled_tunes(run):
    rows = run(
        "eval_score_following.py", "--params", "nottingham", "--data_set", "test_sample", "--trials", 5, "--threads", 1
    ).stdout.splitlines()
    tracked_until_end, tracked, error = (float(value) for value in rows[-1].strip("& \\").split("&")[:3])
    assert tracked_until_end >= 0.8  # a constant speed reaches 0.1 on such tunes
    assert tracked >= 0.9
    assert error < 5


def test_the_table_of_baselines_takes_the_shipped_localisation(run):
    rows = run("eval_score_following.py", "--baselines", "--data_set", "test_sample", "--threads", 1).stdout.splitlines()
    (row,) = (row for row in rows if row.startswith("localisation (supervised)"))
    _, tracked, error = (float(value) for value in row.strip("& \\").split("&")[1:4])
    assert tracked >= 0.4 and error < 6  # one that has learnt nothing stays where it is: 0.2


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert shipped_agents()["nottingham"].parent.joinpath("README.md").is_file()
    for name in ("piano_1", "piano_2", "flute_1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / BEST_MODEL_FILE).touch()
    (tmp_path / "violin_1").mkdir()  # without parameters
    monkeypatch.setattr("score_following_game.agents.shipped.FOLDERS", (tmp_path,))
    assert find_parameters("piano") == tmp_path / "piano_2" / BEST_MODEL_FILE
    assert find_parameters(tmp_path / "piano_1" / BEST_MODEL_FILE) == tmp_path / "piano_1" / BEST_MODEL_FILE
    with pytest.raises(UserError, match="violin: no such parameter file; the agents that come with the project: flute, piano"):
        find_parameters("violin")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "piano").mkdir()  # a data set's folder may have an agent's name
    assert find_parameters("piano") == tmp_path / "piano_2" / BEST_MODEL_FILE
    with pytest.raises(UserError, match="is a folder; give a parameter file"):
        find_parameters(tmp_path / "piano_1")
