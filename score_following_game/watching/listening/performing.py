"""Has an agent follow what is heard: in a window, into a film or unseen; and says how late it was."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.live import LiveScore
from score_following_game.watching.listening.microphone import Microphone
from score_following_game.watching.listening.recording import recording
from score_following_game.watching.listening.session import LiveGame, LiveSession
from score_following_game.watching.listening.sources import SoundSource
from score_following_game.watching.players import Player, Searcher
from score_following_game.watching.setup import UNSEEN, Outputs

WORST = 99.9  # percentile


@dataclass(frozen=True)
class Listening:
    """What is listened to and how. gain: dB, None: the level is followed. record: a wav file that keeps what is heard."""

    source: SoundSource
    gain: float | None = None
    record: Path | None = None


def perform_live(
    piece: Piece,
    live: LiveScore,
    player: Player,
    listening: Listening,
    outputs: Outputs = UNSEEN,
    searcher: Searcher | None = None,
) -> tuple[LiveGame, Piece]:
    """Follow a performance of a piece, shown by the outputs; a film is silent.

    live: the score of the piece. Returns the record of the game, and the piece as it was heard: not timed, and it `begins`
    where the music began in what was heard. Raises UserError: the source cannot be opened, no window can be opened, or a file
    cannot be written.
    """
    sound = live.config.spectrogram_params
    microphone = Microphone(listening.source, sound.sample_rate)
    with contextlib.ExitStack() as stack:
        window = outputs.open_window(stack, "follow without one: --csv FILE.csv")
        recorders = outputs.open_recorders(stack, sound.fps)
        keep = stack.enter_context(recording(listening.record, sound.sample_rate)) if listening.record else None
        notes = map_of(piece, sound.fps).onset_x
        session = LiveSession(live, player, microphone, listening.gain, notes, recorders, window, keep, searcher, outputs.draw)
        episode = session.run()
        print(latency_line(episode, microphone), file=sys.stderr, flush=True, end="")
        outputs.show_finale(window, episode)
    return episode, replace(piece, begins=session.ears.begins or 0.0, timed=False)


def latency_line(episode: LiveGame, microphone: Microphone) -> str:
    """How late the agent was, a line; "" where nothing was played."""
    if not episode.latencies:
        return ""
    median, worst = 1000 * np.percentile(episode.latencies, [50, WORST])
    device = "" if microphone.latency is None else f"; before that {1000 * microphone.latency:.0f} ms in the device"
    lost = f"; samples were lost {microphone.overruns} times" if microphone.overruns else ""
    return (
        f"Latency from the sample to the agent's step: median {median:.1f} ms, {WORST} % {worst:.1f} ms of "
        f"{len(episode.latencies)} frames{device}{lost}\n"
    )
