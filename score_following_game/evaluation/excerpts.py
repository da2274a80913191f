"""Short films of games, for reports."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from score_following_game.agents.agents import Agent
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.names import clock
from score_following_game.environment.rendering.picture import render
from score_following_game.environment.rendering.video import film
from score_following_game.evaluation.html_report import Film
from score_following_game.evaluation.saliency_film import overlay_after
from score_following_game.opencv import cv2
from score_following_game.watching.playback import piece_audio
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of

SECONDS = 10.0
SIZE = 960, 540  # width and height


def excerpt(agent: Agent, piece: Piece, config: GameConfig, device: torch.device | str = "cpu") -> Film:
    """Have an agent play a game, and film its last ten seconds if it was lost, else the first ten.

    config: of the evaluation; the agent plays by agent.rules(config). Raises UserError where ffmpeg fails.
    """
    game = game_of(piece, agent.rules(config), device)
    fps = config.spectrogram_params.fps
    episode = watch(game, agent)
    length = round(SECONDS * fps)
    last = len(episode.frames) if episode.lost else min(length, len(episode.frames))
    first = max(0, last - length)
    begin, end = (clock(frame / fps) for frame in (first, last))
    poster = cv2.imencode(".jpg", _picture(episode, game, first))[1].tobytes()
    caption = f"{episode.ending}; {begin} to {end} of the music"
    return Film(piece.name, caption, _filmed(episode, piece, game, first, last), poster)


def _filmed(episode: WatchedGame, piece: Piece, game: Game, first: int, last: int) -> bytes:
    """The content of a film of the pictures after `first` to `last` frames."""
    fps = game.config.spectrogram_params.fps
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "excerpt.mp4"
        with film(path, fps, piece_audio(piece, game.config, first), SIZE) as record:
            for played in range(first, last + 1):
                record(_picture(episode, game, played))
        return path.read_bytes()


def _picture(episode: WatchedGame, game: Game, played: int) -> np.ndarray:
    picture = render(Game.at(game.bank, episode.states[played]), overlay_after(episode, played))
    return cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)
