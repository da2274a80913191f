"""What the tests of watching share: the scripts run as a user runs them, keys pressed, films looked into."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time

import imageio_ffmpeg
import numpy as np
from PIL import ImageGrab
from ready_process import ROOT, run_script

from score_following_game.watching.stage import FINAL_SECONDS

DISCRETE, CONTINUOUS = "game_configs/nottingham.yaml", "game_configs/nottingham_continuous.yaml"
LAST = 56  # frame of the small piece's last onset
HELD = round(FINAL_SECONDS * 20)
_DATA = tempfile.TemporaryDirectory()  # best scores of the tests' games


@contextlib.contextmanager
def x_server():
    """A display of our own, without a window manager -> its name."""
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", "1", "-screen", "0", "1400x900x24", "-noreset"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield f":{server.stdout.readline().strip()}"
    server.terminate()
    server.wait()


def screen(display):
    """What the display shows: uint8 (900, 1400, 3), RGB."""
    return np.asarray(ImageGrab.grab(xdisplay=display).convert("RGB"))


def wait_until_shown(display, is_it, process, seconds=150):
    """Wait for a screen of which is_it(picture) is true."""
    end = time.monotonic() + seconds
    while not is_it(screen(display)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "not shown in time"
        time.sleep(0.1)


def environment(display=None):
    names = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    names |= {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": _DATA.name,
        "CI": "true",
    }  # CI: some libraries say more on stdout
    return names | ({"DISPLAY": display} if display else {})


def start(script, *args, display=None, cwd=ROOT):
    return subprocess.Popen(
        [sys.executable, str(ROOT / script), *map(str, args)],
        cwd=cwd,
        text=True,
        env=environment(display),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def start_code(code, display):
    """Python code in a process of its own, with pipes to talk to it."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(display),
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(script, *args, display=None, cwd=ROOT):
    """-> (exit code, stdout, stderr)"""
    done = run_script(script, *args, cwd=cwd, environment=environment(display), timeout=60)
    return done.returncode, done.stdout, done.stderr


def press(display, *keys, action="key"):
    subprocess.run(["xdotool", action, *keys], env=environment(display), check=True)


def wait_for_window(display, process):
    for _ in range(2000):
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "Score Following"],
            env=environment(display),
            capture_output=True,
            check=False,
        )
        if found.stdout.strip():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("no window in time")


def streams(path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    return [line.strip() for line in printed.splitlines() if "Stream #" in line]


def loudness(path):
    """rms of a film's sound in its first and in its last second"""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-f", "f32le", "-ar", "8000", "-"]
    samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
    return [float(np.sqrt(np.mean(part**2))) for part in (samples[:8000], samples[-8000:])]
