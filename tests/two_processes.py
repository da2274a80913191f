"""Runs a script in two processes, as torchrun does: python tests/two_processes.py SCRIPT [ARGUMENT ...]

torchrun and its processes each import everything, which takes half a minute. By ready_process.run_script this file runs where
all is imported, and its processes are forks. They find each other by torchrun's variables and a store that outlives them, and
when one fails, the other is told to end. What depends on torchrun itself is tested with it.
"""

from __future__ import annotations

import os
import runpy
import signal
import socket
import sys
import traceback
from pathlib import Path

from torch.distributed import TCPStore

PROCESSES = 2


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def run_as(rank: int, port: int) -> int:
    """Run the script named in the arguments. Returns its exit code."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": PROCESSES, "LOCAL_WORLD_SIZE": PROCESSES}
    group = {"GROUP_RANK": 0, "GROUP_WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    of_torchrun = {"TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_RESTART_COUNT": 0, "TORCHELASTIC_USE_AGENT_STORE": True}
    os.environ.update({name: str(value) for name, value in (numbers | group | of_torchrun).items()})
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> int:
    """Returns the first exit code that is not 0, else 0."""
    port, running, failed = free_port(), set[int](), 0
    for rank in range(PROCESSES):
        child = os.fork()
        if not child:
            code = run_as(rank, port)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        running.add(child)
    store = TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)  # after the forks: it has threads
    while running:
        child, status = os.wait()
        running.remove(child)
        if (code := os.waitstatus_to_exitcode(status)) and not failed:
            failed = code
            for other in running:
                os.kill(other, signal.SIGTERM)
    del store
    return failed


if __name__ == "__main__":
    sys.exit(main())
