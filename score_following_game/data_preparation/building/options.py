"""The options of a build."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

from score_following_game.data_preparation.building.split import GivenSplit, Split
from score_following_game.data_preparation.engraving.playing import WHOLE, Playing
from score_following_game.data_processing.synthesis import require_sound_font
from score_following_game.errors import UserError, printable


@dataclass(frozen=True)
class Performances:
    """How the pieces are played.

    tempi: factors of the score's speed; they include 1.0.
    sound_fonts: a hash of a performance's name chooses its font. Empty: the loader of the set chooses.
    recordings: folder with recordings named like the pieces.
    """

    tempi: tuple[float, ...] = (1.0,)
    sound_fonts: tuple[Path, ...] = ()
    recordings: Path | None = None

    def require(self) -> None:
        """Raises UserError for a file that is not a sound font, and for two fonts with the same file name."""
        for font in self.sound_fonts:
            require_sound_font(font)
            if printable(str(font)) != str(font):
                raise UserError(f"--sound_font {font}: manifests cannot hold this name; rename the file")
        if len({font.name for font in self.sound_fonts}) < len(self.sound_fonts):
            raise UserError(
                "--sound_font: two fonts have the same file name, by which the manifest identifies them; rename one"
            )

    def font_of(self, performance: str) -> str:
        """File name of the font for a performance, "" without fonts. It does not depend on the fonts' folders."""
        names = sorted(font.name for font in self.sound_fonts)
        return names[int(hashlib.sha256(performance.encode()).hexdigest(), 16) % len(names)] if names else ""


@dataclass(frozen=True)
class BuildOptions:
    """destination: folder of the data set.  style: a key of STYLES.  name: of the sets' folders NAME_train, ...
    check: also draw check pictures.  min_seconds, max_seconds: length of a piece, inclusive.
    time_limit: seconds for engraving a piece.  playing: what of each score.
    pages_style: a key of STYLES for pages; "": that of the number of their staves.  staff: see PieceTask.
    held_out: a set whose validation and test pieces' music is left out. evaluation_only: the sets may not train an agent.
    """

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
    playing: Playing = WHOLE
    pages_style: str = ""
    staff: int = 0
    held_out: str = ""
    evaluation_only: bool = False
