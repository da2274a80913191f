"""Shared by the tests: small data sets, the reference folder where there is one, and running the real scripts."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_piece import write_small_piece

from score_following_game.config import GameConfig, freely_moving, load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.score_bank import ScoreBank

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
Run = Callable[..., subprocess.CompletedProcess]

# A shell that starts the tests in the background has them ignore Ctrl-C, and the scripts they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of specifications and reference arrays, which lies beside the project on some machines only."""
    if not (SHARED / "reference").is_dir():
        pytest.skip("no reference folder beside the project")
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
    """A data set of one small piece, to be changed at will."""
    return write_small_piece(tmp_path / "set", "tune")


@pytest.fixture(scope="session")
def bank(data_set: Path, config: GameConfig) -> ScoreBank:
    return ScoreBank(load_data_set(data_set, config), config)


@pytest.fixture(scope="session")
def continuous_bank(bank: ScoreBank) -> ScoreBank:
    """The same pieces, the speed chosen freely."""
    return ScoreBank(bank.pieces, freely_moving(bank.config))


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a script of the repository's root as a user would; -> its CompletedProcess (text)."""

    def run_script(*arguments: object, cwd: Path = ROOT, check: bool = True) -> subprocess.CompletedProcess:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CI": "true"}  # where some libraries say more on stdout
        script, *rest = map(str, arguments)
        result = subprocess.run(
            [sys.executable, str(ROOT / script), *rest],
            cwd=cwd,
            env=environment,
            text=True,
            capture_output=True,
            timeout=300,
            check=False,
        )
        if check and result.returncode:
            raise AssertionError(f"{script} exited with {result.returncode}\n{result.stdout}\n{result.stderr}")
        return result

    return run_script


@pytest.fixture
def run_here(capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Run:
    """As `run`, without the seconds in which a new process imports everything: for mistakes, of which there are many."""

    def run_script(*arguments: object) -> subprocess.CompletedProcess:
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

    return run_script
