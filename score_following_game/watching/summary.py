"""What became of a watched game, in words: how far it was followed, its reward, and the files that show it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from os import PathLike

from score_following_game.command_line import counted
from score_following_game.data_processing.bars import BarCounter
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.rendering.names import clock
from score_following_game.watching.session import WatchedGame


def report(episode: WatchedGame, piece: Piece, written: Iterable[str | PathLike[str] | None] = ()) -> None:
    """Print `summary` and the files written to stderr; stdout keeps the lines of 2018. None: not written."""
    lines = [summary(episode, piece)] if episode.frames else []
    if files := [str(file) for file in written if file is not None]:
        lines.append(f"Written: {', '.join(files)}")
    print("\n".join(lines), file=sys.stderr, flush=True, end="\n" * bool(lines))


def summary(episode: WatchedGame, piece: Piece) -> str:
    """How an episode of at least one frame ended, the share of onsets tracked (R_on), and the reward."""
    seconds = episode.frames[-1] / episode.fps
    end = "Followed to the end" if episode.ending and not episode.lost else "Lost" if episode.lost else "Left"
    if end != "Followed to the end":
        end += f" at {clock(seconds)} of {clock(episode.last_frame / episode.fps)}{_bar(piece, seconds)}"
    tracked = int((piece.onset_frames <= episode.frames[-1]).sum())
    count = len(piece.onset_frames)
    return (
        f"{end}: {tracked} of {counted(count, 'onset')} tracked (R_on {tracked / count:.2f}), "
        f"reward {episode.score:.1f} of at most {episode.most_reward:g}"
    )


def _bar(piece: Piece, seconds: float) -> str:
    """ ", in bar N" of the music at that time; "" where the MIDI file does not say."""
    counter = BarCounter.of(piece.midi_path)
    return "" if counter is None else f", in bar {counter.at(seconds * piece.tempo)[0]}"
