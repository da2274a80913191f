"""README and docs/: links lead somewhere, commands have the options they are shown with, those of the README run."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

import matplotlib
import pytest
from conftest import ROOT, Run

from score_following_game.command_line import SCRIPTS

PAGES = sorted(
    path.relative_to(ROOT)
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")]
)
MODULES = {
    "score_following_game.evaluation.learning_curve": "score_following_game/evaluation/learning_curve.py",
    "score_following_game.agents.networks": "score_following_game/agents/networks.py",
}
OF_OTHER_PROGRAMS = {"--nnodes", "--rdzv_backend", "--rdzv_endpoint", "--shutdown-timeout", "--nproc_per_node", "--directory"}
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"--[a-zA-Z][\w-]*")


def text_of(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def links(text: str) -> list[str]:
    """The relative targets of a page's links and images."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", text))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def inline_code(text: str) -> list[str]:
    """What a page shows between backticks, outside its blocks."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _FENCE.sub("", text))]


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Every command of this project that a page shows, in a block or between backticks: its script and its options."""
    blocks = [re.sub(r"\\\n", " ", block) for block in _FENCE.findall(text)]
    lines = [line for block in blocks for line in block.splitlines()[1:-1]]
    lines += inline_code(text)
    found = []
    for line in lines:
        words = line.split("  #")[0].split()
        scripts = [(script, index) for index in range(len(words)) if (script := script_at(words, index))]
        if scripts:
            script, index = scripts[0]
            found.append((script, _OPTION.findall(" ".join(words[index + 1 :]))))
    return found


def script_at(words: list[str], index: int) -> str | None:
    """The script that a word of a command line runs, None for any other word."""
    word = words[index]
    if word in SCRIPTS:
        return SCRIPTS[word]
    if word in MODULES and words[index - 1] == "-m":
        return MODULES[word]
    is_script = word in SCRIPTS.values() or (word.endswith(".py") and words[0] in ("python", "torchrun"))
    return word if is_script else None


@pytest.fixture(scope="module")
def options_of(run: Run):
    """The options in a script's --help."""

    @cache
    def options(script: str) -> frozenset[str]:
        return frozenset(_OPTION.findall(run(script, "--help").stdout))

    return options


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size <= 10_000


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files_and_headings(page: Path):
    broken = []
    for link in links(text_of(page)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page.parent / path).resolve() if path else ROOT / page
        is_broken = not target.exists() or (anchor and anchor not in anchors(target.relative_to(ROOT)))
        broken += [link] * bool(is_broken)
    assert broken == []


def test_the_moving_picture_is_small():
    assert (ROOT / "docs" / "images" / "follow.gif").stat().st_size <= 1_500_000


def test_every_page_of_docs_can_be_reached_from_the_readme():
    reached, new = set(), {Path("README.md")}
    while new:
        page = new.pop()
        reached.add(page)
        targets = {Path(os.path.normpath(page.parent / link.partition("#")[0])) for link in links(text_of(page))}
        new |= {target for target in targets if target.suffix == ".md"} - reached
    assert {page for page in PAGES if page.parts[0] == "docs"} <= reached


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_have_the_options_shown(page: Path, options_of):
    wrong = [
        (script, option)
        for script, shown in commands(text_of(page))
        if (ROOT / script).is_file()
        for option in shown
        if option not in options_of(script)
    ]
    assert wrong == []


SMALLER = {  # what makes the README's commands quick: one trial, few tunes, fast music
    "--trials 10": "--trials 1",
    "python prepare_game_data.py": "python prepare_game_data.py --limit 4",
    "--video": "--tempo 2 --video",
}


def expanded(lines: list[str]) -> list[list[str]]:
    """The arguments of every `python` in lines of a shell, as it gives them."""
    script = "\n".join(["set -eu", "python() { printf '%s\\0' \"$@\"; printf '\\0'; }", *lines])
    printed = subprocess.run(["bash", "-c", script], text=True, capture_output=True, check=True).stdout
    return [command.split("\0") for command in printed.removesuffix("\0\0").split("\0\0")]


@pytest.mark.slow
def test_commands_of_the_readme_run(run: Run, tmp_path: Path):
    """Those that make data, evaluate and film, as a shell reads them but SMALLER, in a folder of their own."""
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name not in ("my_data", "my_tunes"):
            (tmp_path / path.name).symlink_to(path)
    blocks = [
        block for block in _FENCE.findall(text_of(Path("README.md"))) if re.match(r"```\n(\w+=\S+\n|# .*\n)?python ", block)
    ]
    commands = [line for block in blocks for line in block.replace("\\\n", "").splitlines()[1:-1]]
    quick = [line for line in commands if re.search("^[A-Z]+=|prepare_game_data|--video|eval_score", line)]
    assert len(commands) > len(quick) >= 5  # the others train for minutes or open a window
    for written, smaller in SMALLER.items():
        assert any(written in line for line in quick), written
        quick = [line.replace(written, smaller) for line in quick]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": matplotlib.get_cachedir()}
    printed = "".join(run(*command, cwd=tmp_path, environment=environment).stdout for command in expanded(quick))
    for name in ("follow.mp4", "follow.png", "positions.csv", "positions_onsets.csv", "my_tunes/train", "my_tunes/valid"):
        assert (tmp_path / name).exists(), name
    line = "Tracking piece: test_2_Clementine"
    assert line in text_of(Path("README.md")) and line in printed  # what is shown is what is printed


def test_commands_name_existing_scripts():
    missing = [(str(page), script) for page in PAGES for script, _ in commands(text_of(page)) if not (ROOT / script).is_file()]
    assert missing == []


def test_options_named_alone_exist(options_of):
    """Options between backticks without their command, as in tables: some command has them."""
    tools = [f"benchmarks/{name}.py" for name in ("speed", "latency", "real_world", "compare_with_published")]
    tools.append("tests/fuzz/fuzz_scores.py")
    known = frozenset().union(*map(options_of, [*SCRIPTS.values(), *MODULES.values(), *tools])) | OF_OTHER_PROGRAMS
    unknown = {
        (str(page), option)
        for page in PAGES
        for code in inline_code(text_of(page))
        for option in _OPTION.findall(code)
        if option not in known
    }
    assert unknown == set()


def test_commands_are_found_in_blocks_and_between_backticks():
    block = "```\ntorchrun --nproc_per_node 2 sf_experiment.py --seed 1 \\\n    --bptt  # --not this\n```"
    page = f"Run `sfg-eval\n--trials 3`:\n{block}\n"
    assert commands(page) == [("sf_experiment.py", ["--seed", "--bptt"]), ("eval_score_following.py", ["--trials"])]
