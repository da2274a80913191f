"""A score of one's own, with or without a recording, as a piece to follow."""

from __future__ import annotations

import os
from pathlib import Path

from score_following_game.agents.fitting import fitting_agent
from score_following_game.agents.loading import resolve_network_and_config
from score_following_game.config import GameConfig, load_game_config
from score_following_game.data_processing.piece import Piece
from score_following_game.watching.own_score import OwnScore, load_prepared


def load_score(
    score: str | os.PathLike[str],
    audio: str | os.PathLike[str] | None = None,
    *,
    game_config: str | os.PathLike[str] | GameConfig | None = None,
    piece: str | None = None,
    part: str = "",
    repeats: str = "once",
    order: str = "",
    style: str | None = None,
    tempo: float = 1.0,
    staff: int = 0,
) -> Piece:
    """Engrave a score, and load it, perhaps with a recording, as a piece that an agent can follow.

    What was made is kept in the user's cache folder, by the content of the files, and found there the next time. The score is
    read in a process of its own: a program that calls this must be a file, with the call under `if __name__ == "__main__":`.

    Args:
        score: ABC, MusicXML, MEI, Humdrum or LilyPond; or pages: a PDF, a picture, or a folder of pictures.
        audio: a recording of it; by default the score is synthesised.
        game_config: path, name or GameConfig whose audio settings count; pass `agent.config`. By default that of the agent that
            comes with the project and reads such sheets.
        piece: which tune of a book, or movement of a file: its name, or a part that only one name contains.
        part: name or number of a part; "piano": the two staves of the pianist; by default the whole score.
        repeats: "once", or "written": repeats, endings and jumps as the score has them.
        order: the bars in the order in which they are played, like "1-8,1-8,9-16".
        style: "nottingham", one staff, or "msmd", two; by default as many as the score has.
        tempo: play the synthesised score at this multiple of its speed.
        staff: of pages, which staff of each system, 1 is the highest; 0: all of them.

    Returns:
        The piece. Where a recording could not be aligned with the score, with a warning, its `timed` is False: `follow` follows
        it, `evaluate` refuses it. A recording is cut to what plays the score; `begins` is the second at which that begins.

    Raises:
        UserError: a file is missing or cannot be used, the recording is silent, too short, or faster or slower than any agent
            follows, or no agent that comes with the project reads such sheets and `game_config` is missing.

    Examples:
        >>> piece = sfg.load_score("tune.musicxml", "tune.mp3", game_config=agent.config)
        >>> bars = [moment.bar for moment in sfg.follow(agent, piece)]
    """
    own = OwnScore(Path(score), None if audio is None else Path(audio), piece, style, part, repeats, order, tempo, staff)
    prepared = own.prepare()
    if game_config is not None:
        config = load_game_config(game_config)
    else:
        config = resolve_network_and_config(fitting_agent(prepared.height, str(score)))[1]
    return load_prepared(prepared, config, tempo)
