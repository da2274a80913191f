"""A person's best scores, kept in the folder for users' data (on Linux $XDG_DATA_HOME or ~/.local/share)."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs

from score_following_game.config import GameConfig, config_as_dict
from score_following_game.data_processing.piece import Piece
from score_following_game.errors import UserError, cause
from score_following_game.files import replacing
from score_following_game.reading import read_bytes
from score_following_game.watching.outcome import Outcome

VERSION = 1
LARGEST = 2**24  # bytes; a file of this module is never that large

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Best:
    """The best game of a piece. piece: its name, for a person who reads the file."""

    piece: str
    score: float
    onsets: int
    of: int
    finished: bool


def best_scores_path() -> Path:
    return platformdirs.user_data_path("score_following_game", appauthor=False) / "best_scores.json"


def game_key(piece: Piece, config: GameConfig, speed: float, hidden: bool) -> str:
    """What scores are compared within: the piece's content, the rules, the practice speed, and whether the true position was
    hidden throughout. The name of the piece does not count."""
    content = hashlib.sha256()
    for array in (piece.onset_frames, piece.onset_x, piece.sheet):
        content.update(repr((array.shape, array.dtype.str)).encode())
        content.update(array.tobytes())
    content.update(json.dumps(config_as_dict(config), sort_keys=True, default=str).encode())
    return f"{content.hexdigest()[:32]} {speed:g} {'hidden' if hidden else 'shown'}"


class BestScores:
    """The file with the best scores. A file that cannot be read, or written, is reported once; it is left as it is, and the
    scores of this session are forgotten at its end."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or best_scores_path()
        self._kept = True
        self._best: dict[str, Best] = {}
        self._read()

    def best(self, key: str) -> Best | None:
        return self._best.get(key)

    def note(self, key: str, piece: str, outcome: Outcome) -> bool:
        """Keep an outcome if it is the best. Returns True if it is better than the one before, or the first."""
        self._read()  # another window may have written meanwhile
        before = self._best.get(key)
        if before is not None and before.score >= outcome.score:
            return False
        self._best[key] = Best(piece, outcome.score, outcome.onsets, outcome.of, outcome.finished)
        self._write()
        return True

    def _read(self) -> None:
        if not self._kept or not self.path.exists():
            return
        try:
            found = _parsed(json.loads(read_bytes(self.path, LARGEST)))
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            self._give_up(f"is not a file of best scores ({cause(error)}); remove it to have scores kept")
            return
        for key, best in found.items():
            if key not in self._best or best.score > self._best[key].score:
                self._best[key] = best

    def _write(self) -> None:
        if not self._kept:
            return
        content = {"version": VERSION, "best": {key: asdict(best) for key, best in sorted(self._best.items())}}
        try:
            with replacing(self.path) as temporary:
                temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except (OSError, UserError) as error:
            self._give_up(f"best scores are not kept ({cause(error)})")

    def _give_up(self, reason: str) -> None:
        self._kept = False
        log.warning("%s: %s", self.path, reason)


def _parsed(content: Any) -> dict[str, Best]:
    """Raises ValueError, TypeError or KeyError for content of another kind."""
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']!r}")
    return {str(key): _best_of(value) for key, value in dict(content["best"]).items()}


def _best_of(value: dict[str, Any]) -> Best:
    best = Best(str(value["piece"]), float(value["score"]), int(value["onsets"]), int(value["of"]), bool(value["finished"]))
    if not math.isfinite(best.score):
        raise ValueError(f"score {best.score}")
    return best
