"""Measuring in a process of its own: with its own threads, memory and caches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from score_following_game.errors import UserError


def in_fresh_process(script: str, task: dict, name: str) -> dict:
    """What `SCRIPT --task TASK` prints as JSON in its last line. Raises UserError, by `name`, with the last of its errors."""
    command = [sys.executable, str(Path(__file__).with_name(script)), "--task", json.dumps(task)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        told = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        raise UserError(f"{name}: {told[-1].removeprefix('error: ')}")
    return json.loads(result.stdout.splitlines()[-1])
