"""A person's own score, perhaps with a recording, as a piece that an agent follows."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece, load_piece, load_untimed_piece
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.errors import UserError

if TYPE_CHECKING:  # optional: the extra [prepare]
    from score_following_game.data_preparation.own_score import PreparedScore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OwnScore:
    """What the user names.

    score, audio: files; without a recording the score is played.  piece: which tune of a book, or movement.  style: of the
    sheet, None for that with as many staves as the score.  part, repeats, order: what of it is played, as sfg-prepare takes
    them.  tempo: of the played score, in multiples of its own.  staff: of pages, from 1; 0 for all.  live: it is heard live.
    """

    score: Path
    audio: Path | None = None
    piece: str | None = None
    style: str | None = None
    part: str = ""
    repeats: str = "once"
    order: str = ""
    tempo: float = 1.0
    staff: int = 0
    live: bool = False

    def prepare(self) -> PreparedScore:
        """Engrave the score and align the recording, or find what was made before.

        Raises UserError where that cannot be done.
        """
        from score_following_game.data_preparation.engraving.playing import REPEATS, Playing
        from score_following_game.data_preparation.engraving.style import STYLES
        from score_following_game.data_preparation.own_score import Wish, prepare

        for option, value, choices in (("style", self.style, (None, *STYLES)), ("repeats", self.repeats, REPEATS)):
            if value not in choices:
                raise UserError(f"--{option} {value}: expected {' or '.join(filter(None, choices))}")
        if self.audio is not None and self.tempo != 1.0:
            raise UserError(f"--tempo {self.tempo:g}: a recording ({self.audio}) is heard as it is; leave --tempo out")
        playing = Playing(self.part, self.repeats, self.order)
        return prepare(Wish(self.score, self.audio, self.piece, self.style, playing, self.staff, self.live))


def load_prepared(prepared: PreparedScore, config: GameConfig, tempo: float = 1.0, live: bool = False) -> Piece:
    """The piece of a prepared score, for a game. live: without its performance, since another one will be heard.

    A recording that could not be timed, and what is odd about pages, is reported in a line each. Raises UserError where the
    files do not fit the game, or where the recording is so fast or slow that no agent follows it.
    """
    path = prepared.folder / f"{prepared.name}.npz"
    for remark in prepared.remarks:
        log.warning("%s: %s", prepared.name, remark)
    if live:
        if prepared.timed:
            return load_piece(path, config, silent=True)
        return load_untimed_piece(path, config, prepared.first_x, silent=True)
    if prepared.timed:
        piece = load_piece(path, config, tempo=tempo)
    else:
        log.warning("what the agent does cannot be judged: %s", prepared.unjudged)
        piece = load_untimed_piece(path, config, prepared.first_x)
    if prepared.sounding:
        _require_possible_speed(prepared, piece, config)
    return replace(piece, begins=prepared.begins)


def fastest(config: GameConfig) -> float:
    """The speed of the music, pixels per frame, up to which an agent that begins standing is not lost while it speeds up.

    With the largest change a per frame it reaches the speed v after v / a frames, v * v / (2 * a) pixels behind. In continuous
    games: inf.
    """
    if config.continuous:
        return math.inf
    return math.sqrt(2 * max(config.actions) * (config.threshold + 1))


def slowest(config: GameConfig) -> float:
    """The mean speed of the music, pixels per frame, below which an agent would have to stand still nine frames out of ten."""
    if config.continuous:
        return 0.0
    return min(abs(change) for change in config.actions if change) / 10


def _require_possible_speed(prepared: PreparedScore, piece: Piece, config: GameConfig) -> None:
    """Raise UserError for a recording whose music moves faster or slower over the sheet than any agent of the game."""
    fps = config.spectrogram_params.fps
    last_x = max(map_of(piece, fps).onset_x, default=float(piece.sheet.shape[1]))
    frames = float(piece.onset_frames[-1] - piece.onset_frames[0]) if piece.timed else prepared.sounding * fps
    speed = (last_x - prepared.first_x) / max(frames, 1.0)
    if slowest(config) <= speed <= fastest(config):
        return
    lasts = frames / fps
    compared = ""
    if prepared.seconds and not piece.timed:
        ratio = prepared.seconds / lasts
        compared = f", {ratio:.1f} times as fast" if ratio >= 1 else f", {1 / ratio:.1f} times as slow"
        compared = f" (the score takes {prepared.seconds:.0f} s{compared})"
    raise UserError(
        f"{prepared.name}: its recording sounds for {lasts:.1f} s{compared}; that is {speed:.2g} px of the sheet per frame; "
        f"agents follow {slowest(config):.2g} to {fastest(config):.2g}; if it is of a part only, "
        "name its bars with --order (of pages, its systems in pages.yaml)"
    )
