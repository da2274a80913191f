"""What became of a watched game, in words: how far it was followed, its reward, and the files that show it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from os import PathLike

from score_following_game.data_processing.bars import BarCounter
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.rendering.names import clock
from score_following_game.errors import counted
from score_following_game.watching.outcome import Outcome
from score_following_game.watching.session import WatchedGame


def report(episode: WatchedGame, piece: Piece, written: Iterable[str | PathLike[str] | None] = ()) -> None:
    """Print `summary` and the files written to stderr; stdout keeps the lines of 2018. None: not written."""
    lines = [summary(episode, piece)] if episode.frames else []
    if files := [str(file) for file in written if file is not None]:
        lines.append(f"Written: {', '.join(files)}")
    print("\n".join(lines), file=sys.stderr, flush=True, end="\n" * bool(lines))


def summary(episode: WatchedGame, piece: Piece) -> str:
    """How an episode of at least one frame ended, the share of onsets tracked (R_on), and the reward."""
    if not piece.has_notes:
        return (
            f"Followed for {clock(episode.seconds)} of {clock(episode.last_frame / episode.fps)}; the piece is made of pages: "
            "where its notes are is unknown, so nothing is judged"
        )
    outcome = Outcome.of_game(episode, piece)
    end = outcome.ending.capitalize()
    if not outcome.finished:
        end += f" of {clock(episode.last_frame / episode.fps)}{_bar(piece, outcome.seconds)}"
    return (
        f"{end}: {outcome.onsets} of {counted(outcome.of, 'onset')} tracked (R_on {outcome.onsets / outcome.of:.2f}), "
        f"reward {outcome.score:.1f} of at most {episode.most_reward:g}"
    )


def _bar(piece: Piece, seconds: float) -> str:
    """ ", in bar N" of the music at that time; "" where the MIDI file does not say."""
    counter = BarCounter.of(piece.midi_path)
    return "" if counter is None else f", in bar {counter.at(seconds * piece.tempo)[0]}"
