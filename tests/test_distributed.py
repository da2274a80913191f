"""Training by two processes: as torchrun starts them (two_processes.py), and under the real torchrun, where it has a part.

Run by two processes, this file is what they do in the first of the tests.
"""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from conftest import ROOT, Run

from score_following_game.agents.networks import network_for
from score_following_game.agents.shipped import shipped_agents
from score_following_game.command_line import script
from score_following_game.config import load_game_config
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.game import GameState
from score_following_game.environment.observation import Position
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import StartSampler
from score_following_game.errors import UserError
from score_following_game.reinforcement_learning.algorithms.table import ALGORITHMS
from score_following_game.reinforcement_learning.optimiser import make_optimiser
from score_following_game.reinforcement_learning.processes import distributed, process_group
from score_following_game.reinforcement_learning.processes.process_group import GroupBroken, joined
from score_following_game.reinforcement_learning.rollouts.collector import RolloutCollector
from score_following_game.reinforcement_learning.rollouts.rollout import Rollout
from score_following_game.reinforcement_learning.settings import settings_from
from score_following_game.reinforcement_learning.trainer import Trainer

pytestmark = pytest.mark.needs("linux")  # finds the processes of torchrun in /proc

BY_TWO = ("tests/two_processes.py",)
GAMES, STEPS = 6, 5
ADVANTAGES = torch.arange(7.0) ** 2
SMALL = (
    "--train_set",
    "test_sample",
    "--eval_set",
    "test_sample",
    "--n_worker",
    "4",
    "--t_max",
    "5",
    "--log_interval",
    "2",
    "--eval_trials",
    "1",
)


def torchrun(program: object, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2, program, *arguments]
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Run as a script, this file does not have the path that pytest adds.
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )


def errors(stderr: str) -> list[str]:
    """The lines of our scripts among torchrun's own."""
    return [line for line in stderr.splitlines() if line.startswith("error: ")]


def updated(agent: str, rollout: Rollout, bank: ScoreBank) -> dict[str, torch.Tensor]:
    """Parameters after one update: of the whole rollout, or together with the other process."""
    torch.manual_seed(0)
    network = network_for("ScoreFollowingNet", bank.config)
    # Adam would blow up the rounding of gradients of about 0.
    settings = settings_from(
        {
            "agent": agent,
            "ppo_epochs": 1,
            "n_worker": GAMES,
            "t_max": STEPS,
            "max_grad_norm": 0.5,
            "optim": "SGD",
            "optim_params": {"lr": 1.0},
        }
    )
    optimiser = make_optimiser(settings.optim, settings.optim_params, network.parameters())
    generator = torch.Generator().manual_seed(distributed.rank())
    ALGORITHMS[agent].learner(network, optimiser, bank, settings, torch.float32, generator).update(rollout)
    return network.state_dict()


def half_of(whole: Rollout, rank: int) -> Rollout:
    own = slice(rank * GAMES // 2, (rank + 1) * GAMES // 2)
    positions = Position(*(values.view(STEPS, GAMES)[:, own].flatten() for values in whole.positions))
    states = GameState(positions, whole.states.speed.view(STEPS, GAMES)[:, own].flatten())
    columns = {name: getattr(whole, name)[:, own] for name in ("actions", "log_probabilities", "values", "rewards", "masks")}
    return replace(whole, states=states, last_state=whole.last_state.at(own), last_values=whole.last_values[own], **columns)


def train(folder: Path, updates: int, resume: bool = False, **more: object) -> Trainer:
    """With an evaluation, and so a refinement, every other update."""
    torch.manual_seed(1)
    settings = settings_from(
        {
            "n_worker": 3,
            "t_max": 4,
            "max_updates": updates,
            "eval_interval": 2,
            "log_interval": 3,
            "eval_trials": 1,
            "patience": 1,
            "max_refinements": 9,
            "no_log": True,
            "random_start": 0.5,
            "optim_params": {"lr": 1e-3},
            **more,
        }
    )
    folder.mkdir(exist_ok=True)
    trainer = Trainer(settings, load_game_config("nottingham.yaml"), folder, resume)
    trainer.train()
    return trainer


def work(folder: Path) -> None:
    """What each of two processes does; leaves `<rank>.pt` in the folder, and ends by a mistake of the second one's."""
    torch.set_num_threads(1)
    rank = distributed.rank()
    config = load_game_config("nottingham.yaml")
    bank = ScoreBank(load_data_set("test_sample", config), config)
    kept = torch.load(folder / "rollout.pt", weights_only=True)
    states, last = (GameState(Position(*values[:-1]), values[-1]) for values in (kept.pop("states"), kept.pop("last_state")))
    whole = Rollout(states, last_state=last, **kept)
    found = {agent: updated(agent, half_of(whole, rank), bank) for agent in ("a2c", "ppo")}
    found["mean_and_std"] = distributed.mean_and_std(ADVANTAGES[:3] if rank else ADVANTAGES[3:])
    trainer = train(folder / "whole", 8)
    found["whole"] = {"network": trainer.network.state_dict(), "x": trainer.collector.game.x, "lr": _learn_rate(trainer)}
    train(folder / "half", 4)
    trainer = train(folder / "half", 8, resume=True)
    found["resumed"] = {"network": trainer.network.state_dict(), "x": trainer.collector.game.x, "lr": _learn_rate(trainer)}
    trainer = train(folder / "lookahead", 4, agent="lookahead", memory=50, averaging=0.5, batch_size=1)
    found["lookahead"] = {
        "network": trainer.network.state_dict(),
        "critic": trainer.learner.critic.state_dict(),
        "average": trainer.judged.state_dict(),
    }
    found["threads"] = distributed.share_of_cores(None)
    for name, values in (("settings", {"t_max": rank}), ("missing", {} if rank else {"tune": 1})):
        with pytest.raises(UserError) as caught:
            distributed.require_same(lambda values=values: values)
        found[name] = str(caught.value)
    torch.manual_seed(rank)  # so that the first parameters differ
    with pytest.raises(UserError) as caught:
        Trainer(trainer.settings, config, folder)
    found["parameters"] = str(caught.value)
    torch.save(found, folder / f"{rank}.pt")
    if rank:
        raise UserError("no room on this machine")
    distributed.any_of(True)


def _learn_rate(trainer: Trainer) -> float:
    return trainer.optimiser.param_groups[0]["lr"]


def test_two_processes_train_one_agent(run: Run, tmp_path: Path):
    torch.set_num_threads(1)
    config = load_game_config("nottingham.yaml")
    bank = ScoreBank(load_data_set("test_sample", config), config)
    torch.manual_seed(0)
    network = network_for("ScoreFollowingNet", config)
    whole = RolloutCollector(bank, GAMES, network, StartSampler(bank, 3, 0.5), 3, torch.float32).collect(STEPS)
    kept = {field.name: getattr(whole, field.name) for field in fields(whole)}
    plain = {name: [*state.position, state.speed] for name, state in kept.items() if isinstance(state, GameState)}
    torch.save({**kept, **plain}, tmp_path / "rollout.pt")
    done = run(*BY_TWO, __file__, tmp_path, check=False)
    assert done.returncode == 2 and (tmp_path / "1.pt").exists(), done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))

    for agent in ("a2c", "ppo"):  # an update of the two halves is one of the whole
        for key, expected in updated(agent, whole, bank).items():
            assert torch.equal(first[agent][key], second[agent][key])
            torch.testing.assert_close(first[agent][key], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(first["mean_and_std"], (ADVANTAGES.mean(), ADVANTAGES.std()))
    assert first["mean_and_std"] == second["mean_and_std"]

    for kind in ("whole", "resumed"):  # parameters are the same, games are not; also after refinements
        assert_equal(first[kind]["network"], second[kind]["network"])
        assert first[kind]["lr"] == second[kind]["lr"] < 1e-3
        assert not torch.equal(first[kind]["x"], second[kind]["x"])
    for rank in (first, second):  # going on is as never having stopped
        assert_equal(rank["whole"]["network"], rank["resumed"]["network"])
        assert torch.equal(rank["whole"]["x"], rank["resumed"]["x"])
    for part in ("network", "critic", "average"):
        assert_equal(first["lookahead"][part], second["lookahead"][part])
    assert first["threads"] == max(1, len(os.sched_getaffinity(0)) // 2)
    # Steps are those of both processes' games; one of them writes.
    rows = list(csv.DictReader((tmp_path / "whole" / "learning_curve.csv").open()))
    assert [(row["update"], row["steps"]) for row in rows] == [(str(n), str(n * 3 * 4 * 2)) for n in (2, 4, 6, 8)]
    assert done.stdout.count("Done after update 8") == 2
    assert done.stdout.count("Done after update 4") == 2

    # What differs is reported by name, to all; a mistake of the second process's alone, by the first.
    assert first["settings"] == second["settings"]
    assert first["settings"].startswith("process 1 has t_max 1, process 0 0; give all the same arguments")
    assert first["missing"].startswith("process 1 has tune None, process 0 1")
    assert first["parameters"].startswith("process 1 has first parameters '")
    assert errors(done.stderr) == ["error: process 1: no room on this machine"]


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_ctrl_c_resume_and_a_lost_process(run_here, tmp_path: Path):
    process = torchrun(
        "sf_experiment.py",
        *SMALL,
        "--param_root",
        tmp_path / "params",
        "--log_root",
        tmp_path / "runs",
        "--eval_interval",
        100000,
    )
    printed = "".join(_until("Updates 4 ", process))
    process.send_signal(signal.SIGINT)
    rest, stderr = process.communicate(timeout=60)
    printed += rest
    (directory,) = (tmp_path / "params").iterdir()
    assert not errors(stderr), stderr
    for once in (f"Run directory: {directory}\n", "Updates 2 ", "Updates 4 ", "Stopped after update "):
        assert printed.count(once) == 1, printed
    assert f"resume with: torchrun --nproc_per_node 2 sf_experiment.py --resume {directory}\n" in printed
    updates = int(printed.split("Stopped after update ")[1].split(";")[0])
    checkpoint = torch.load(directory / "checkpoint.pt", weights_only=True)
    assert (checkpoint["updates"], len(checkpoint["processes"])) == (updates, 2)
    assert len(list((tmp_path / "runs" / directory.name).iterdir())) == 1

    alone = run_here("sf_experiment.py", "--resume", directory)
    assert alone.returncode == 2
    assert alone.stderr == (
        f"error: {directory / 'checkpoint.pt'}: comes from a run with 2 processes, not 1; resume with: torchrun "
        f"--nproc_per_node 2 sf_experiment.py --resume {directory}\n"
    )

    process = torchrun("sf_experiment.py", "--resume", directory)
    lines = list(_until("Updates ", process))
    assert int(re.search(r"Updates (\d+)", lines[-1])[1]) > updates
    os.kill(_process_of_rank(process, 1), signal.SIGKILL)
    rest, stderr = process.communicate(timeout=25)  # torchrun would kill after 30
    assert errors(stderr) == [
        f"error: process 1 of 2 was lost; resume from update {updates} with: torchrun --nproc_per_node 2 "
        f"sf_experiment.py --resume {directory}"
    ], stderr
    assert re.search(r"rank\s*: 1.*\n.*exitcode\s*: -9", stderr)
    assert "Stop" not in rest
    assert torch.load(directory / "checkpoint.pt", weights_only=True)["updates"] == updates


def _until(text: str, process: subprocess.Popen) -> Iterator[str]:
    for line in process.stdout:
        yield line
        if text in line:
            return
    raise AssertionError(f"{text!r} never came: {process.communicate()[1]}")


def _process_of_rank(torchrun_process: subprocess.Popen, rank: int) -> int:
    children = Path(f"/proc/{torchrun_process.pid}/task/{torchrun_process.pid}/children").read_text().split()
    (found,) = (int(child) for child in children if f"\0RANK={rank}\0" in Path(f"/proc/{child}/environ").read_text())
    return found


def test_a_users_mistake_is_reported_once(run: Run, tmp_path: Path):
    mistake = (*SMALL, "--param_root", tmp_path, "--no_log", "--ini_params", "none.pt")
    done = run(*BY_TWO, ROOT / "sf_experiment.py", *mistake, check=False)
    message = f"error: none.pt: no such parameter file; the agents that come with the project: {', '.join(shipped_agents())}"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message + "\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rank", "end"), [(0, GroupBroken("process 1: both find it")), (1, SystemExit(2))], ids=["first", "other"]
)
def test_a_signal_between_a_mistake_and_its_report(monkeypatch: pytest.MonkeyPatch, rank: int, end: BaseException):
    """The other process has ended with the same mistake, and torchrun's SIGTERM comes before signals are ignored."""
    store = torch.distributed.HashStore()
    store.set(f"status/{1 - rank}", f"{process_group.MISTAKE}both find it")
    for place in range(2):
        store.set(f"place/{place}", f"0 {os.getpid()}")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("GROUP_RANK", "0")
    monkeypatch.setattr(process_group, "_join", lambda: process_group.Group(rank, 2, store))
    coming = [KeyboardInterrupt()]

    def ignore_signals() -> None:
        if coming:
            raise coming.pop()

    monkeypatch.setattr(process_group, "_ignore_signals", ignore_signals)
    with pytest.raises((GroupBroken, SystemExit, KeyboardInterrupt)) as ended, joined():
        raise UserError("both find it")
    assert (ended.type, str(ended.value)) == (type(end), str(end))


if __name__ == "__main__":
    with script(), joined():
        work(Path(sys.argv[1]))
