"""Following one piece: where the agent is, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from score_following_game.agents.agents import Agent
from score_following_game.api.agent import LoadedAgent
from score_following_game.api.playing import player_and_bank
from score_following_game.api.policy import Policy
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.game import Game
from score_following_game.environment.spaces import ObservationKind


@dataclass(frozen=True)
class Moment:
    """Where an agent is at one frame.

    Attributes:
        seconds: time since the beginning of the performance.
        x: position in the sheet image, pixels from its left edge.
        onset: index of the last onset at or before x, counting the piece's onsets in the order of the sheet from 0; -1 before
            the first one.
        error: x minus the true position, pixels; nan where the piece is not timed, so that nobody knows it.
        lost: the error has exceeded the game's threshold; the game ends here.
        bar, beat: position in the music: the number of the bar in the score, where the piece knows it, else counted from 1 by
            the time signatures of the MIDI file (a pickup is bar 1); None where it states none. The beat has a fraction.
    """

    seconds: float
    x: float
    onset: int
    error: float
    lost: bool
    bar: int | None = None
    beat: float | None = None


def follow(
    agent: LoadedAgent | Agent | Policy,
    piece: Piece,
    *,
    game_config: str | os.PathLike[str] | GameConfig | None = None,
    device: str | None = None,
    observations: ObservationKind | None = None,
    batched: bool | None = None,
) -> Iterator[Moment]:
    """Have an agent follow one piece.

    Args:
        agent, observations, batched: as for `evaluate`.
        piece: one of `load_pieces`.
        game_config: path or name of the rules of the game, or a GameConfig; by default the agent's own, else those the piece
            was loaded for.
        device: where the game is played; by default the device of the agent.

    Yields:
        A Moment for each frame, the first at 1 / fps seconds, until the last onset or until the agent is lost.

    Raises:
        UserError: the piece does not fit the agent's game, or a policy returns something else than an action.

    Examples:
        >>> for moment in sfg.follow(agent, pieces[0]):
        ...     print(f"{moment.seconds:.2f} s: x = {moment.x:.0f} px, onset {moment.onset}")
    """
    player, bank = player_and_bank(agent, [piece], game_config, device, observations, batched)
    return _moments(player, Game(bank, 1), piece)


def _moments(player: Agent, game: Game, piece: Piece) -> Iterator[Moment]:
    fps = game.config.spectrogram_params.fps
    sheet_map = map_of(piece, fps)
    forward_x = np.maximum.accumulate(piece.onset_x.astype(np.float64) if piece.timed else sheet_map.onset_x)
    over = False
    while not over:
        step = game.step(player.perform_action(game))
        over = bool(step.terminated[0])
        x = float(game.x[0]) - game.config.sheet_pad
        onset = int(np.searchsorted(forward_x, x, side="right")) - 1
        place = sheet_map.place(x)
        bar = int(place.bar) if place.bar is not None and place.bar.isdecimal() else None
        yield Moment(int(game.frame[0]) / fps, x, onset, float(step.error[0]), bool(step.lost[0]), bar, place.beat)
