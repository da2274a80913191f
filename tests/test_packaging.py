"""Versions, extras and distributions, and the promises of the README."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import score_following_game
from score_following_game.errors import UserError
from score_following_game.optional_libraries import missing_library, require_libraries
from score_following_game.reinforcement_learning.processes import distributed
from score_following_game.reinforcement_learning.settings import Settings, settings_as_dict

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGE_OF = {
    "cv2": "opencv-python",
    "yaml": "pyyaml",
    "fluidsynth": "pyfluidsynth",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "fontTools": "fonttools",
    "pretty_midi": "pretty-midi",
    "resvg_py": "resvg-py",
    "tensorboardX": "tensorboardx",
    "Xlib": "python-xlib",
}
NOT_SOURCE = (".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "runs", "params")


def pins(file: str) -> dict[str, str]:
    """Package name -> exact version."""
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def bounds(lines: list[str]) -> dict[str, Requirement]:
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def imports(*folders: Path) -> set[str]:
    """The packages that modules below these folders import from elsewhere, wherever in the file."""
    names: set[str] = set()
    for folder in folders:
        for path in folder.rglob("*.py") if folder.is_dir() else [folder]:
            names |= set(re.findall(r"^ *(?:import|from) ([a-zA-Z_0-9]+)", path.read_text(), re.MULTILINE))
    names -= set(sys.stdlib_module_names) | {"score_following_game", "setuptools"}
    return {PACKAGE_OF.get(name, name) for name in names}


def test_the_plain_installation_has_what_everything_but_data_preparation_imports():
    package = ROOT / "score_following_game"
    preparation = {package / "data_preparation", package / "demo.py"}
    needed = imports(*(set(package.iterdir()) - preparation))
    assert needed - {"sounddevice", "av", "pynput", "pyroomacoustics"} == set(bounds(PROJECT["dependencies"]))
    only_preparation = imports(*preparation) - needed
    assert only_preparation == set(bounds(EXTRAS["prepare"]))


def test_requirements_pin_every_dependency_but_music21_at_least_at_its_lower_bound():
    pinned = pins("requirements.txt")
    chosen = [line for extra in ("prepare", "sound", "keys", "rooms", "tensorboard") for line in EXTRAS[extra]]
    allowed = bounds(PROJECT["dependencies"] + chosen)
    assert set(pinned) == set(allowed)
    for name, requirement in allowed.items():
        assert [bound.operator for bound in requirement.specifier] == [">="] and pinned[name] in requirement.specifier
    tools = set(bounds(EXTRAS["dev"])) - {"score-following-game"}
    assert tools | {"setuptools"} == set(pins("requirements-dev.txt"))


def test_the_extra_all_has_every_other_extra_for_users():
    (everything,) = map(Requirement, EXTRAS["all"])
    assert everything.extras == set(EXTRAS) - {"all", "dev"}


def test_conda_environment_takes_the_same_packages():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *packages, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.txt"]}
    assert {"pip", "fluidsynth"} <= set(packages)
    python = next(package for package in packages if package.startswith("python=")).split("=")[1]
    assert PROJECT["requires-python"] == f">={python}"


def test_the_version_is_in_the_changelog_and_the_citation():
    assert f"## {score_following_game.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == score_following_game.__version__


def test_a_missing_library_is_one_line_that_names_its_extra():
    require_libraries("reading", "prepare", "json", "yaml")
    assert missing_library("reading", "prepare", "json") == ""
    line = "reading needs no_such_library, which is not installed; pip install 'score_following_game[prepare]'"
    with pytest.raises(UserError, match=re.escape(line)):
        require_libraries("reading", "prepare", "json", "no_such_library")


HIDDEN = ("verovio", "resvg_py", "music21", "sounddevice", "av", "pynput", "pyroomacoustics", "tensorboard")
WITHOUT_OPTIONAL_LIBRARIES = f"""
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in {HIDDEN} else find(name, *rest)
from score_following_game.scripts import evaluate, play, prepare, train, watch
assert "matplotlib" not in sys.modules  # it takes a second, and not every command draws
for arguments in eval(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        prepare.main()
    except SystemExit as end:
        print(end.code)
"""


def test_only_the_commands_that_need_them_need_the_optional_libraries(tmp_path: Path):
    """In one process where they cannot be imported: every command's module, then two that need one."""
    tunes = str(ROOT / "score_following_game" / "bundled" / "tunes" / "test.abc")
    needing = [
        (["--source", tunes, "--destination", str(tmp_path)], "engraving needs verovio", "prepare"),
        (["music21", "--source", "ryansMammoth"], "the collection music21 needs music21", "corpora"),
    ]
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPTIONAL_LIBRARIES, repr([arguments for arguments, _, _ in needing])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert result.stdout == "2\n2\n"
    assert result.stderr.splitlines() == [
        f"error: {lack}, which is not installed; pip install 'score_following_game[{extra}]'" for _, lack, extra in needing
    ]


def test_the_command_to_continue_is_the_one_that_was_run(monkeypatch: pytest.MonkeyPatch):
    for program, alone, by_two in (
        ("sf_experiment.py", "python sf_experiment.py", "torchrun --nproc_per_node 2 sf_experiment.py"),
        ("/venv/bin/sfg-train", "sfg-train", "torchrun --nproc_per_node 2 --no-python sfg-train"),
        ("sfg-train.exe", "sfg-train", "torchrun --nproc_per_node 2 --no-python sfg-train"),
    ):
        monkeypatch.setattr(sys, "argv", [program, "--resume", "other"])
        assert distributed.command("--resume run") == f"{alone} --resume run"
        assert distributed.command("--resume run", 2) == f"{by_two} --resume run"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy (building leaves things behind), with a cache file in it."""
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    (source / "score_following_game" / "bundled" / "test_sample" / "tune.1.cache.npz").write_bytes(b"")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source],
        check=True,
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert "absent from the `packages` configuration" not in built.stdout + built.stderr
    shutil.rmtree(source)
    return folder


def test_wheel_and_sdist_are_complete(distributions: Path):
    check = [sys.executable, ROOT / ".ci" / "check_dist.py", distributions]
    assert subprocess.run(check, capture_output=True, text=True, check=True).stdout.endswith("are complete\n")


def test_a_wheel_finds_its_game_configs_tunes_and_sample(distributions: Path, tmp_path: Path):
    (wheel,) = distributions.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import score_following_game as s; assert s.__file__.startswith(sys.argv[1]), s.__file__\n"
        "from score_following_game.config import load_game_config, PACKAGE\n"
        "from score_following_game.data_processing.dataset import load_data_set\n"
        "print(len(load_data_set('test_sample', load_game_config('game_configs/nottingham.yaml'))),"
        " len(list((PACKAGE / 'bundled' / 'tunes').glob('*.abc'))))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout == "2 3\n"


def test_scripts_show_help_and_every_published_argument(run):
    published = (
        ("sf_experiment.py", set(settings_as_dict(Settings())) | {"resume"}),
        ("eval_score_following.py", {"net", "params", "data_set", "game_config", "trials", "csv", "json", "deterministic"}),
        ("test_score_following.py", {"net", "params", "data_set", "game_config", "dump_images", "piece", "video"}),
        ("environment_test.py", {"data_set", "game_config", "agent_type", "video"}),
        ("prepare_game_data.py", {"destination", "destination_dir", "source", "style", "jobs", "check", "split"}),
    )
    for script, arguments in published:
        text = run(script, "--help", afresh=True).stdout
        assert {name for name in arguments if f"--{name}" not in text} == set(), script


def test_published_defaults():
    defaults = settings_as_dict(Settings())
    assert (
        defaults
        | {
            "agent": "a2c",
            "net": "ScoreFollowingNet",
            "optim": "Adam",
            "optim_params": {"lr": 1e-4, "betas": [0.5, 0.999]},
            "max_grad_norm": None,
            "max_updates": 10**9,
            "patience": 100,
            "max_refinements": 1,
            "lr_multiplier": 0.1,
            "eval_interval": 5000,
            "log_interval": 100,
            "dump_interval": 100000,
            "eval_trials": 5,
            "n_worker": 16,
            "t_max": 15,
            "value_coef": 0.5,
            "entropy_coef": 0.05,
            "discounting": 0.9,
            "gae_lambda": 0.95,
            "ppo_epsilon": 0.2,
            "ppo_epochs": 4,
            "batch_size": 32,
            "prioritized_sampling": False,
            "log_root": "runs",
            "param_root": "params",
            "train_set": "test_sample",
            "eval_set": "test_sample",
            "game_config": "game_configs/nottingham.yaml",
            "no_log": False,
            "seed": 4711,
            "ini_params": None,
            "random_start": 0.0,
        }
        == defaults
    )


def test_the_sound_libraries_are_imported_without_a_word():
    """pyfluidsynth prints where its library is when CI is set; the output of the scripts is exact."""
    code = "from score_following_game.data_processing import midi_library as m; assert m.fluidsynth and m.pretty_midi"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout == ""
