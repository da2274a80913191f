"""README and docs/: links lead somewhere, commands have the options they are shown with, those of the README run."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

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
OF_OTHER_PROGRAMS = {"--nnodes", "--rdzv_backend", "--rdzv_endpoint", "--shutdown-timeout", "--nproc_per_node"}
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


def test_commands_of_the_readme_run(run: Run, tmp_path: Path):
    """Those that make data, evaluate and film, as they are written, in a folder of their own; one trial."""
    blocks = [block for block in _FENCE.findall(text_of(Path("README.md"))) if block.startswith("```\npython ")]
    lines = [line.split("  #")[0].split() for block in blocks for line in block.splitlines()[1:-1]]
    played = []
    for _python, script, *arguments in lines:
        if script in ("sf_experiment.py", "environment_test.py") or (
            script == "test_score_following.py" and "--video" not in arguments
        ):
            continue  # minutes of training; windows
        arguments = [str(ROOT / word) if word.startswith("score_following_game/") else word for word in arguments]
        if "--trials" in arguments:
            arguments[arguments.index("--trials") + 1] = "1"
        played.append((script, run(script, *arguments, cwd=tmp_path).stdout))
    assert {script for script, _ in played} == {"eval_score_following.py", "prepare_game_data.py", "test_score_following.py"}
    assert (tmp_path / "my_data" / "check" / "test_2_Clementine.png").is_file()
    assert (tmp_path / "follow.mp4").is_file() and (tmp_path / "follow.png").is_file()
    for _script, printed in played:  # what is shown there is what is printed, but for numbers
        first = re.sub(r"[\d.]+", "N", printed.splitlines()[0])
        assert first in re.sub(r"[\d.]+", "N", text_of(Path("README.md"))) or first.startswith("test_N_")


def test_commands_name_existing_scripts():
    missing = [(str(page), script) for page in PAGES for script, _ in commands(text_of(page)) if not (ROOT / script).is_file()]
    assert missing == []


def test_options_named_alone_exist(options_of):
    """Options between backticks without their command, as in tables: some command has them."""
    benchmarks = [f"benchmarks/{name}.py" for name in ("speed", "latency", "real_world", "compare_with_published")]
    known = frozenset().union(*map(options_of, [*SCRIPTS.values(), *MODULES.values(), *benchmarks])) | OF_OTHER_PROGRAMS
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
