"""The Python examples of README.md and docs/ run, with fewer trials and games."""

import re

import pytest
from conftest import ROOT

PAGES = ("README.md", "docs/api.md", "docs/environment.md", "docs/live.md", "docs/tutorials/environment.md")


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict = {}
    for block in blocks:
        exec(compile(block.replace("num_envs=256", "num_envs=4").replace("trials=10", "trials=1"), page, "exec"), names)
    capsys.readouterr()
