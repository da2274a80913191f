"""What became of a watched game, in words: how far it was followed, its reward, and the files that show it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from os import PathLike

from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.rendering.lights import SURE
from score_following_game.environment.rendering.names import clock
from score_following_game.errors import counted
from score_following_game.watching.outcome import Outcome
from score_following_game.watching.record import WatchedGame


def report(episode: WatchedGame, piece: Piece, written: Iterable[str | PathLike[str] | None] = ()) -> None:
    """Print `summary` and the files written to stderr; stdout keeps the lines of 2018. None: not written."""
    lines = [summary(episode, piece)] if episode.frames else []
    if files := [str(file) for file in written if file is not None]:
        lines.append(f"Written: {', '.join(files)}")
    print("\n".join(lines), file=sys.stderr, flush=True, end="\n" * bool(lines))


def summary(episode: WatchedGame, piece: Piece) -> str:
    """How an episode of at least one frame ended, the share of onsets tracked (R_on), and the reward.

    Of a piece that is not timed: where the agent was at the end, and how much of the time its light was green.
    """
    if not piece.timed:
        whole = "" if episode.finished or not episode.last_frame else f" of {clock(episode.last_frame / episode.fps)}"
        found = f"; lost and found again {counted(len(episode.found), 'time')}" if episode.found else ""
        return f"{episode.ending.capitalize()}{whole}; the agent was {_last_place(episode, piece)}{_how_sure(episode)}{found}"
    outcome = Outcome.of_game(episode, piece)
    end = outcome.ending.capitalize()
    if not outcome.finished:
        end += f" of {clock(episode.last_frame / episode.fps)}{_in_recording(episode, piece)}{_bar(episode, piece)}"
    return (
        f"{end}: {outcome.onsets} of {counted(outcome.of, 'onset')} tracked (R_on {outcome.onsets / outcome.of:.2f}), "
        f"reward {outcome.score:.1f} of at most {episode.most_reward:g}"
    )


def _how_sure(episode: WatchedGame) -> str:
    if not episode.confidences:
        return ""
    sure = sum(confidence >= SURE.least for confidence in episode.confidences) / len(episode.confidences)
    return f"; {SURE.word} of its place {sure:.0%} of the time"


def _in_recording(episode: WatchedGame, piece: Piece) -> str:
    """The moment of the end in the recording as it was given, where the piece is a part of it."""
    return f" ({clock(piece.begins + episode.seconds)} of the recording)" if piece.begins >= 0.05 else ""


def _bar(episode: WatchedGame, piece: Piece) -> str:
    """ ", in bar N" of the music at the end; "" where the piece does not know its bars."""
    bar = map_of(piece, episode.fps).place(episode.true_x[-1]).bar
    return "" if bar is None else f", in bar {bar}"


def _last_place(episode: WatchedGame, piece: Piece) -> str:
    """Where in the score the agent was at the end, and where the score ends."""
    sheet_map = map_of(piece, episode.fps)
    end = sheet_map.place(episode.x[-1])
    if sheet_map.pages is not None:
        return f"on page {end.page} of {len(sheet_map.pages.pages)}, in system {end.system}"
    if end.bar is None:
        return f"{episode.x[-1] / max(piece.sheet.shape[1], 1):.0%} through the sheet"
    return f"in bar {end.bar}, the last is {sheet_map.bars[-1].name}"
