"""The loop that connects a game, its player, a clock, and the outputs: a window, a film, pictures, or none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from score_following_game.environment.game import Game, GameState, Step
from score_following_game.environment.rendering import names
from score_following_game.environment.rendering.picture import Meter, Overlay, render
from score_following_game.environment.rendering.video import Recorder
from score_following_game.environment.rendering.window import DOWN, ESCAPE, SPACE, UP, GlobalKeys, Window
from score_following_game.watching.playback import Clock

FINAL_SECONDS = 1.5  # how long the last picture stays
KEYS_TO_WATCH = "keys: space pause, r true position, q leave"
KEYS_TO_PLAY = "keys: w or up faster, s or down slower, space pause, r true position, q leave"
PAUSED = "paused; space goes on"
AGENT, PERSON = "agent", "you"  # who plays, in plots
FASTER, SLOWER = ("w", UP), ("s", DOWN)
PAUSE_SLICE = 0.05  # seconds
Draw = Callable[[Game, Overlay], np.ndarray]  # the picture of a batch of one game, uint8 (H, W, 3), BGR
MOST_UNDRAWN = 10  # consecutive frames; a machine too slow for the music still draws now and then


class Player(Protocol):
    """A player, for instance an agents.agents.Agent.

    Attributes `value` (N,), `confidence` (N,), 0 to 1, and `policy` (agents.policy) are optional.
    """

    def perform_action(self, game: Game) -> Tensor: ...


class Searcher(Protocol):
    """Looks for the music where the player is not, for instance an agents.reading.finding.Finder."""

    def look(self, game: Game) -> Tensor | None: ...


@dataclass
class Controls:
    """The state set by a person's keys. direction: +1 (w, faster), -1 (s, slower) or 0 in this frame.

    peeked: the true position has been shown since the game began.
    """

    direction: int = 0
    show_target: bool = True
    paused: bool = False
    quit: bool = False
    peeked: bool = False

    def press(self, keys: Sequence[str]) -> None:
        """Apply the keys of one frame, in order; of w and s the last one counts."""
        self.direction = 0
        for key in keys:
            if key in FASTER + SLOWER:
                self.direction = 1 if key in FASTER else -1
            elif key == "r":
                self.show_target = not self.show_target
            elif key == SPACE:
                self.paused = not self.paused
            elif key in ("q", ESCAPE):
                self.quit = True


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


def watch(
    game: Game,
    player: Player,
    recorders: Sequence[Recorder] = (),
    window: Window | None = None,
    clock: Clock | None = None,
    controls: Controls | None = None,
    global_keys: GlobalKeys | None = None,
    searcher: Searcher | None = None,
    draw: Draw = render,
) -> WatchedGame:
    """Play a game to its end, or until the player leaves it or closes the window, and show it.

    Args:
        game: a batch of one game, at its start.
        player: plays the game.
        recorders: called with the picture of every frame.
        window: shows the game in real time. Every frame is played; a machine that is late skips drawing. Without a window
            the game runs as fast as possible.
        clock: paces the window; default: the machine's clock.
        controls: set when a person plays.
        global_keys: source of the keys pressed outside the window.
        searcher: puts a player that is lost where the music is.
        draw: makes the pictures.

    Returns:
        The record of the game.
    """
    episode = new_episode(game)
    episode.player = PERSON if controls else AGENT
    hint = (KEYS_TO_PLAY if controls else KEYS_TO_WATCH) if window else ""
    person = controls is not None
    controls = controls or Controls()
    stage = Stage(game, player, episode, controls, recorders, window, hint, person, draw)
    clock = (clock or Clock(episode.fps, first=int(game.frame[0]))) if window else None
    stage.show(draw_window=True)
    if clock:
        clock.start()
    frames = tqdm(
        total=episode.last_frame - int(game.frame[0]),
        desc=f"playing {episode.name}",
        unit="frame",
        leave=False,
        disable=True if window else None,
    )
    try:
        ended = False
        while not ended:
            if clock and window:
                controls.press(_keys(window, global_keys, clock.until(int(game.frame[0]) + 1)))
                if controls.paused:
                    _pause(stage, window, clock, global_keys)
                if controls.quit:
                    return episode
            ended = _play_frame(game, player, episode, searcher)
            frames.update()
            late = clock is not None and clock.until(int(game.frame[0]) + 1) <= 0
            stage.show(draw_window=ended or not late or len(episode.frames) - stage.drawn >= MOST_UNDRAWN)
        stage.hold()
    finally:
        frames.close()
        if clock:
            clock.stop()
    return episode


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


def _keys(window: Window, global_keys: GlobalKeys | None, seconds: float) -> list[str]:
    """Wait `seconds` and return the keys pressed meanwhile. With global keys, the window's own keys cannot play."""
    pressed = window.keys(max(seconds, 0.0))
    if global_keys is None:
        return pressed
    return [key for key in pressed if key not in (*global_keys.PLAYING, *global_keys.SWITCHING)] + global_keys.take()


def _pause(stage: Stage, window: Window, clock: Clock, global_keys: GlobalKeys | None) -> None:
    """Stop the music until the person goes on or leaves."""
    controls = stage.controls
    clock.pause()
    stage.refresh()
    while controls.paused and not controls.quit:
        shown = controls.show_target
        controls.press(_keys(window, global_keys, PAUSE_SLICE))
        if controls.show_target != shown:
            stage.refresh()
    controls.direction = 0
    clock.resume()


def _play_frame(game: Game, player: Player, episode: WatchedGame, searcher: Searcher | None) -> bool:
    """Play one frame and record it. Returns True when the game has ended."""
    search(game, searcher, episode)
    before = float(game.speed[0])
    step: Step = game.step(player.perform_action(game))
    note_frame(game, episode, before)
    episode.true_x[-1] = float(game.true_position()[0]) - game.config.sheet_pad
    episode.errors[-1], episode.rewards[-1] = float(step.error[0]), float(step.reward[0])
    episode.lost = bool(step.lost[0])
    note_outputs(player, episode)
    return bool(step.terminated[0])


def search(game: Game, searcher: Searcher | None, episode: WatchedGame) -> None:
    """Let the searcher, if there is one, put a lost player where the music is, and record it."""
    if searcher is not None and (place := searcher.look(game)) is not None:
        game.put(place)
        episode.found.append(int(game.frame[0]))


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


@dataclass
class Stage:
    """Draws the present frame into the window and the recorders. notice: shown until the game is over, unless it is paused."""

    game: Game
    player: Player
    episode: WatchedGame
    controls: Controls
    recorders: Sequence[Recorder]
    window: Window | None
    hint: str
    person: bool
    draw: Draw
    drawn: int = 0  # how many frames had been played when the window was last drawn
    notice: str = ""
    meters: tuple[Meter, ...] = ()
    shown: np.ndarray | None = None  # the latest picture of the recorders

    def show(self, draw_window: bool, again: bool = False) -> None:
        """again: give the recorders their latest picture once more, which takes next to no time, instead of drawing one."""
        window = self.window if draw_window else None
        if not self.recorders and not window:
            return
        picture = self.shown if again and self.shown is not None else self._picture()
        self.shown = picture
        for record in self.recorders:
            record(picture)
        if window:
            window.show(picture)
            self.drawn = len(self.episode.frames)

    def refresh(self) -> None:
        """Draw the window alone, for instance because the game is paused; a film has no pauses."""
        if self.window:
            self.window.show(self._picture())
            self.drawn = len(self.episode.frames)

    def hold(self) -> None:
        """Show the last picture, with the ending, for FINAL_SECONDS."""
        picture = self._picture()
        for _ in range(round(FINAL_SECONDS * self.episode.fps)):
            for record in self.recorders:
                record(picture)
        if self.window:
            self.window.show(picture)
            self.window.keys(FINAL_SECONDS)

    def _picture(self) -> np.ndarray:
        episode = self.episode
        value, confidence = (getattr(self.player, name, None) for name in ("value", "confidence"))
        self.controls.peeked |= self.controls.show_target and not episode.over
        return self.draw(
            self.game,
            Overlay(
                reward=episode.rewards[-1] if episode.rewards else 0.0,
                score=episode.score,
                value=None if value is None else float(value[0]),
                confidence=None if confidence is None else float(confidence[0]),
                show_target=self.controls.show_target or episode.over,
                message=episode.ending if episode.over else (PAUSED if self.controls.paused else self.notice),
                hint=self.hint,
                person=self.person,
                meters=self.meters,
            ),
        )
