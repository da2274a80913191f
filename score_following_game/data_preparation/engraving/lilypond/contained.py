"""Runs LilyPond in a container, because a LilyPond score is a program: its Scheme code can do anything.

bubblewrap gives it a file system of its own (the system's programs and the score, read-only, and one writable folder) and hides
the network, other processes and our environment. prlimit bounds the memory, processor time and files of each process. A time
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
from score_following_game.errors import UserError, cause

MEMORY = 6 * 10**9  # bytes of address space
LARGEST_FILE = 2 * 10**8  # bytes
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}  # nothing else: the container can read it in /proc/1/environ
_MESSAGES = 10**6  # bytes of a program's messages that are read
_MOST_FILES = 10_000  # that a program may write
_CHECK_INTERVAL = 0.5  # seconds between two checks of its output
SCORE, OUTPUT = "/score", "/out"  # paths of the two folders inside the container
MISSING = (
    "{missing} missing; LilyPond scores are programs, and these tools engrave them without trusting them. Install them: "
    "Debian/Ubuntu `apt install lilypond bubblewrap fonts-urw-base35`, Fedora `dnf install lilypond bubblewrap "
    "urw-base35-fonts` (bubblewrap exists on Linux only; elsewhere use a Linux container)"
)


def require_lilypond() -> None:
    """Raises UserError if this machine cannot run LilyPond in a container."""
    missing = [name for name in ("lilypond", "convert-ly", "bwrap", "prlimit") if shutil.which(name) is None]
    if missing:
        raise UserError(MISSING.format(missing=f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'}"))
    if not (_home() / "share" / "lilypond").is_dir() or _home() in (Path("/"), *Path.home().parents, Path.home()):
        raise UserError(
            f"{shutil.which('lilypond')}: not in the bin/ of LilyPond's own folder (is it a script that calls LilyPond?), "
            "so it cannot run in a container; put LilyPond's own bin/ first in PATH"
        )
    try:
        lilypond_version()
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as failure:
        raise UserError(
            f"{shutil.which('lilypond')}: `lilypond --version` fails ({cause(failure)}); install LilyPond again"
        ) from None
    if error := _container_error():
        raise UserError(
            f"bubblewrap cannot create a container here ({error}), so LilyPond scores cannot be engraved; allow user "
            "namespaces (sysctl kernel.unprivileged_userns_clone=1) or run as root"
        )


@cache
def lilypond_version() -> str:
    """The installed version, such as "2.24.1"."""
    printed = subprocess.run(["lilypond", "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    return printed.split()[2]


@cache
def _container_error() -> str:
    """bubblewrap's error message if it cannot create a container here, else an empty string."""
    done = subprocess.run(
        [*_container(None, Path("/tmp")), "true"], capture_output=True, text=True, timeout=60, check=False, env=_ENVIRONMENT
    )
    return "" if done.returncode == 0 else "".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"


def run_contained(
    command: Sequence[str], score: Path | None, output: Path, time_limit: float, environment: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a command in a container. Of the user's files it sees only `score`, read-only, and `output`, which it can change.

    Returns its exit code (below 0 or above 128: ended by a signal) and its messages. It runs in `score`, or in `output` if
    there is no score. Raises EngravingError at the time limit (seconds). `output` must hold nothing but copies, and may hold
    links to any place afterwards: see `own_file`.
    """
    limits = ["prlimit", f"--as={MEMORY}", f"--fsize={LARGEST_FILE}", f"--cpu={int(max(time_limit, 0)) + 5}", "--core=0"]
    with tempfile.TemporaryFile() as messages:  # not a pipe: a flood of messages would fill our memory
        process = subprocess.Popen(
            [*limits, *_container(score, output), *_set_variables(environment or {}), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=messages,
            env=_ENVIRONMENT,
        )
        try:
            _watch(process, output, time_limit, command[0])
        finally:
            process.kill()  # --die-with-parent then ends everything in the container
            process.wait()
        messages.seek(0)
        return process.returncode, messages.read(_MESSAGES).decode("utf-8", "replace")


def _watch(process: subprocess.Popen[bytes], output: Path, time_limit: float, name: str) -> None:
    """Wait until the process ends. Raises EngravingError at the time limit, or if the output grows too large."""
    deadline = time.monotonic() + time_limit
    while True:
        try:
            process.wait(min(_CHECK_INTERVAL, max(0.0, deadline - time.monotonic())))
            return
        except subprocess.TimeoutExpired:
            pass
        if time.monotonic() >= deadline:
            raise EngravingError(TIME_LIMIT, f"{name} took more than {time_limit:g} s")
        files, size = _extent(output)
        if files >= _MOST_FILES or size > 2 * LARGEST_FILE:
            raise EngravingError("the engraver failed", f"{name} wrote {files} files and folders, {size / 1e6:.0f} MB")


def _extent(folder: Path) -> tuple[int, int]:
    """The number of files and folders in a folder, counted up to a limit, and their bytes. They may change meanwhile."""
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
    """Returns `path` if it is a regular file.

    Raises EngravingError for anything else. Through a link, a program in the container could make us read a file that it
    cannot read itself.
    """
    if path.is_symlink() or not path.is_file():
        raise EngravingError("the engraver failed", f"{path.name} is not a regular file")
    return path


def _home() -> Path:
    """LilyPond's own folder, which holds its bin/ and share/. The container shows only this one."""
    return Path(shutil.which("lilypond") or "/usr/bin/lilypond").resolve().parents[1]


def _container(score: Path | None, output: Path) -> list[str]:
    """The command line of bubblewrap, to be followed by the command to run."""
    words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64"):
        path = f"/{name}"
        words += ["--symlink", f"usr/{name}", path] if os.path.islink(path) else ["--ro-bind-try", path, path]
    lilypond = _home()
    if not lilypond.is_relative_to("/usr"):  # such as the archive from lilypond.org
        words += ["--ro-bind", str(lilypond), str(lilypond)]
    for path in ("/etc/fonts", "/etc/alternatives"):
        words += ["--ro-bind-try", path, path]
    if score is not None:
        words += ["--ro-bind", str(score.resolve()), SCORE]
    words += ["--proc", "/proc", "--bind", str(output.resolve()), OUTPUT]
    for path in ("/dev/null", "/dev/urandom"):  # not --dev: its /dev/shm would be memory without a limit
        words += ["--dev-bind", path, path]
    words += ["--remount-ro", "/", "--chdir", OUTPUT if score is None else SCORE, "--clearenv"]
    variables = {"LANG": "C.UTF-8", "PATH": f"{lilypond}/bin:/usr/bin:/bin", "HOME": OUTPUT, "TMPDIR": OUTPUT}
    return words + _set_variables(variables)


def _set_variables(variables: dict[str, str]) -> list[str]:
    """bubblewrap's arguments for these environment variables."""
    return [word for name, value in variables.items() for word in ("--setenv", name, value)]
