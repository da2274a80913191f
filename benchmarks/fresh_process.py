"""Run a measurement in a process of its own, with its own threads, memory and caches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from score_following_game.errors import UserError


def in_fresh_process(script: str, task: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the JSON object that `SCRIPT --task TASK` prints in its last line.

    Raises UserError, beginning with `name`, with the last line of stderr when the process fails.
    """
    command = [sys.executable, str(Path(__file__).with_name(script)), "--task", json.dumps(task)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise UserError(f"{name}: {lines[-1].removeprefix('error: ')}")
    figures: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return figures
