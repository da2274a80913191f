"""Scripts in processes of their own that need not import torch and the other libraries again, which takes seconds.

A server imports them once, in a process that does nothing else, and forks for every script. What the script then does, prints
and exits with is its own. The forks share what a process draws when it starts, as the order of sets of strings, and have this
project's modules imported in one order. A script that is to be run afresh is a fork of another server, which has drawn for
itself and imported nothing of this project: for tests of reproducibility, and of what a script imports.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from numba.core.registry import cpu_target

SCRIPTS = ("train", "evaluate", "watch", "play", "prepare")  # modules whose imports are everything that costs time
IMPORTED_LATE = (  # torch._dynamo: by every optimiser
    *("torch._dynamo", "matplotlib.pyplot", "scipy.signal", "soundfile"),
    *("score_following_game.environment.gather", "score_following_game.agents.elu_kernel"),
    *("score_following_game.agents.warping_path", "score_following_game.data_processing.midi_library"),
)
LIBRARIES = ("torch._dynamo", "torch.distributed", "numba", "scipy.ndimage", "scipy.signal", "matplotlib.pyplot", "gymnasium")
LONGEST = 2**20  # of a message, bytes
ROOT = Path(__file__).resolve().parent.parent
FOR_SCRIPTS = {"OMP_NUM_THREADS": "1", "CI": "true"}  # the second makes some libraries print more


class Server:
    """Runs one script at a time; `close` ends it. afresh: without this project's modules."""

    def __init__(self, afresh: bool) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *["afresh"] * afresh],
                cwd=ROOT,
                env={**os.environ, **FOR_SCRIPTS},
                pass_fds=[theirs.fileno()],
            )

    def run(self, script: str, arguments: list[str], cwd: Path, environment: dict[str, str], timeout: float) -> tuple:
        """Returns exit code (-N after signal N), standard output and standard error. Raises TimeoutExpired."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            request = json.dumps([script, arguments, str(cwd), environment]).encode()
            socket.send_fds(self.socket, [request], [output.fileno(), errors.fileno()])
            child = int(self.socket.recv(LONGEST))
            self.socket.settimeout(timeout)
            try:
                status = int(self.socket.recv(LONGEST))
            except TimeoutError:
                os.kill(child, signal.SIGKILL)
                self.socket.settimeout(None)
                self.socket.recv(LONGEST)
                raise subprocess.TimeoutExpired([script, *arguments], timeout) from None
            output.seek(0), errors.seek(0)
            return os.waitstatus_to_exitcode(status), output.read(), errors.read()

    def close(self) -> None:
        self.socket.close()
        self.process.wait()


@cache
def _server(afresh: bool) -> Server:
    server = Server(afresh)
    atexit.register(server.close)
    return server


def run_script(
    script: str | Path,
    *arguments: object,
    cwd: Path = ROOT,
    environment: dict[str, str] | None = None,
    timeout: float = 300,
    afresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a script, by its path from the repository's root, in a process of its own.

    environment: by default this process's and FOR_SCRIPTS. afresh: see above.
    """
    environment = {**os.environ, **FOR_SCRIPTS} if environment is None else environment
    command = [str(ROOT / script), *map(str, arguments)]
    if sys.platform != "linux":  # elsewhere a process with these libraries cannot fork
        return subprocess.run(
            [sys.executable, *command], cwd=cwd, env=environment, text=True, capture_output=True, timeout=timeout, check=False
        )
    return subprocess.CompletedProcess(command, *_server(afresh).run(command[0], command[1:], cwd, environment, timeout))


def serve(requests: socket.socket) -> tuple[str, list[str]] | None:
    """Fork for every request. Returns script and arguments in the forks; in the server None, when the requests end."""
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, LONGEST, 2)
        if not message:
            return None
        script, arguments, cwd, environment = json.loads(message)
        child = os.fork()
        if not child:
            requests.close()
            os.dup2(descriptors[0], 1)
            os.dup2(descriptors[1], 2)
            os.closerange(3, max(descriptors) + 1)
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(environment)
            tempfile.tempdir = None  # may have been read from the environment of the server
            return script, arguments
        for descriptor in descriptors:
            os.close(descriptor)
        requests.send(str(child).encode())
        requests.send(str(os.waitpid(child, 0)[1]).encode())


def main() -> None:
    """The server, with the descriptor of its socket as argument; its forks leave `serve` to run their script."""
    sys.path[0] = os.getcwd()
    ours = (*(f"score_following_game.scripts.{script}" for script in SCRIPTS), *IMPORTED_LATE)
    for name in LIBRARIES if sys.argv[2:] else ours:
        importlib.import_module(name)
    for context in (cpu_target.typing_context, cpu_target.target_context):
        context.refresh()  # what numba does before it loads its first function, which takes two seconds
    gc.freeze()  # a collection in a fork would copy all pages
    if work := serve(socket.socket(fileno=int(sys.argv[1]))):
        script, arguments = work
        sys.argv = [script, *arguments]
        sys.path[0] = str(Path(script).parent)
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
