"""Sound devices without hardware: ALSA's file over its null device, and the monitor of PulseAudio's null sink."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
from ready_process import ROOT
from watching_tools import environment

_CONFIG = "/usr/share/alsa/alsa.conf"


def without_alsa() -> str:
    """Why there can be no ALSA device here, "" if there can."""
    if find_spec("sounddevice") is None:
        return "not installed: sounddevice"
    code = "import sounddevice; sounddevice.query_hostapis()"
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    if tried.returncode or not os.path.exists(_CONFIG):
        return "not installed: PortAudio over ALSA (.ci/setup installs them)"
    return ""


def without_sound_server() -> str:
    """Why no sound server can be started here, "" if it can."""
    absent = [name for name in ("pulseaudio", "paplay") if shutil.which(name) is None]
    if not absent and not glob.glob("/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so"):
        absent = ["libasound2-plugins"]
    return f"not installed: {', '.join(absent)}" if absent else without_alsa()


def endless_device(code: str, samples: np.ndarray, folder: Path) -> subprocess.CompletedProcess:
    """Run code, with FOLDER/got.npy as its argument, where a device gives int16 samples as fast as they are taken."""
    (folder / "samples.raw").write_bytes(np.tile(samples, 50).astype("<i2").tobytes())
    config = folder / "asound.conf"
    config.write_text(
        'pcm.!default { type plug slave { pcm "room" } }\n'
        'pcm.room { type plug slave { pcm "fed" format S16_LE rate 22050 channels 1 } }\n'
        f'pcm.fed {{ type file slave.pcm "nothing" file "/dev/null" infile "{folder}/samples.raw" format "raw" }}\n'
        "pcm.nothing { type null }\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(folder / "got.npy")],
        env={**environment(), "ALSA_CONFIG_PATH": str(config)},
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


class SoundServer:
    """A PulseAudio server whose microphone hears what is played into it."""

    def __init__(self, folder: Path) -> None:
        config = folder / "pulse.conf"
        config.write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
        own = {"XDG_RUNTIME_DIR": str(folder), "PULSE_RUNTIME_PATH": str(folder / "pulse"), "HOME": str(folder)}
        self.environment = {**environment(), **own, "ALSA_CONFIG_PATH": str(config)}
        self.log = (folder / "pulse.log").open("w")
        modules = ["module-native-protocol-unix", "module-null-sink sink_name=room"]
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        self.process = subprocess.Popen(
            ["pulseaudio", *options, *(part for module in modules for part in ("-L", module))],
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
        )
        end = time.monotonic() + 20
        while subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False).returncode:
            assert self.process.poll() is None and time.monotonic() < end, (folder / "pulse.log").read_text()
            time.sleep(0.1)

    def start(self, script: str, *arguments: object) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(ROOT / script), *map(str, arguments)],
            env=self.environment,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def play(self, path: Path) -> None:
        """Play a recording to its end."""
        seconds = soundfile.info(path).duration
        subprocess.run(["paplay", str(path)], env=self.environment, check=True, timeout=seconds + 20)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()


@contextlib.contextmanager
def sound_server(folder: Path) -> Iterator[SoundServer]:
    server = SoundServer(folder)
    try:
        yield server
    finally:
        server.stop()
