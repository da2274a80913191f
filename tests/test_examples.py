"""The examples in docs/examples run, each for a second or two."""

import re

import pytest
from conftest import ROOT

EXAMPLES = ROOT / "docs" / "examples"
SHORT = {
    "ppo_single_file.py": ["--steps", "512", "--games", "8", "--rollout", "32", "--batch_size", "128"],
    "sb3_ppo.py": ["--steps", "512", "--games", "8"],
    "sb3_sac.py": ["--steps", "1040", "--games", "8"],
}
ROW = re.compile(r"^ *(\d+) steps +[\d.]+ s   R_on (\d\.\d\d)   R_tue (\d\.\d\d)$")


def test_every_example_is_tried():
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*SHORT, "sb3_games.py"}  # the last is imported by two of them


NEEDS = {"sb3_ppo.py": pytest.mark.needs("stable_baselines3"), "sb3_sac.py": pytest.mark.needs("stable_baselines3")}


@pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS.get(name, ())) for name in SHORT])
def test_example_runs_and_prints_a_learning_curve(run, name: str):
    done = run(EXAMPLES / name, *SHORT[name])
    rows = [ROW.match(line) for line in done.stdout.splitlines()]
    assert len(rows) >= 2 and all(rows), done.stdout
    assert int(rows[0][1]) == 0 and int(rows[-1][1]) >= int(SHORT[name][1])
