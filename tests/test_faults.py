"""Full disks, lost streams, kills and doubled runs: one line, the old file kept, nothing trained lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, hears_hang_ups
from learning_tools import fresh_network
from matplotlib.figure import Figure

from score_following_game.agents.parameters import load_parameters
from score_following_game.agents.torch_files import write_torch
from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_preparation.building.build import write_left_out
from score_following_game.data_preparation.building.records import Record, Records
from score_following_game.data_preparation.building.selection import LeftOut
from score_following_game.data_preparation.engraving.isolation import run_isolated
from score_following_game.data_processing.manifest import Manifest, write_manifest
from score_following_game.data_processing.score_npz import read_score, write_score
from score_following_game.errors import UserError
from score_following_game.evaluation.metrics import AlignmentStats
from score_following_game.evaluation.plots import write_figure
from score_following_game.files import WriteError, locked, remove_leftovers, replacing
from score_following_game.reinforcement_learning.curves import Curves
from score_following_game.reinforcement_learning.logger import add_to_curve, last_update
from score_following_game.reinforcement_learning.run_directory import create_run_directory, save_parameters
from score_following_game.reinforcement_learning.settings import settings_from
from score_following_game.reinforcement_learning.trainer import Trainer
from score_following_game.run_files import BEST_MODEL_FILE, CHECKPOINT_FILE, CURVE_FILE
from score_following_game.yaml_files import write_yaml

pytestmark = pytest.mark.needs("linux")
Write = Callable[[Path, Path], None]  # (the file, a folder with the piece tune)
STATS = AlignmentStats(*[0.5] * len(AlignmentStats.__dataclass_fields__))


def write_picture(path: Path, folder: Path) -> None:
    figure = Figure()
    figure.subplots().plot([1, 2])
    write_figure(figure, path)


WRITERS: dict[str, Write] = {
    "score.npz": lambda path, folder: write_score(path, read_score(folder / "tune.npz")),
    "net.pt": lambda path, folder: write_torch(path, {"a": torch.ones(5000)}),
    "best.pt": lambda path, folder: save_parameters(torch.nn.Linear(70, 70), path),
    "config.yaml": lambda path, folder: write_yaml(path, {str(key): key for key in range(100)}),
    "learning_curve.csv": lambda path, folder: add_to_curve(path, 1, 2, 3.0, STATS),
    "left_out.csv": lambda path, folder: write_left_out(path, [LeftOut("a", "b", "c", "d")] * 200),
    "prepared.json": lambda path, folder: Records(path.parent, {"a": Record("x" * 3000, "y")}).save(),
    "manifest.json": lambda path, folder: write_manifest(path.parent, Manifest("a", {"x": "y" * 3000}, {}, {})),
    "plot.png": write_picture,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_fills_at_any_byte_keeps_the_old_file(folder: Path, tmp_path: Path, name: str):
    """The kernel refuses to write beyond a size, which stands for a full disk; each size is a call of write that fails."""
    write, path = WRITERS[name], tmp_path / "out" / name
    path.parent.mkdir()
    write(path, folder)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    size = max(map(len, before.values()))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in sorted({0, 1, size - 1, *range(0, size, max(1, size // 7))}):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        try:
            with pytest.raises(WriteError) as caught:
                write(path, folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert "cannot be written (File too large); what was there before is kept" in str(caught.value)
        assert {file.name: file.read_bytes() for file in path.parent.iterdir()}.keys() == before.keys()
        assert path.read_bytes() == before[name]


def test_curves_of_tensorboard_end_in_one_line_and_not_in_a_thread(tmp_path: Path):
    curves = Curves(tmp_path)
    curves.add_scalar("a", 1.0, 1)
    curves.flush()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, most))
    try:
        with pytest.raises(WriteError, match="TensorBoard log cannot be written"):
            for step in range(10_000):
                curves.add_scalar("a", 1.0, step)
                curves.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def test_names_of_255_bytes_and_of_no_encoding_are_written(tmp_path: Path):
    for name in ("x" * 251 + ".npz", "ü" * 125 + ".a", os.fsdecode(b"\xff\xfe.csv")):
        with replacing(tmp_path / name) as temporary:
            temporary.write_bytes(b"1")
        assert (tmp_path / name).read_bytes() == b"1"
    with pytest.raises(WriteError, match="cannot be written"), replacing(tmp_path / ("x" * 256)):
        pass


def test_leftovers_of_a_killed_save_are_removed_and_nothing_else(tmp_path: Path):
    left = [tmp_path / ".checkpoint.abcd1234.pt", tmp_path / ".best_model.________.pt"]
    kept = [tmp_path / ".checkpoint.pt", tmp_path / "checkpoint.pt", tmp_path / ".checkpoint.abcd1234.txt"]
    for path in (*left, *kept):
        path.touch()
    remove_leftovers(tmp_path / "checkpoint.pt", tmp_path / "best_model.pt")
    assert not any(path.exists() for path in left) and all(path.exists() for path in kept)


PRINTING = """
import sys
from score_following_game.command_line import script
with script():
    for number in range(20000):
        print("line é", number, flush=True)
"""


@pytest.mark.parametrize(
    ("redirection", "code", "message"),
    [
        ("| head -n 1 >/dev/null; exit ${PIPESTATUS[0]}", 141, ""),
        (">/dev/full", 2, "error: standard output cannot be written (No space left on device)\n"),
        (">&-", 0, ""),
        (">/dev/null 2>&-", 0, ""),
    ],
)
def test_a_lost_standard_output_is_never_a_traceback(redirection: str, code: int, message: str):
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {redirection}', sys.executable, PRINTING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, message)


def look(name: str) -> str:
    import colorsys  # a module that nothing has imported yet

    return colorsys.__file__


def test_children_do_not_run_files_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("multiprocessing", "colorsys"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    (outcome,) = run_isolated(look, ["a"], time_limit=60)
    assert outcome.value is not None and str(tmp_path) not in outcome.value
    assert not (tmp_path / "run").exists() and "PYTHONSAFEPATH" not in os.environ


@pytest.mark.parametrize("damage", ["nan", "huge", "whole", "expanded", "sparse"])
def test_damaged_weights_are_refused_by_whoever_loads_them(tmp_path: Path, config: GameConfig, damage: str):
    network = fresh_network(config)
    state = dict(network.state_dict())
    weight = state["concat_fc.weight"].clone()
    state["concat_fc.weight"] = {
        "nan": weight.index_fill(0, torch.tensor([0]), float("nan")),
        "huge": weight.index_fill(0, torch.tensor([0]), 1e30),
        "whole": weight.long(),
        "expanded": torch.zeros(1).expand(weight.shape),
        "sparse": weight.to_sparse(),
    }[damage]
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"net.pt: ") as caught:
        load_parameters(network, tmp_path / "net.pt")
    assert len(str(caught.value)) < 400


def test_parameters_are_written_twice_and_byte_for_byte_alike(tmp_path: Path, config: GameConfig):
    network = fresh_network(config)
    for name in ("a", "b"):
        save_parameters(network, tmp_path / f"{name}.pt")
    for suffix in (".pt", ".safetensors"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
        other = fresh_network(config)
        torch.nn.init.zeros_(other.concat_fc.weight)
        load_parameters(other, tmp_path / f"a{suffix}")
        assert torch.equal(other.concat_fc.weight, network.concat_fc.weight)


def make_trainer(directory: Path, data_set: Path, resume: bool = False) -> Trainer:
    torch.manual_seed(1)
    values = {"train_set": str(data_set), "eval_set": str(data_set), "n_worker": 2, "t_max": 3, "eval_interval": 2}
    settings = settings_from({**values, "max_updates": 3, "eval_trials": 1, "no_log": True, "param_root": str(directory)})
    config = load_game_config(settings.game_config)
    if resume:
        return Trainer(settings, config, next(directory.iterdir()), resume=True)
    trainer = Trainer(settings, config)
    trainer.directory = create_run_directory(settings, config)
    return trainer


def in_a_fork(work: Callable[[], None]) -> int:
    """Run work in a forked process. Returns its status; 0 if it ended well."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def train_and_be_killed(directory: Path, data_set: Path, at: int) -> None:
    replaced, count = os.replace, 0

    def replace_or_die(source: str, target: str) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        replaced(source, target)

    trainer = make_trainer(directory, data_set)
    os.replace = replace_or_die  # type: ignore[assignment]
    trainer.train()


@pytest.mark.slow
def test_a_run_killed_at_any_file_ends_as_if_it_had_not_been(tmp_path: Path, data_set: Path):
    """At every file that is renamed: checkpoints, the best parameters, their score and the learning curve."""
    torch.set_num_threads(1)
    make_trainer(tmp_path / "whole", data_set).train()
    (whole,) = (tmp_path / "whole").iterdir()
    for at in range(1, 100):
        root = tmp_path / f"killed{at}"
        status = in_a_fork(lambda: train_and_be_killed(root, data_set, at))  # noqa: B023  (it ends within the loop)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        (directory,) = root.iterdir()
        if not (directory / CHECKPOINT_FILE).exists():
            continue  # killed at the first file: there was nothing to lose
        try:
            make_trainer(root, data_set, resume=True).train()
        except UserError as error:
            assert "this run is done" in str(error)
        for name in (BEST_MODEL_FILE, BEST_MODEL_FILE.replace(".pt", ".safetensors")):
            assert (directory / name).read_bytes() == (whole / name).read_bytes(), (at, name)
        assert last_update(directory / CURVE_FILE) == 3
    assert 8 < at < 99


@pytest.mark.slow
def test_a_run_is_resumed_once_and_a_hang_up_saves_it(run, data_set: Path, tmp_path: Path):
    arguments = ["--train_set", data_set, "--eval_set", data_set, "--param_root", tmp_path, "--no_log", "--threads", 1]
    process = subprocess.Popen(
        [sys.executable, ROOT / "sf_experiment.py", *map(str, arguments), "--n_worker", "2", "--t_max", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears_hang_ups,
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("*/checkpoint.pt")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.1)
    (directory,) = tmp_path.iterdir()
    second = run("sf_experiment.py", "--resume", directory, check=False)
    assert (second.returncode, second.stdout) == (2, "")
    assert "another run is at work there" in second.stderr and second.stderr.count("\n") == 1
    process.send_signal(signal.SIGHUP)
    printed, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "") and "Stopped after update" in printed


def test_a_lock_file_is_neither_followed_nor_removed(tmp_path: Path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match="cannot be opened to lock"), locked(tmp_path / "a"):
        pass
    assert (tmp_path / "precious").read_text() == "mine"
    with locked(tmp_path):
        pass
    assert (tmp_path / ".lock").exists()


def test_a_checkpoint_that_lacks_a_part_is_one_line(tmp_path: Path, data_set: Path):
    trainer = make_trainer(tmp_path, data_set)
    trainer.save_checkpoint()
    (directory,) = tmp_path.iterdir()
    whole = torch.load(directory / CHECKPOINT_FILE, weights_only=True)
    for part in whole.keys() - {"version"}:
        for damaged in ({key: value for key, value in whole.items() if key != part}, whole | {part: "x"}):
            torch.save(damaged, directory / CHECKPOINT_FILE)
            with pytest.raises(UserError, match=r"checkpoint.pt: "):
                make_trainer(tmp_path, data_set, resume=True)


def test_rewarded_frames_are_those_within_the_window(bank, config: GameConfig):
    from score_following_game.environment.score_bank import ScoreBank

    window = ScoreBank(bank.pieces, replace(config, reward_window=2))
    for index, piece in enumerate(bank.pieces):
        frames = np.arange(int(piece.onset_frames[-1]) + 1)
        near = np.abs(frames[:, None] - piece.onset_frames).min(axis=1) <= 2
        begin = int(window.frame_offset[index])
        assert np.array_equal(window.rewarded[begin : begin + len(frames)].numpy(), near)
