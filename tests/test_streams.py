"""Standard streams that are closed while somebody (a library that prints at the end of Python) still has them, or not read."""

from __future__ import annotations

import fcntl
import io
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO

import pytest
from conftest import ROOT, hears_hang_ups

from score_following_game.streams import Output

PRINTS_UNTIL_STOPPED = """
from score_following_game.command_line import script
from score_following_game.interrupts import interruptible
import sys
with script(), interruptible() as stopped:
    while not stopped():
        print("x" * 1000, file=getattr(sys, sys.argv[1]))
        sys.stdout.flush()
    open(sys.argv[2], "w").write("saved")
"""
# Fills the pipe, and waits elsewhere than in a write.
FILLS_AND_COMPUTES = """
from score_following_game.command_line import script
from score_following_game.interrupts import interruptible
import os, sys, time
with script(), interruptible() as stopped:
    file = {"stdout": 1, "stderr": 2}[sys.argv[1]]
    os.set_blocking(file, False)
    try:
        while True:
            os.write(file, b"x" * 1000)
    except BlockingIOError:
        os.set_blocking(file, True)
    while not stopped():
        time.sleep(0.02)
    print("saved")
    open(sys.argv[2], "w").write("saved")
"""
CLOSED = """
from score_following_game.command_line import script
from score_following_game.interrupts import interruptible
import sys
with script(), interruptible() as stopped:
    sys.stdout._stream.close()
    print("lost")
    assert stopped()
    open(sys.argv[1], "w").write("saved")
"""


def test_a_stream_that_is_closed_meanwhile_goes_nowhere() -> None:
    inner = io.StringIO()
    output = Output(inner, stops=False)
    output.write("a")
    inner.close()
    assert not output.isatty()
    assert output.failure is None
    assert output.write("lost") == 4
    output.flush()
    assert output.failure is not None and output.failure.strerror == "Bad file descriptor"


def bytes_in(pipe: IO[str]) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


@pytest.mark.needs("linux")
@pytest.mark.parametrize("program", [PRINTS_UNTIL_STOPPED, FILLS_AND_COMPUTES], ids=["in a write", "elsewhere"])
@pytest.mark.parametrize(
    ("stream", "number"), [("stdout", signal.SIGTERM), ("stdout", signal.SIGINT), ("stderr", signal.SIGHUP)]
)
def test_a_signal_ends_the_wait_for_a_reader_that_was_stopped(
    program: str, stream: str, number: signal.Signals, tmp_path: Path
) -> None:
    """What it prints fills the pipe; then it waits in a write. It saves all the same, and says why it ends."""
    command = [sys.executable, "-c", program, stream, tmp_path / "saved"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, text=True, preexec_fn=hears_hang_ups, **pipes)
    unread, before = getattr(process, stream), -1
    while (held := bytes_in(unread)) < 1000 or held != before:
        assert process.poll() is None
        before = held
        time.sleep(0.1)
    process.send_signal(number)
    try:
        assert process.wait(timeout=60) == (2 if stream == "stdout" else 0)
    finally:
        process.kill()
    assert (tmp_path / "saved").read_text() == "saved"
    if stream == "stdout":
        assert process.stderr is not None
        assert process.stderr.read() == "error: standard output cannot be written (nobody reads it)\n"


def test_a_stream_that_was_closed_ends_the_script_as_a_signal_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, tmp_path / "saved"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (tmp_path / "saved").read_text() == "saved"
    assert (done.returncode, done.stderr) == (2, "error: standard output cannot be written (Bad file descriptor)\n")


def test_what_the_handler_of_a_signal_prints_during_a_print_comes_after_it() -> None:
    class Signalled(io.StringIO):
        def write(self, text: str) -> int:
            if text == "line\n":
                output.write("from the handler\n")
                output.flush()
            return super().write(text)

    inner = Signalled()
    output = Output(inner, stops=False)
    output.write("line\n")
    output.write("next\n")
    assert inner.getvalue() == "line\nfrom the handler\nnext\n"
