"""The site of the documentation: it is complete, made from the code, and fetches nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

import score_following_game as sfg
from score_following_game.agents.architectures import ARCHITECTURES
from score_following_game.command_line import SCRIPTS

_FETCHED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["']?(https?:)?//[^"'> ]+""")


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(folder)]
    # Not --quiet: with it --strict counts no warnings. A proxy that does not exist: a build that fetches something fails.
    environment = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def text_of(page: Path) -> str:
    return unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site: Path):
    fetched = {(page.name, match[0]) for page in site.rglob("*.html") for match in _FETCHED.finditer(page.read_text())}
    assert fetched == set()
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.search(r"url\(['\"]?https?:", styles)


@pytest.mark.slow
def test_no_table_of_the_code_is_missing(site: Path):
    assert [page.name for page in site.rglob("*.html") if "<!-- table:" in page.read_text()] == []


@pytest.mark.slow
@pytest.mark.parametrize("command", SCRIPTS)
def test_every_option_of_a_command_is_listed(run, site: Path, command: str):
    printed = run(SCRIPTS[command], "--help")
    options = set(re.findall(r"^ +(--[\w-]+)", printed.stdout, re.MULTILINE))
    page = text_of(site / "reference" / "commands.html")
    own = page[page.rindex(f"python {SCRIPTS[command]}") :]
    assert len(options) > 5 and [option for option in sorted(options) if option not in own] == []


@pytest.mark.slow
def test_every_network_and_game_config_is_listed(site: Path):
    networks, configs = text_of(site / "networks.html"), text_of(site / "reference" / "game_configs.html")
    assert [name for name in ARCHITECTURES if networks.count(name) < 2] == []
    assert [path.stem for path in (ROOT / "game_configs").glob("*.yaml") if path.stem not in configs] == []
    keys = yaml.safe_load((ROOT / "game_configs" / "nottingham.yaml").read_text())
    assert [key for key in keys if key not in configs] == []


@pytest.mark.slow
def test_everything_the_package_offers_is_described(site: Path):
    text = text_of(site / "reference" / "api.html")
    assert [name for name in sfg.__all__ if name not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("mistake", ["[x](no_such_page.md)", "[x](evaluation.md#no-such-heading)"])
def test_a_broken_link_ends_the_build(tmp_path: Path, mistake: str):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs" / "game.md").open("a") as page:
        page.write(f"\n{mistake}\n")
    config = (ROOT / "mkdocs.yml").read_text()
    for relative in ("tools/docs/hook.py", "paths: [.]"):
        config = config.replace(relative, relative.replace("tools", f"{ROOT}/tools").replace("[.]", f"[{ROOT}]"))
    (tmp_path / "mkdocs.yml").write_text(config)
    built = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert built.returncode != 0
    assert re.search(r"\((.+)\)", mistake)[1] in built.stdout + built.stderr
