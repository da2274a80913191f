"""The record of a game that is watched, frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from score_following_game.environment.game import Game, GameState
from score_following_game.environment.rendering import names
from score_following_game.watching.players import Player

AGENT, PERSON = "agent", "you"  # who plays, in plots


@dataclass
class WatchedGame:
    """The record of a game. Lists have one entry per frame played.

    Attributes:
        name: of the piece.
        fps: frames per second.
        threshold: the game config's, in pixels.
        last_frame: frame of the last onset, at which the game ends.
        choices: speed changes of the discrete actions, pixels per frame; empty in continuous games.
        states: the state at the start, and after each frame.
        frames: frame numbers.
        x: positions, in pixels of the unpadded sheet.
        true_x: true positions, in pixels of the unpadded sheet.
        speeds: pixels per frame.
        actions: speed changes, pixels per frame.
        errors: x - true_x.
        rewards: the game's rewards.
        values: the critic's estimates before each frame, of players that have them.
        confidences: from 0 to 1, of players that tell how sure they are of their position.
        policies: the policies that chose the actions, of players that have them: probabilities of the `choices`, or mean and
            standard deviation in continuous games.
        lost: whether the game ended because the player lost track.
        most_reward: the reward of a player that is always at the true position.
        found: frames in which the player was lost and put where the music is.
        judged: whether true positions are known. If not, true_x, errors and rewards are nan, and last_frame ends the sound.
        player: AGENT or PERSON, what plots call the player.
    """

    name: str
    fps: int
    threshold: int
    last_frame: int
    choices: tuple[float, ...] = ()
    states: list[GameState] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    x: list[float] = field(default_factory=list)
    true_x: list[float] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    actions: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    policies: list[tuple[float, ...]] = field(default_factory=list)
    lost: bool = False
    most_reward: float = 0.0
    player: str = AGENT
    judged: bool = True
    found: list[int] = field(default_factory=list)

    @property
    def score(self) -> float:
        """The sum of the rewards; nan where they are not known."""
        return float(np.sum(self.rewards))

    @property
    def seconds(self) -> float:
        """Seconds of the music that were played."""
        return (self.frames[-1] if self.frames else 0) / self.fps

    @property
    def finished(self) -> bool:
        """Whether the music was followed to its last onset."""
        return not self.lost and bool(self.frames) and self.frames[-1] >= self.last_frame

    @property
    def over(self) -> bool:
        """Whether the game has ended; a game that the player leaves has not."""
        return self.finished or self.lost

    @property
    def ending(self) -> str:
        """How the game ended, in words."""
        if not self.judged and self.finished:
            return "the recording has ended"
        return names.ending(self.finished, self.lost, self.seconds)


def new_episode(game: Game) -> WatchedGame:
    """The record of game 0 before its first frame."""
    piece, bank = int(game.piece[0]), game.bank
    to_come = torch.arange(int(game.frame[0]) + 1, int(bank.last_onset[piece]) + 1, device=bank.device)
    return WatchedGame(
        bank.names[piece],
        game.config.spectrogram_params.fps,
        game.config.threshold,
        int(bank.last_onset[piece]),
        game.config.actions,
        [game.state().at(slice(1))],
        most_reward=float(bank.rewarded[bank.frame_row(game.piece[:1], to_come)].sum()),
        judged=bank.pieces[piece].timed,
    )


def note_frame(game: Game, episode: WatchedGame, before: float) -> None:
    """Record the frame just played, without what only a judged game knows. before: the speed before it, pixels per frame."""
    speed = float(game.speed[0])
    episode.frames.append(int(game.frame[0]))
    episode.x.append(float(game.x[0]) - game.config.sheet_pad)
    episode.speeds.append(speed)
    episode.actions.append(speed - before)
    for unknown in (episode.true_x, episode.errors, episode.rewards):
        unknown.append(math.nan)
    episode.states.append(game.state().at(slice(1)))


def note_outputs(player: Player, episode: WatchedGame) -> None:
    """Record the player's value, confidence and policy for the frame just played, if it has them."""
    value, confidence, policy = (getattr(player, name, None) for name in ("value", "confidence", "policy"))
    if value is not None:
        episode.values.append(float(value[0]))
    if confidence is not None:
        episode.confidences.append(float(confidence[0]))
    if policy is None:
        return
    if episode.choices:
        episode.policies.append(tuple(policy.log_probabilities[0].exp().tolist()))
    else:
        episode.policies.append((float(policy.mean[0]), float(policy.std[0])))
