"""Performances that jump, stop and go wrong, and how long a follower takes to be with the music again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from score_following_game.agents.reading.agent import ReadingAgent
from score_following_game.agents.reading.finding import Finder
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.data_processing.sheet_map import map_of
from score_following_game.environment.live import LiveScore
from score_following_game.environment.score_bank import first_at

SHORTEST, LONGEST = 5.0, 15.0  # seconds of music that are left out or played again
STOP = 5.0  # seconds of silence, or of other music
LEFT = 15.0  # seconds that a performance goes on after the interruption, at least
WITH_THE_MUSIC, KEPT = 0.5, 2.0  # seconds: largest distance of a follower that is with the music; how long it is, to count
SHARE_KEPT = 0.9  # of the frames of KEPT
SILENT = 0.05  # share of the loudest frame's level, the mean over its bands, up to which a frame is silent
INTO_THE_LINE = 2.0  # seconds that a player has played of a line before going back to its beginning, at least
RESTART, OTHER_PIECE = "restart of the line", "another piece"
INTERRUPTIONS = ("none", "jump forward", "jump back", RESTART, "stop", "other music", "other music, jump back", OTHER_PIECE)


@dataclass(frozen=True)
class Interrupted:
    """A performance with an interruption.

    Attributes:
        piece: whose sheet it is.
        spectrogram: float32 (78, n).
        heard: float64 (n,): the frame of the piece that sounds in each frame; nan where it is not the piece.
        again: the frame in which the piece goes on.
    """

    piece: Piece
    spectrogram: np.ndarray
    heard: np.ndarray
    again: int

    @property
    def sounds(self) -> np.ndarray:
        """bool (n,): False in silence, before the music, in a stop or in a pause, when nothing can be told from the sound."""
        level = self.spectrogram.mean(axis=0)
        return level > SILENT * level.max()


def interrupted(piece: Piece, other: Piece, how: str, fps: int, random: np.random.Generator) -> Interrupted | None:
    """Interrupt a piece in one of INTERRUPTIONS; None where it is too short.

    other: of whose middle the other music is; all that is heard under OTHER_PIECE, which never goes on with the piece.
    """
    if how == OTHER_PIECE:
        length = other.spectrogram.shape[1]
        return Interrupted(piece, other.spectrogram, np.full(length, np.nan), length)
    last, stop = int(piece.onset_frames[-1]), round(STOP * fps)
    skipped = round(random.uniform(SHORTEST, LONGEST) * fps)
    forward, back = how == "jump forward", how.endswith("jump back")
    first, latest = (skipped if back else stop), last - round(LEFT * fps) - (skipped if forward else 0)
    places = np.arange(first, latest)
    if how == RESTART:
        begins = _begin_of_line(piece, places, fps)
        places, begins = (each[places - begins >= INTO_THE_LINE * fps] for each in (places, begins))
    if not len(places):
        return None
    chosen = int(random.integers(len(places)))
    at = int(places[chosen])
    after = int(begins[chosen]) if how == RESTART else at + skipped * (forward - back)
    between = np.zeros((len(piece.spectrogram), 0), np.float32)
    if how == "stop":
        between = np.zeros((len(piece.spectrogram), stop), np.float32)
    elif how.startswith("other music"):
        middle = other.spectrogram.shape[1] // 2
        between = other.spectrogram[:, middle : middle + stop]
    frames = np.arange(last + 1, dtype=float)
    return Interrupted(
        piece,
        np.concatenate([piece.spectrogram[:, :at], between, piece.spectrogram[:, after : last + 1]], axis=1),
        np.concatenate([frames[:at], np.full(between.shape[1], np.nan), frames[after:]]),
        at + between.shape[1],
    )


def _begin_of_line(piece: Piece, frames: np.ndarray, fps: int) -> np.ndarray:
    """The frame of the first onset of the system that is played in each frame."""
    x = piece.onset_x[np.searchsorted(piece.onset_frames, frames, side="right") - 1]  # each frame is after the first onset
    columns = np.asarray(map_of(piece, fps).columns)
    system = columns[np.searchsorted(columns, x, side="right") - 1]
    return piece.onset_frames[np.searchsorted(np.maximum.accumulate(piece.onset_x), system)]


@dataclass(frozen=True)
class Followed:
    """A performance as it was followed.

    Attributes:
        distance: float64 (n,), seconds by which the follower is ahead of the music in each frame; nan where there is none.
        confidence: float64 (n,), of the agent.
        sounds: bool (n,), False in silence.
        again: the frame in which the music goes on.
        found: frames in which the follower was put elsewhere.
    """

    distance: np.ndarray
    confidence: np.ndarray
    sounds: np.ndarray
    again: int
    found: tuple[int, ...]

    def seconds_until_found(self, fps: int) -> float:
        """Seconds from when the music goes on until the follower is with it, and stays there; inf if it never is."""
        with_it, kept = np.abs(self.distance) <= WITH_THE_MUSIC, round(KEPT * fps)
        for frame in range(self.again, len(with_it) - kept):
            if with_it[frame : frame + kept].mean() >= SHARE_KEPT:
                return (frame - self.again) / fps
        return math.inf


def follow(
    performance: Interrupted, agent: ReadingAgent, config: GameConfig, finds: bool, device: torch.device | str = "cpu"
) -> Followed:
    """Let an agent follow a performance to its end, whatever happens.

    finds: it looks for the music over the whole sheet. device: that of the agent.
    """
    piece, n, fps = performance.piece, performance.spectrogram.shape[1], config.spectrogram_params.fps
    live = LiveScore.of_piece(piece, config, minutes=(n + 1) / fps / 60, device=device)
    live.hear(performance.spectrogram)
    finder = Finder(agent) if finds else None
    x, confidence, found = np.zeros(n), np.zeros(n), []
    frame_at = _frame_at(piece)
    for frame in range(n):
        x[frame] = live.x
        if finder is not None and (place := finder.look(live.game)) is not None:
            live.game.put(place)
            found.append(frame)
        live.step(agent.perform_action(live.game))
        confidence[frame] = float(agent.confidence[0]) if agent.confidence is not None else np.nan
    return Followed((frame_at(x) - performance.heard) / fps, confidence, performance.sounds, performance.again, tuple(found))


def _frame_at(piece: Piece) -> Callable[[np.ndarray], np.ndarray]:
    """The frame in which the piece is at positions, unpadded pixels."""
    x, frames = first_at(piece.onset_x, piece.onset_frames)
    speed = (x[-1] - x[0]) / max(float(frames[-1] - frames[0]), 1.0)  # pixels per frame

    def frame_at(positions: np.ndarray) -> np.ndarray:
        beyond = positions - np.clip(positions, x[0], x[-1])
        return np.interp(positions, x, frames) + beyond / max(speed, 1e-6)

    return frame_at
