"""What a person sees of a game, and what the person's keys say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from score_following_game.environment.game import Game
from score_following_game.environment.rendering.picture import Meter, Overlay
from score_following_game.environment.rendering.video import Recorder
from score_following_game.environment.rendering.window import DOWN, ESCAPE, SPACE, UP, Window
from score_following_game.watching.players import Player
from score_following_game.watching.record import WatchedGame

FINAL_SECONDS = 1.5  # how long the last picture stays
PAUSED = "paused; space goes on"
FASTER, SLOWER = ("w", UP), ("s", DOWN)
Draw = Callable[[Game, Overlay], np.ndarray]  # the picture of a batch of one game, uint8 (H, W, 3), BGR


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
        if not episode.frames:  # The player may have acted, but not in this game.
            value, confidence = None if value is None else [math.nan], None
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
