"""OpenCV, loaded at its first use, so that a system without the libraries it needs reads one line and not a traceback."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

from score_following_game.errors import UserError, cause


@cache
def _library() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise UserError(
            f"OpenCV cannot be loaded ({cause(error)}); install it with pip install opencv-python, and the libraries it needs: "
            "Debian/Ubuntu `apt install libgl1 libglib2.0-0`"
        ) from None
    return cv2


class _OnFirstUse:
    def __getattr__(self, name: str) -> Any:
        return getattr(_library(), name)


cv2 = _OnFirstUse()
