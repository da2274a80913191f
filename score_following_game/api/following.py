"""Following one piece: where the agent is, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from score_following_game.agents.agents import Agent
from score_following_game.api.agent import LoadedAgent, device_of
from score_following_game.api.pieces import bank_of
from score_following_game.config import DEFAULT_GAME_CONFIG, GameConfig, load_game_config
from score_following_game.data_processing.bars import BarCounter
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game


@dataclass(frozen=True)
class Moment:
    """Where an agent is at one frame.

    Attributes:
        seconds: time since the beginning of the performance.
        x: position in the sheet image, pixels from its left edge.
        onset: index of the last onset at or before x, counting the piece's onsets in the order of the sheet from 0; -1 before
            the first one.
        error: x minus the true position, pixels.
        lost: the error has exceeded the game's threshold; the game ends here.
        bar, beat: position in the music, both counted from 1, as the time signatures of the MIDI file count them (a pickup is
            bar 1); None where the file states no time signature. The beat has a fraction.
    """

    seconds: float
    x: float
    onset: int
    error: float
    lost: bool
    bar: int | None = None
    beat: float | None = None


def follow(
    agent: LoadedAgent | Agent, piece: Piece, *, game_config: GameConfig | None = None, device: str | None = None
) -> Iterator[Moment]:
    """Have an agent follow one piece.

    Args:
        agent: from `load_agent`, or any `score_following_game.agents.agents.Agent`.
        piece: one of `load_pieces`.
        game_config: the rules of the game; by default the agent's own, else those the piece was loaded for.
        device: where the game is played; by default the device of the agent.

    Yields:
        A Moment for each frame, the first at 1 / fps seconds, until the last onset or until the agent is lost.

    Raises:
        UserError: the piece does not fit the agent's game.

    Example:
        >>> for moment in sfg.follow(agent, pieces[0]):
        ...     print(f"{moment.seconds:.2f} s: x = {moment.x:.0f} px, onset {moment.onset}")
    """
    player = agent.player() if isinstance(agent, LoadedAgent) else agent
    own = agent.config if isinstance(agent, LoadedAgent) else getattr(piece, "heard_for", None)
    config = game_config or own or load_game_config(DEFAULT_GAME_CONFIG)
    bank = bank_of([piece], player.rules(config), device or device_of(agent))
    return _moments(player, Game(bank, 1), piece)


def _moments(player: Agent, game: Game, piece: Piece) -> Iterator[Moment]:
    fps = game.config.spectrogram_params.fps
    forward_x = np.maximum.accumulate(piece.onset_x.astype(np.float64))
    counter = BarCounter.of(piece.midi_path)
    over = False
    while not over:
        step = game.step(player.perform_action(game))
        over = bool(step.terminated[0])
        x = float(game.x[0]) - game.config.sheet_pad
        onset = int(np.searchsorted(forward_x, x, side="right")) - 1
        bar, beat = (None, None) if counter is None else counter.at(_music_seconds(x, forward_x, piece, fps) * piece.tempo)
        yield Moment(int(game.frame[0]) / fps, x, onset, float(step.error[0]), bool(step.lost[0]), bar, beat)


def _music_seconds(x: float, forward_x: np.ndarray, piece: Piece, fps: int) -> float:
    """When the performance is at x, in seconds."""
    distinct, first = np.unique(forward_x, return_index=True)
    return float(np.interp(x, distinct, piece.onset_frames[first])) / fps
