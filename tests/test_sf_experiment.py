"""The real training script: determinism, exact resume, the files of a run, and every way it can stop or be refused."""

import csv
import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT
from small_piece import write_small_piece
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from score_following_game.agents.networks import network_for
from score_following_game.agents.parameters import load_parameters
from score_following_game.config import load_game_config

SMALL = ("--n_worker", 4, "--t_max", 5, "--log_interval", 2, "--eval_interval", 5, "--eval_trials", 1, "--threads", 1)


def train(run, data_set: Path, root: Path, *arguments: object, **options: bool) -> Path:
    """Run the real script and return its run directory. options: of `run`."""
    result = run(
        "sf_experiment.py",
        "--train_set",
        data_set,
        "--eval_set",
        data_set,
        "--param_root",
        root / "params",
        "--log_root",
        root / "runs",
        *SMALL,
        *arguments,
        **options,
    )
    return Path(result.stdout.split("Run directory: ")[1].splitlines()[0])


def parameters(directory: Path) -> dict[str, torch.Tensor]:
    return torch.load(directory / "checkpoint.pt", weights_only=True)["network"]


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    "options",
    [
        ("--agent", "a2c"),
        ("--agent", "ppo", "--anneal_steps", 100, "--final_lr", 1e-5, "--final_entropy_coef", 1e-3),
        ("--preset", "fast", "--anneal_steps", 100, "--memory", 64),
    ],
)
def test_same_seed_same_result_and_resume_is_exact(run, tmp_path: Path, options: tuple):
    data_set = tmp_path / "tunes"
    for name, notes in (("a", 4), ("b", 6)):
        write_small_piece(data_set, name, notes=notes)
    options = (*options, "--random_start", 0.5, "--prioritized_sampling", "--eval_interval", 3)
    whole = train(run, data_set, tmp_path, *options, "--max_updates", 7)
    again = train(run, data_set, tmp_path, *options, "--max_updates", 7, afresh=True)
    other = train(run, data_set, tmp_path, *options, "--max_updates", 7, "--seed", 5)
    assert equal(parameters(whole), parameters(again))
    assert not equal(parameters(whole), parameters(other))
    half = train(run, data_set, tmp_path, *options, "--max_updates", 4)
    assert not equal(parameters(whole), parameters(half))
    run("sf_experiment.py", "--resume", half, "--max_updates", 7)
    assert equal(parameters(whole), parameters(half))
    curves = [
        {row["update"]: row["global_tracking_ratio"] for row in csv.DictReader((directory / "learning_curve.csv").open())}
        for directory in (whole, half)
    ]
    assert list(curves[0]) == ["3", "6", "7"]
    assert list(curves[1]) == ["3", "4", "6", "7"]  # each sitting ends with an evaluation
    assert all(curves[0][update] == curves[1][update] for update in ("3", "6", "7"))


def test_a_run_leaves_the_documented_files_and_curves(run, data_set: Path, tmp_path: Path):
    directory = train(run, data_set, tmp_path, "--max_updates", 10, "--dump_interval", 4)
    assert {path.name for path in directory.iterdir()} == {
        ".lock",
        "config.yaml",
        "game_config.yaml",
        "checkpoint.pt",
        "best_model.pt",
        "best_model.safetensors",
        "best_model.yaml",
        "learning_curve.csv",
        *(f"model_update_{update}.{end}" for update in (4, 8) for end in ("pt", "safetensors")),
    }
    events = EventAccumulator(str(tmp_path / "runs" / directory.name)).Reload()
    scalars = {tag: events.Scalars(tag) for tag in events.Tags()["scalars"]}
    assert set(scalars) == {
        "training/avg_reward",
        "training/policy_loss",
        "training/value_loss",
        "training/entropy",
        "training/learn_rate",
        "training/steps",
        "charts/steps_per_second",
        "training/gradient_norm",
        "training/explained_variance",
        "policy/probability_-0.5",
        "policy/probability_0",
        "policy/probability_0.5",
        "episodes/length",
        "episodes/lost_ahead",
        "episodes/lost_behind",
        "episodes/finished",
        "eval/alignment_errors_mean",
        "eval/alignment_errors_median",
        "eval/alignment_errors_std",
        "eval/tracking_ratios_mean",
        "eval/global_tracking_ratio",
        "eval/tracked_until_end_ratio",
    }
    assert [point.step for point in scalars["training/steps"]] == [1, 2, 3, 4, 5]
    assert scalars["training/steps"][-1].value == 10 * 4 * 5
    assert 0 < scalars["training/entropy"][0].value <= math.log(3) + 1e-6
    assert [point.step for point in scalars["eval/global_tracking_ratio"]] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--net", "Nothing"), "network Nothing: no such network"),
        (("--game_config", "game_configs/none.yaml"), "no such game config"),
        (("--train_set", "no/where"), "no/where: no such folder"),
        (("--game_config", "game_configs/nottingham_continuous.yaml"), "the game config is continuous"),
        (("--ini_params", "none.pt"), "none.pt: no such parameter file"),
        (("--device", "cuda:9"), "--device cuda:9"),
        (("--threads", "0"), "--threads 0"),
        (("--seed", "-1"), "--seed -1"),
        (("--optim", "SparseAdam", "--optim_params", "{lr: 0.001}"), "--optim SparseAdam with --optim_params {'lr'"),
        (("--log_root", "/proc/none"), "/proc/none: cannot be made a folder"),
        (("--resume", "no/run"), "--resume no/run: holds no checkpoint.pt"),
        (("--resume", ""), "--resume .: holds no checkpoint.pt"),
        (("--optim_params", "lr"), "--optim_params lr: expected YAML"),
        (("--optim_params", "{betas: [0.5, a]}"), "contains something other than numbers"),
        (("--optim_params", "{lr: 1e-4, capturable: true}"), "cannot train a network here"),
        (("--n_worker", "x"), "argument --n_worker: 'x' is not a number; see sf_experiment.py --help"),
        (("--n_worker", "1e13"), "--n_worker 10000000000000 must be below 2147483648"),
        (("--max_updates", "0"), "--max_updates 0 must be at least 1"),
        (("--max_minutes", "-1"), "--max_minutes -1.0 must be above 0"),
        (("--threads", "100000"), "--threads 100000 must be at most 512"),
    ],
)
def test_a_users_mistake_is_one_line_and_leaves_nothing(run_here, data_set: Path, tmp_path: Path, arguments, message: str):
    result = run_here(
        "sf_experiment.py",
        "--train_set",
        data_set,
        "--eval_set",
        data_set,
        "--param_root",
        tmp_path / "params",
        "--log_root",
        tmp_path / "runs",
        *arguments,
    )
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_resume_refuses_changes(run, run_here, tmp_path: Path):
    """Another argument, an edited config.yaml, a changed piece, a finished run: each error names its cause."""
    tunes = tmp_path / "tunes"
    for name in "ab":
        write_small_piece(tunes, name)
    directory = train(run, tunes, tmp_path, "--max_updates", 1)
    config_file = directory / "config.yaml"
    settings = yaml.safe_load(config_file.read_text())

    def refused(*arguments: object) -> str:
        result = run_here("sf_experiment.py", "--resume", directory, *arguments)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1), result.stderr
        return result.stderr

    assert "leave out --n_worker" in refused("--n_worker", 8)
    assert "this run is done after update 1; give a larger --max_updates" in refused()
    config_file.write_text(yaml.safe_dump(settings | {"t_max": 6}))
    assert f"{config_file}: t_max is 6 and was 5 when the run was stopped" in refused("--max_updates", 2)
    config_file.unlink()
    assert "config.yaml: no such file" in refused("--max_updates", 2)
    config_file.write_text(yaml.safe_dump(settings))
    config_file.write_text(yaml.safe_dump(settings | {"eval_set": "test_sample"}))
    assert "the pieces of test_sample have changed" in refused("--max_updates", 2)
    config_file.write_text(yaml.safe_dump(settings))
    midi = (tunes / "b.mid").read_bytes()
    moved = tmp_path / "moved"
    tunes.rename(moved)
    assert "/tunes: " in refused("--max_updates", 2)
    run("sf_experiment.py", "--resume", directory, "--train_set", moved, "--eval_set", moved, "--max_updates", 2)
    moved.rename(tunes)
    (tunes / "b.mid").write_bytes(midi.replace(b"\x5a", b"\x10"))  # softer: the same onsets, another sound
    assert (tunes / "b.mid").read_bytes() != midi
    assert "the first that differs: b" in refused("--max_updates", 3)
    write_small_piece(tunes, "b", notes=5)
    assert "the first that differs: b" in refused("--max_updates", 3)


def test_a_run_whose_refinements_are_used_up_says_so(run, run_here, data_set: Path, tmp_path: Path):
    directory = train(
        run, data_set, tmp_path, "--max_updates", 50, "--eval_interval", 1, "--patience", 1, "--max_refinements", 0
    )
    result = run_here("sf_experiment.py", "--resume", directory, "--max_updates", 99)
    assert result.returncode == 2
    assert f"its refinements are used up; start a new run with --ini_params {directory / 'best_model.pt'}" in result.stderr


def test_divergence_stops_and_keeps_the_last_good_checkpoint(run, data_set: Path, tmp_path: Path):
    result = run(
        "sf_experiment.py",
        "--train_set",
        data_set,
        "--eval_set",
        data_set,
        "--param_root",
        tmp_path,
        "--no_log",
        *SMALL,
        "--optim",
        "SGD",
        "--optim_params",
        "{lr: 1e30}",
        check=False,
    )
    assert result.returncode == 2
    assert re.search(
        r"training diverged after update \d+: .*; the parameters of update \d+ are saved: --ini_params "
        r".*checkpoint.pt starts a new run from them",
        result.stderr,
    )
    (directory,) = tmp_path.iterdir()
    assert all(value.isfinite().all() for value in parameters(directory).values())
    again = network_for("ScoreFollowingNet", load_game_config("nottingham.yaml"))
    load_parameters(again, directory / "checkpoint.pt")
    assert equal(parameters(directory), again.state_dict())


def test_unusable_parameters_are_neither_evaluated_nor_saved(run, data_set: Path, tmp_path: Path):
    """The step itself is finite here, but the network's output afterwards is not."""
    result = run(
        "sf_experiment.py",
        "--train_set",
        data_set,
        "--eval_set",
        data_set,
        "--param_root",
        tmp_path,
        "--no_log",
        *SMALL,
        "--optim",
        "SGD",
        "--optim_params",
        "{lr: 1e38}",
        "--max_updates",
        1,
        check=False,
    )
    assert result.returncode == 2
    assert "training diverged after update 1: the network's output is not finite (the update before: policy" in result.stderr
    (directory,) = tmp_path.iterdir()
    assert torch.load(directory / "checkpoint.pt", weights_only=True)["updates"] == 0
    assert torch.load(directory / "best_model.pt", weights_only=True)["policy_out.bias"].eq(0).all()


def test_resuming_keeps_the_best_model_so_far(run, data_set: Path, tmp_path: Path):
    directory = train(run, data_set, tmp_path, "--max_updates", 2)
    best = yaml.safe_load((directory / "best_model.yaml").read_text())
    assert best["update"] == 2
    (directory / "best_model.yaml").write_text(yaml.safe_dump(best | {"global_tracking_ratio": 2.0}))
    before = (directory / "best_model.pt").read_bytes()
    done = run("sf_experiment.py", "--resume", directory, check=False)
    assert (done.returncode, "this run is done after update 2" in done.stderr) == (2, True)
    run("sf_experiment.py", "--resume", directory, "--max_updates", 7, cwd=tmp_path)  # from another folder, too
    assert (directory / "best_model.pt").read_bytes() == before


def test_interrupting_saves_and_prints_the_resume_command(data_set: Path, tmp_path: Path):
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "sf_experiment.py"),
            "--train_set",
            str(data_set),
            "--eval_set",
            str(data_set),
            "--param_root",
            str(tmp_path),
            "--no_log",
            *map(str, SMALL[:-4]),
            "--eval_interval",
            "100000",
            "--threads",
            "1",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    seen = ""
    while "Updates 4" not in seen:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    (directory,) = tmp_path.iterdir()
    assert f"resume with: python sf_experiment.py --resume {directory}" in rest
    assert (directory / "best_model.pt").exists()
    updates = int(rest.split("Stopped after update ")[1].split(";")[0])
    assert torch.load(directory / "checkpoint.pt", weights_only=True)["updates"] == updates >= 4
    assert f"No evaluation yet: best_model.pt holds the parameters of update {updates}" in rest
    assert equal(parameters(directory), torch.load(directory / "best_model.pt", weights_only=True))
