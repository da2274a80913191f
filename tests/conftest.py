"""Shared by the tests: small data sets, running the real scripts, and which tests this machine cannot run."""

from __future__ import annotations

import runpy
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, settings
from learning_tools import TINY_NETWORKS
from listening_tools import write_heard
from ready_process import ROOT, run_script
from small_piece import write_small_piece
from sound_tools import without_alsa, without_sound_server
from source_tools import abc_tune

from score_following_game.agents.architectures import ARCHITECTURES
from score_following_game.config import GameConfig, freely_moving, load_game_config
from score_following_game.data_preparation.engraving.lilypond.contained import require_lilypond
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece, load_piece
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError

SHARED = ROOT.parent / "shared"
Run = Callable[..., subprocess.CompletedProcess]

# Neither a slow nor a busy machine is a fault of a test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# A shell that starts the tests in the background has them ignore Ctrl-C, and the scripts they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def hears_hang_ups() -> None:
    """For Popen(preexec_fn=): nohup has hang-ups ignored, and the scripts that tests start would inherit that, too."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


# Tests that need more than the requirements are deselected where it is missing, so that a skipped test is always worth a look.
# A test says so by @pytest.mark.needs("linux"), or by a fixture of this table.
NEEDED_BY_FIXTURE = {"shared": "shared", "display": "screen", "msmd": "lilypond"}


@cache
def missing(need: str) -> str:
    """Returns why this machine lacks `need`, "" where it does not. `.ci/setup` installs all but music21 and `shared`."""
    if need == "stable_baselines3":
        return "" if find_spec(need) else "not installed: stable-baselines3 (of requirements-dev.txt)"
    if need == "music21":
        return "" if find_spec(need) else "not installed: music21 (of the extra [corpora])"
    if need == "shared":
        return "" if (SHARED / "reference").is_dir() else f"no folder {SHARED} (extra checks; a clone does not have it)"
    if need == "screen":
        absent = [name for name in ("Xvfb", "xvfb-run", "xdotool") if shutil.which(name) is None]
        return f"not installed: {', '.join(absent)} (.ci/setup installs them)" if absent else ""
    if need == "lilypond":
        try:
            require_lilypond()
        except UserError as error:
            return str(error)
        return ""
    if need == "alsa":
        return without_alsa()
    if need == "pulseaudio":
        return without_sound_server()
    if need == "linux":
        return "" if sys.platform.startswith("linux") else f"this is {sys.platform}"
    raise ValueError(f"no such need: {need}")


def needs_of(item: pytest.Item) -> Iterator[str]:
    """Names of what a test needs besides the requirements."""
    yield from (name for mark in item.iter_markers("needs") for name in mark.args)
    yield from (need for fixture, need in NEEDED_BY_FIXTURE.items() if fixture in getattr(item, "fixturenames", ()))


LEFT_OUT: Counter[str] = Counter()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "needs(name, ...): runs only where it is there: shared, screen, lilypond, alsa, pulseaudio, linux, stable_baselines3",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    selected, deselected = [], []
    for item in items:
        reason = next(filter(None, map(missing, needs_of(item))), "")
        if reason:
            LEFT_OUT[reason] += 1
        (deselected if reason else selected).append(item)
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = selected


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("dsession"):  # with pytest-xdist the workers collect, and only they can count
        LEFT_OUT.update({missing(need): 0 for need in ("shared", "screen", "lilypond", "linux") if missing(need)})
    for reason, count in LEFT_OUT.items():
        terminalreporter.write_line(f"left out: {f'{count} tests' if count else 'some tests'}, {reason}")


@pytest.fixture(autouse=True)
def as_many_threads_as_before() -> Iterator[None]:
    """What a test makes torch use would slow down all later ones: two threads wait for each other beside other processes."""
    threads = torch.get_num_threads()
    yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of specifications, measured arrays and music; tests that use it run only where it lies beside the project."""
    return SHARED


@pytest.fixture(scope="session")
def config() -> GameConfig:
    return load_game_config("game_configs/nottingham.yaml")


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small pieces of different length."""
    folder = tmp_path_factory.mktemp("data_set")
    for name, notes, spacing in (("a_short", 6, 20), ("b_long", 24, 30), ("c_wide", 12, 45)):
        write_small_piece(folder, name, notes=notes, spacing=spacing)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of one small piece, which the test may change."""
    return write_small_piece(tmp_path / "set", "tune")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Twelve tunes that share no six-note fragment of rhythm and interval: each has its own unit length."""
    path = tmp_path / "book.abc"
    path.write_text("".join(abc_tune(number, unit=f"{number}/16") for number in (1, 2, 3, 4, 6, 8, 12, 16)))
    return path


@pytest.fixture(scope="session")
def bank(data_set: Path, config: GameConfig) -> ScoreBank:
    return ScoreBank(load_data_set(data_set, config), config)


@pytest.fixture(scope="session")
def continuous_bank(bank: ScoreBank) -> ScoreBank:
    """The same pieces under continuous actions."""
    return ScoreBank(bank.pieces, freely_moving(bank.config))


@pytest.fixture(scope="module")
def tiny_networks() -> Iterator[None]:
    """Settings and files may name the tiny networks (learning_tools.py)."""
    with pytest.MonkeyPatch.context() as patch:
        for name, architecture in TINY_NETWORKS.items():
            patch.setitem(ARCHITECTURES, name, architecture)
        yield


@pytest.fixture(scope="session")
def tune(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small piece, and how it is heard (listening_tools.py)."""
    return write_heard(tmp_path_factory.mktemp("tune"))


@pytest.fixture(scope="session")
def tune_piece(tune: Path, config: GameConfig) -> Piece:
    return load_piece(tune, config, silent=True)


@pytest.fixture(scope="session")
def heard(tune: Path) -> np.ndarray:
    return soundfile.read(tune.with_name("heard.wav"), dtype="float32")[0]


@pytest.fixture(scope="session")
def run() -> Run:
    """`run_script`, which here fails the test where the script does, unless it is to be looked at (check=False)."""

    def run_script_checked(*arguments: object, check: bool = True, **options: Any) -> subprocess.CompletedProcess:
        result = run_script(*arguments, **options)
        if check and result.returncode:
            raise AssertionError(f"{arguments[0]} exited with {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    return run_script_checked


@pytest.fixture
def run_here(capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Like `run`, but in this process, which saves the seconds of importing everything; used where errors are tested."""

    def run_in_process(*arguments: object) -> subprocess.CompletedProcess:
        script, *rest = map(str, arguments)
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", [script, *rest])
        monkeypatch.syspath_prepend((ROOT / script).parent)  # as Python does
        capfd.readouterr()
        on_termination = signal.getsignal(signal.SIGTERM)
        try:
            runpy.run_path(str(ROOT / script), run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            signal.signal(signal.SIGTERM, on_termination)
        return subprocess.CompletedProcess(sys.argv, code, *capfd.readouterr())

    return run_in_process
