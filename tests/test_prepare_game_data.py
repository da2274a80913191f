"""The real script: what it makes, what it says, how it ends."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
from ready_process import ROOT, run_script

from score_following_game.data_processing.score_npz import read_score
from score_following_game.scripts.prepare import main

DATA = Path(__file__).parent / "data"
BUNDLED = ROOT / "score_following_game" / "bundled"
TUNES = 20  # of a build that is stopped: enough to be busy with when the first three are made


def prepare(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return run_script("prepare_game_data.py", *arguments, cwd=cwd)


def test_own_scores(tmp_path: Path) -> None:
    """Pieces and check pictures are made; what is left out is counted and listed; again, nothing is made anew."""
    done = prepare("--source", DATA, "--destination_dir", tmp_path, "--check", "--jobs", 1)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("5 pieces from 8 sources (5 engraved in this run), ")
    assert lines[1:5] == [
        "3 left out:",
        "      1  too few notes",
        "      1  unreadable ABC",
        "      1  wrong number of staves",
    ]
    assert len((tmp_path / "left_out.csv").read_text().splitlines()) == 4
    assert len(list((tmp_path / "check").glob("*.png"))) == 5
    for path in tmp_path.glob("*.npz"):
        score = read_score(path)
        midi = pretty_midi.PrettyMIDI(str(path.with_suffix(".mid")))
        assert score.sheet.shape[0] == 40 and len(score.coords) == len(midi.instruments[0].notes)
    assert prepare("--source", DATA, "--destination", tmp_path).stdout.startswith("5 pieces from 8 sources (0 engraved")


@pytest.mark.needs("linux")  # terminals
def test_a_terminal_shows_that_scores_are_looked_for(tmp_path: Path) -> None:
    """A bar on stderr; one tune is one piece."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))  # a new one has no columns
    (tmp_path / "one.abc").write_text("\n\n".join((BUNDLED / "tunes" / "test.abc").read_text().split("\n\n")[:2]))
    command = [sys.executable, ROOT / "prepare_game_data.py", "--source", tmp_path / "one.abc", "--destination", tmp_path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=end, text=True, timeout=120, check=True)
    os.close(end)
    assert "looking for scores:   0%" in os.read(terminal, 10_000).decode()
    assert done.stdout.startswith("1 piece from 1 source (1 engraved in this run), ")
    os.close(terminal)


def test_split(tmp_path: Path) -> None:
    tunes = BUNDLED / "tunes" / "test.abc"
    done = prepare("--source", tunes, "--destination", tmp_path / "songs", "--split", "3/1/2", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert {folder.name: len(list(folder.glob("*.mid"))) for folder in (tmp_path / "songs").iterdir() if folder.is_dir()} == {
        "songs_train": 3,
        "songs_valid": 1,
        "songs_test": 2,
    }


def test_piano(tmp_path: Path) -> None:
    done = prepare("--source", DATA / "piano.mei", "--destination", tmp_path, "--style", "msmd", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert read_score(tmp_path / "piano.npz").sheet.shape[0] == 200


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_commands_are_named_as_the_user_starts_them(
    option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As an installed command, by `python -m` and as the script at the top level."""
    for program, expected in (
        ("/venv/bin/sfg-prepare", "sfg-prepare --destination"),
        (str(ROOT / "score_following_game" / "scripts" / "prepare.py"), "sfg-prepare --destination"),
        (str(ROOT / "prepare_game_data.py"), "python prepare_game_data.py --destination"),
    ):
        monkeypatch.setattr(sys, "argv", [program, option])
        with contextlib.suppress(SystemExit):  # after --help
            main()
        printed = capsys.readouterr().out
        assert expected in printed
        assert expected.startswith("python") == ("python prepare" in printed) == ("sfg-prepare" not in printed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nottingham",), "error: --source is missing; nottingham needs the folder of its ABC files"),
        (("nottingam",), "error: argument COLLECTION: invalid choice: 'nottingam'"),
        (
            ("msmd", "--source", DATA),
            f"error: {DATA}: has neither the collection's scores as they are distributed nor the file pieces.json",
        ),
        (("music21", "--source", "no_such_corpus"), "error: "),
        (("--source", DATA / "song.krn", "--tempo", "0.9,fast"), "error: --tempo 0.9,fast: expected numbers from 0.25 to 4"),
        (("--source", DATA / "song.krn", "--sound_font", DATA / "song.krn"), f"error: {DATA / 'song.krn'}: not a SoundFont"),
        (("--source", DATA / "song.krn", "--audio", "no_such/folder"), "error: "),
        (("--verify", "no_such/folder"), "error: --verify no_such/folder: no such folder"),
        (("--verify", DATA), f"error: --verify {DATA}: no manifest.json below it"),
        (("--source", "no_such/tune.abc"), "error: no_such/tune.abc: no such file or folder"),
        (("--source", DATA / "song.krn", "--split", "half"), "error: --split half"),
        (("--source", DATA / "song.krn", "--jobs", "0"), "error: --jobs 0"),
        (("--source", DATA / "song.krn", "--min_seconds", "9", "--max_seconds", "8"), "error: --min_seconds 9"),
        (("--source", DATA / "song.krn", "--min_seconds", "nan"), "error: --min_seconds nan"),
        (("--source", DATA / "song.krn", "--style", "msmd"), "error: the source did not become a piece"),
        (("--source", DATA / "song.krn", "--destination", DATA / "song.krn"), "error: --destination"),
    ],
)
def test_mistakes(tmp_path: Path, arguments: tuple[object, ...], message: str) -> None:
    """One line on stderr, exit code 2."""
    done = prepare(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(message) and done.stderr.count("\n") == 1


@pytest.mark.needs("linux")  # signals
def test_stopping_and_going_on(tmp_path: Path) -> None:
    """Ctrl-C, which reaches parent and children: a line, exit code 130, nothing half-made; the next run goes on."""
    tunes = tmp_path / "tunes.abc"
    tunes.write_text("\n\n".join((BUNDLED / "tunes" / "train.abc").read_text().split("\n\n")[: 1 + TUNES]))  # and its heading
    command = [
        sys.executable,
        ROOT / "prepare_game_data.py",
        "--source",
        tunes,
        "--destination",
        tmp_path / "out",
        "--jobs",
        "2",
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    making = tmp_path / "out" / ".engraved"
    waited = time.monotonic() + 60
    while len(list(making.glob("*.mid"))) < 3 and time.monotonic() < waited:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "run the same command again" in stdout and "Traceback" not in stderr
    checked = prepare("--verify", tmp_path)
    assert checked.returncode == 2 and checked.stderr.count("\n") == 1
    assert f"{tmp_path / 'out'}: a build was stopped here; run its command again to continue" in checked.stderr
    kept = len(list(making.glob("*.npz")))
    assert 3 <= kept < TUNES
    again = prepare("--source", tunes, "--destination", tmp_path / "out", "--jobs", 2)
    made = int(again.stdout.split("(")[1].split()[0])
    assert again.returncode == 0 and TUNES - kept <= made <= TUNES - kept + 2  # 2: finished in a child, not yet recorded


@pytest.mark.parametrize("name", ["test_1_Joy_to_the_World", "test_4_Minuet_in_G"])
def test_bundled_sample(name: str, tmp_path: Path) -> None:
    """The sample in the package is what the script makes of the bundled tunes."""
    folder = BUNDLED / "test_sample"
    assert (folder / f"{name}.npz").stat().st_size < 30_000
    score = read_score(folder / f"{name}.npz")
    midi = pretty_midi.PrettyMIDI(str(folder / f"{name}.mid"))
    assert score.sheet.shape[0] == 40 and len(score.coords) == len(midi.instruments[0].notes)
    prepare("--source", BUNDLED / "tunes" / "test.abc", "--destination", tmp_path, "--jobs", 1, "--limit", 4)
    made = read_score(tmp_path / f"{name}.npz")
    assert np.array_equal(made.coords, score.coords) and np.array_equal(made.sheet, score.sheet)
    assert (tmp_path / f"{name}.mid").read_bytes() == (folder / f"{name}.mid").read_bytes()
