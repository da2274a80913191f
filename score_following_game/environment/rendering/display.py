"""Whether this machine may be able to open a window; asked before OpenCV is imported."""

from __future__ import annotations

import os
import sys


def has_display() -> bool:
    """Returns True if a window may be possible: on Linux, if the environment names a display server."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
