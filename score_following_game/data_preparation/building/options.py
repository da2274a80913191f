"""What a build is asked for."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

from score_following_game.data_preparation.building.split import GivenSplit, Split
from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError


@dataclass(frozen=True)
class Performances:
    """How pieces are played. tempi: times the score's speed, 1.0 among them.  sound_fonts: one is chosen for each performance
    by a hash of its name; none: whoever loads the set chooses.  recordings: a folder of recordings named as the pieces."""

    tempi: tuple[float, ...] = (1.0,)
    sound_fonts: tuple[Path, ...] = ()
    recordings: Path | None = None

    def require(self) -> None:
        """Raises UserError for a font that is none, or two of one name."""
        for font in self.sound_fonts:
            require_sound_font(font)
        if len({font.name for font in self.sound_fonts}) < len(self.sound_fonts):
            raise UserError("--sound_font: two fonts of one name; the manifest tells them apart by it")

    def font_of(self, performance: str) -> str:
        """The name of the font that plays a performance ("" where none was given): the same wherever the fonts lie."""
        names = sorted(font.name for font in self.sound_fonts)
        return names[int(hashlib.sha256(performance.encode()).hexdigest(), 16) % len(names)] if names else ""


@dataclass(frozen=True)
class BuildOptions:
    """style: a name of STYLES.  name: of the sets' folders, NAME_train and so on.  seconds: a piece's length, inclusive.
    performances: how the pieces are played."""

    destination: Path
    style: str = "nottingham"
    split: Split | GivenSplit | None = None
    name: str = ""
    jobs: int = 1
    check: bool = False
    min_seconds: float = 0.0
    max_seconds: float = math.inf
    time_limit: float = 120.0
    performances: Performances = field(default_factory=Performances)
