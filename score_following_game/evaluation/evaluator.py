"""Plays a data set from beginning to end, with all pieces and trials as one batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from score_following_game.agents.agents import Agent
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.environment.starts import Start


@dataclass(frozen=True)
class Episode:
    """One game of a piece, played from its beginning.

    Attributes:
        piece: its name.
        last_frame: frame at which the game ended.
        onset_frames: int64 (K,), frames of all onsets of the piece.
        frames: int64 (k,), the onset frames played, up to and including the frame of a loss. Frame 0 is never inspected.
        errors: float64 (k,), position minus true position in these frames, in pixels.
    """

    piece: str
    last_frame: int
    onset_frames: np.ndarray
    frames: np.ndarray
    errors: np.ndarray

    @property
    def tracked(self) -> int:
        """Number of onsets up to the last frame played."""
        return int(np.searchsorted(self.onset_frames, self.last_frame, side="right"))

    @property
    def ratio(self) -> float:
        """The share of the piece's onsets that were tracked."""
        return self.tracked / len(self.onset_frames)


def play_data_set(agent: Agent, bank: ScoreBank, trials: int = 1, progress: bool = False) -> list[list[Episode]]:
    """Play every piece of a bank `trials` times from its beginning.

    Args:
        agent: plays; the bank's config is that of agent.rules.
        bank: the pieces.
        trials: number of games per piece.
        progress: show a progress bar on a terminal.

    Returns:
        For every trial its episodes, in the bank's order.
    """
    piece = torch.arange(len(bank), device=bank.device).repeat(trials)
    game = Game(bank, len(piece))
    game.reset(Start.from_beginning(piece))
    number = torch.arange(len(piece), device=bank.device)
    last_frame = torch.zeros_like(piece)
    noted: list[tuple[torch.Tensor, ...]] = []  # game, frame, error
    with tqdm(total=len(piece), desc="playing", unit="game", disable=None if progress else True, leave=False) as bar:
        while len(number):
            step = game.step(agent.perform_action(game))
            at_onset = bank.onset[bank.frame_row(game.piece, game.frame)] & (game.frame <= bank.last_onset[game.piece])
            noted.append((number[at_onset], game.frame[at_onset], step.error[at_onset]))
            if step.terminated.any():
                last_frame[number[step.terminated]] = game.frame[step.terminated]
                bar.update(int(step.terminated.sum()))
                remaining = ~step.terminated
                game.keep(remaining)
                agent.keep(remaining)
                number = number[remaining]
    return _episodes(bank, trials, last_frame.tolist(), noted)


def _episodes(
    bank: ScoreBank, trials: int, last_frame: list[int], noted: list[tuple[torch.Tensor, ...]]
) -> list[list[Episode]]:
    games, frames, errors = (torch.cat(parts).cpu().numpy() for parts in zip(*noted))
    order = np.argsort(games, kind="stable")  # by game; stable, so within a game by time
    bounds = np.searchsorted(games[order], np.arange(len(last_frame) + 1))
    episodes = []
    for index, last in enumerate(last_frame):
        own = order[bounds[index] : bounds[index + 1]]
        piece = index % len(bank)
        episodes.append(Episode(bank.names[piece], last, bank.onset_frames(piece), frames[own], errors[own]))
    return [episodes[trial * len(bank) : (trial + 1) * len(bank)] for trial in range(trials)]
