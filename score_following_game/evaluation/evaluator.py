"""Playing a data set from beginning to end, all pieces and trials as one batch."""

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
    """One game of a piece from its start.

    last_frame: the frame it ended at. onset_frames: int64 (K,), all onsets of the piece. frames: int64 (k,), the onset frames
    played, errors: float64 (k,) pixels, x - true x there, the frame of the loss included (frame 0 is never inspected).
    """

    piece: str
    last_frame: int
    onset_frames: np.ndarray
    frames: np.ndarray
    errors: np.ndarray

    @property
    def tracked(self) -> int:
        """Onsets up to the last frame played."""
        return int(np.searchsorted(self.onset_frames, self.last_frame, side="right"))

    @property
    def ratio(self) -> float:
        """The share of the onsets that were tracked."""
        return self.tracked / len(self.onset_frames)


def play_data_set(agent: Agent, bank: ScoreBank, trials: int = 1, progress: bool = False) -> list[list[Episode]]:
    """Every piece `trials` times -> per trial, the episodes in the bank's order. Ended games leave the batch."""
    piece = torch.arange(len(bank), device=bank.device).repeat(trials)
    game = Game(bank, len(piece))
    game.reset(Start.from_beginning(piece))
    number = torch.arange(len(piece), device=bank.device)
    last_frame = torch.zeros_like(piece)
    noted: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    with tqdm(total=len(piece), desc="playing", unit="game", disable=None if progress else True, leave=False) as bar:
        while len(number):
            step = game.step(agent.perform_action(game))
            at_onset = bank.onset[bank.frame_row(game.piece, game.frame)] & (game.frame <= bank.last_onset[game.piece])
            noted.append((number[at_onset], game.frame[at_onset], step.error[at_onset]))
            if step.terminated.any():
                last_frame[number[step.terminated]] = game.frame[step.terminated]
                bar.update(int(step.terminated.sum()))
                going_on = ~step.terminated
                game.keep(going_on)
                agent.keep(going_on)
                number = number[going_on]
    return _episodes(bank, trials, last_frame.tolist(), noted)


def _episodes(bank: ScoreBank, trials: int, last_frame: list[int], noted: list) -> list[list[Episode]]:
    games, frames, errors = (torch.cat(parts).cpu().numpy() for parts in zip(*noted))
    order = np.argsort(games, kind="stable")  # by game, within a game by time
    bounds = np.searchsorted(games[order], np.arange(len(last_frame) + 1))
    episodes = []
    for index, last in enumerate(last_frame):
        own = order[bounds[index] : bounds[index + 1]]
        piece = index % len(bank)
        episodes.append(Episode(bank.names[piece], last, bank.onset_frames(piece), frames[own], errors[own]))
    return [episodes[trial * len(bank) : (trial + 1) * len(bank)] for trial in range(trials)]
