"""LilyPond, contained. A score is a program there (Scheme can do anything), so it runs where it can do nothing.

bubblewrap gives it a file system of its own (the system's programs and the score, read-only, and one folder to write to), no
network, no other processes, nothing of our environment; prlimit bounds each process's memory, processor time and files; a time
limit ends it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from score_following_game.data_preparation.engraving.isolation import TIME_LIMIT
from score_following_game.data_preparation.errors import EngravingError
from score_following_game.errors import UserError

MEMORY = 6 * 10**9  # bytes of address space
LARGEST_FILE = 2 * 10**8  # bytes
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}  # all that can be read of ours, in /proc/1/environ
_MESSAGES = 10**6  # bytes of a program's messages that are looked at
_MOST_FILES = 10_000  # of a program's output
_LOOK_EVERY = 0.5  # seconds between two looks at it
SCORE, OUTPUT = "/score", "/out"  # where the two folders are seen from inside
MISSING = (
    "{missing} missing, wanted to engrave LilyPond scores (which are programs) without trusting them; install: "
    "Debian/Ubuntu `apt install lilypond bubblewrap fonts-urw-base35`, Fedora `dnf install lilypond bubblewrap "
    "urw-base35-fonts` (bubblewrap is Linux's; elsewhere use a Linux container)"
)


def require_lilypond() -> None:
    """Raises UserError where LilyPond cannot be run contained on this machine."""
    missing = [name for name in ("lilypond", "convert-ly", "bwrap", "prlimit") if shutil.which(name) is None]
    if missing:
        raise UserError(MISSING.format(missing=f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'}"))
    if not (_home() / "share" / "lilypond").is_dir() or _home() in (Path("/"), *Path.home().parents, Path.home()):
        raise UserError(
            f"{shutil.which('lilypond')}: is not in the bin/ of LilyPond's own folder (a script that calls it?), "
            "so it cannot be contained; put LilyPond's own bin/ first in PATH"
        )
    if told := _refusal():
        raise UserError(
            f"bubblewrap cannot make a container here ({told}), so LilyPond scores are not engraved; allow user "
            "namespaces (sysctl kernel.unprivileged_userns_clone=1), or run as root"
        )


@cache
def lilypond_version() -> str:
    """As in 2.24.1."""
    told = subprocess.run(["lilypond", "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    return told.split()[2]


@cache
def _refusal() -> str:
    done = subprocess.run(
        [*_container(None, Path("/tmp")), "true"], capture_output=True, text=True, timeout=60, check=False, env=_ENVIRONMENT
    )
    return "" if done.returncode == 0 else "".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"


def run_contained(
    command: Sequence[str], score: Path | None, output: Path, time_limit: float, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a command that sees nothing of the user's but `score` (read-only) and `output` (an empty folder, or one of copies)
    -> (exit code, its messages). It works in `score`, or in `output` where there is none.

    An exit code below 0 or above 128 means a signal. Raises EngravingError at the time limit (seconds). What it left in
    `output` may be links to anywhere: see `own_file`.
    """
    limits = ["prlimit", f"--as={MEMORY}", f"--fsize={LARGEST_FILE}", f"--cpu={int(max(time_limit, 0)) + 5}", "--core=0"]
    settings = [word for name, value in (environment or {}).items() for word in ("--setenv", name, value)]
    with tempfile.TemporaryFile() as messages:  # not a pipe, which a flood of messages would pour into our memory
        process = subprocess.Popen(
            [*limits, *_container(score, output), *settings, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=messages,
            env=_ENVIRONMENT,
        )
        try:
            _watch(process, output, time_limit, command[0])
        finally:
            process.kill()  # and with it, by --die-with-parent, all that runs in the container
            process.wait()
        messages.seek(0)
        return process.returncode, messages.read(_MESSAGES).decode("utf-8", "replace")


def _watch(process: subprocess.Popen, output: Path, time_limit: float, name: str) -> None:
    """Wait for the end. Raises EngravingError at the time limit, or when the output outgrows all bounds."""
    deadline = time.monotonic() + time_limit
    while True:
        try:
            process.wait(min(_LOOK_EVERY, max(0.0, deadline - time.monotonic())))
            return
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() >= deadline:
            raise EngravingError(TIME_LIMIT, f"{name} took more than {time_limit:g} s")
        files, size = _extent(output)
        if files >= _MOST_FILES or size > 2 * LARGEST_FILE:
            raise EngravingError("the engraver failed", f"{name} wrote {files} files and folders, {size / 1e6:.0f} MB")


def _extent(folder: Path) -> tuple[int, int]:
    """How many files and folders a folder holds, counted up to a bound, and their bytes; they may come and go meanwhile."""
    count = size = 0
    waiting = [str(folder)]
    while waiting and count < _MOST_FILES:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                with contextlib.suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_size
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return count, size


def own_file(path: Path) -> Path:
    """The path, if an ordinary file is there. Raises EngravingError for a link, by which a contained program could have us
    read what it cannot."""
    if path.is_symlink() or not path.is_file():
        raise EngravingError("the engraver failed", f"{path.name} is not an ordinary file")
    return path


def _home() -> Path:
    """The folder that LilyPond's own bin/ and share/ lie in, the only one of them that is shown to it."""
    return Path(shutil.which("lilypond") or "/usr/bin/lilypond").resolve().parents[1]


def _container(score: Path | None, output: Path) -> list[str]:
    """bubblewrap's arguments."""
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64"):
        place = Path("/", name)
        words += ["--symlink", f"usr/{name}", str(place)] if place.is_symlink() else ["--ro-bind-try", str(place), str(place)]
    lilypond = _home()
    if not lilypond.is_relative_to("/usr"):  # as unpacked from lilypond.org
        words += ["--ro-bind", str(lilypond), str(lilypond)]
    for place in ("/etc/fonts", "/etc/alternatives"):
        words += ["--ro-bind-try", place, place]
    if score is not None:
        words += ["--ro-bind", str(score.resolve()), SCORE]
    words += ["--proc", "/proc", "--bind", str(output.resolve()), OUTPUT]
    for place in ("/dev/null", "/dev/urandom"):  # not --dev, whose /dev/shm is as much memory as one likes
        words += ["--dev-bind", place, place]
    words += [
        "--remount-ro",
        "/",
        "--chdir",
        OUTPUT if score is None else SCORE,
        "--clearenv",
        "--setenv",
        "LANG",
        "C.UTF-8",
        "--setenv",
        "PATH",
        f"{lilypond}/bin:/usr/bin:/bin",
        "--setenv",
        "HOME",
        OUTPUT,
        "--setenv",
        "TMPDIR",
        OUTPUT,
    ]
    return words
