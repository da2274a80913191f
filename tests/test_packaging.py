"""What is written down twice on purpose: versions, the conda environment, the README's promises."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml
from conftest import ROOT

import score_following_game
from score_following_game.reinforcement_learning.settings import Settings, settings_as_dict

WANTED = (
    "torch",
    "numpy",
    "scipy",
    "librosa",
    "pretty_midi",
    "pyfluidsynth",
    "opencv-python",
    "PyYAML",
    "tensorboardX",
    "tensorboard",
    "pynput",
    "tqdm",
    "gymnasium",
    "verovio",
)


def requirements() -> dict[str, str]:
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def test_requirements_are_exact_and_complete():
    found = requirements()
    assert set(WANTED) <= set(found)
    imported = set()
    for path in [*ROOT.glob("*.py"), *(ROOT / "score_following_game").rglob("*.py")]:
        imported |= set(re.findall(r"^ *(?:import|from) ([a-zA-Z_0-9]+)", path.read_text(), re.MULTILINE))
    names = {
        "cv2": "opencv-python",
        "yaml": "PyYAML",
        "fluidsynth": "pyfluidsynth",
        "imageio_ffmpeg": "imageio-ffmpeg",
        "fontTools": "fonttools",
    }
    ours = {"score_following_game", "setuptools"}
    foreign = {names.get(name, name) for name in imported - set(sys.stdlib_module_names) - ours}
    assert foreign <= set(found), foreign - set(found)


def test_conda_environment_takes_the_same_packages():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *packages, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.txt"]}
    assert {"pip", "fluidsynth"} <= set(packages)
    python = next(package for package in packages if package.startswith("python=")).split("=")[1]
    required = re.search(r'python_requires=">=([\d.]+)"', (ROOT / "setup.py").read_text())[1]
    assert python == required


def test_the_version_is_in_the_changelog():
    assert f"## {score_following_game.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_setup_py_packs_everything_that_is_needed(tmp_path: Path):
    """A wheel, installed elsewhere, finds its game configs, tunes and sample."""
    source = tmp_path / "source"  # building leaves things behind
    for folder in ("score_following_game", "game_configs", "models"):
        shutil.copytree(ROOT / folder, source / folder)
    for file in ("setup.py", "pyproject.toml", "requirements.txt", "README.md"):
        shutil.copy(ROOT / file, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source],
        check=True,
        timeout=120,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".cache.npz")]
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, tmp_path / "site"], check=True)
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
        text = run(script, "--help").stdout
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
    """pyfluidsynth tells on stdout where its library is where CI is set; what the scripts print is exact."""
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
