"""A person's games, one after the other in one window: title, countdown, game, result, and again or another piece."""

from __future__ import annotations

import contextlib
import enum
import logging
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from score_following_game.config import GameConfig
from score_following_game.data_processing.audio import Audio
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.picture import Overlay, render
from score_following_game.environment.rendering.video import film, require_filmable
from score_following_game.environment.rendering.window import ENTER, ESCAPE, LEFT, RIGHT, SPACE, GlobalKeys, Window
from score_following_game.watching import screens
from score_following_game.watching.best_scores import Best, BestScores, game_key
from score_following_game.watching.human import HumanAgent
from score_following_game.watching.outcome import Outcome
from score_following_game.watching.playback import Clock, open_time_source, piece_audio
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.rivals import Rivals, Stopped
from score_following_game.watching.session import watch
from score_following_game.watching.setup import game_of
from score_following_game.watching.stage import Controls

SPEEDS = (1.0, 0.75, 0.5)  # of the music
COUNT_SECONDS = 0.7  # per number of the countdown
RESULT_SECONDS = 120.0  # after that the result closes by itself, so that an unattended run ends
LEAVE, AGAIN, NEXT = ("q", ESCAPE), ("a", SPACE, ENTER), ("n",)
_SLICE = 0.05  # seconds between two looks at the keys

log = logging.getLogger(__name__)


class Wish(enum.Enum):
    """What the person wants after a game."""

    AGAIN, NEXT, LEAVE = range(3)


class _Prepared:
    """What a piece needs beside the game itself, made in another thread: its sound at each speed, the rivals' outcomes."""

    def __init__(self, piece: Piece, config: GameConfig, sound: bool) -> None:
        self._pool = ThreadPoolExecutor(2)  # so that the sound at another speed need not wait for the rivals
        self._rivals, self._sound = Rivals(), sound
        self._piece, self._config = piece, config
        self._audio: dict[float, Future[Audio | None]] = {}
        self.want_audio(1.0)
        self._outcomes = self._pool.submit(self._rivals.play, piece, config)

    def want_audio(self, speed: float) -> Future[Audio | None]:
        if speed not in self._audio:
            make = piece_audio if self._sound else _no_audio
            self._audio[speed] = self._pool.submit(make, self._piece, self._config, 0, speed)
        return self._audio[speed]

    @property
    def outcomes(self) -> dict[str, Outcome] | None:
        """None while the rivals play."""
        return self._outcomes.result() if self._outcomes.done() else None

    def close(self) -> None:
        self._rivals.stop()
        self._pool.shutdown(cancel_futures=True)
        with contextlib.suppress(Stopped):
            if self._outcomes.done() and not self._outcomes.cancelled():
                self._outcomes.result()


def _no_audio(piece: Piece, config: GameConfig, first_frame: int, speed: float) -> None:
    return None


class Games:
    """See above.

    Args:
        pieces: yields a piece, then, whenever the person wants another one, the next; it never ends.
        config: the game.
        video: film of the latest game; None: no film.
        sound: play sound, and write it into the film.
        keys: "window", or "pynput" to read keys pressed anywhere.
        plot: makes the picture of a game that the result shows.
        scores: the person's best scores; by default those in the folder for users' data.
        window: where the games are shown; by default a new one.

    Raises:
        UserError: no window can be opened, or the film cannot be written.
    """

    def __init__(
        self,
        pieces: Iterator[Piece],
        config: GameConfig,
        video: str | None = None,
        sound: bool = True,
        keys: str = "window",
        plot: Callable[[WatchedGame], np.ndarray] | None = None,
        scores: BestScores | None = None,
        window: Window | None = None,
    ) -> None:
        self.pieces, self.config, self.video, self.sound, self.plot = pieces, config, video, sound, plot
        self.speed, self.show_target = SPEEDS[0], True
        if video:
            require_filmable(video)
        self.window = window or Window(advice=ADVICE)
        self.global_keys = GlobalKeys() if keys == "pynput" else None
        self.scores = scores or BestScores()

    def play(self) -> Iterator[tuple[Piece, WatchedGame]]:
        """Yield every game that was begun, with its piece, after its end, before its result is shown."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.window.close)
            if self.global_keys:
                stack.callback(self.global_keys.close)
            wish = Wish.NEXT
            while wish is Wish.NEXT:
                wish = yield from self._play_piece(next(self.pieces))

    def _play_piece(self, piece: Piece) -> Generator[tuple[Piece, WatchedGame], None, Wish]:
        """Play one piece until the person wants another one, or to leave."""
        prepared = _Prepared(piece, self.config, self.sound)
        with contextlib.closing(prepared):
            wish = self._title(piece, prepared)
            while wish is Wish.AGAIN:
                game, controls = game_of(piece, self.config), Controls(show_target=self.show_target)
                if not self._count_down(game, prepared):
                    return Wish.LEAVE
                episode = self._game(game, controls, prepared)
                yield piece, episode
                self.show_target = controls.show_target
                if controls.quit or self.window.closed():
                    return Wish.LEAVE
                wish = self._result(piece, episode, controls, prepared)
            return wish

    def _title(self, piece: Piece, prepared: _Prepared) -> Wish:
        """Show the title until a key is pressed. AGAIN: begin."""
        game = game_of(piece, self.config)
        seconds = int(game.bank.last_onset[0]) / self.config.spectrogram_params.fps
        while True:
            best = self._best(piece, hidden=not self.show_target)
            beginning = self._beginning(game)
            self.window.show(screens.title(beginning, piece.name, seconds, self.speed, self.show_target, best))
            for key in self._wait():
                if key in LEAVE:
                    return Wish.LEAVE
                if key in NEXT:
                    return Wish.NEXT
                if key in (LEFT, RIGHT):
                    self._change_speed(-1 if key == RIGHT else 1)
                    prepared.want_audio(self.speed)
                elif key == "r":
                    self.show_target = not self.show_target
                else:
                    return Wish.AGAIN

    def _change_speed(self, steps: int) -> None:
        place = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]

    def _count_down(self, game: Game, prepared: _Prepared) -> bool:
        """Count to the beginning, longer where the sound is not ready. Returns False if the person leaves."""
        beginning, audio = self._beginning(game), prepared.want_audio(self.speed)
        for number in ("3", "2", "1"):
            self.window.show(screens.countdown(beginning, number))
            end = time.monotonic() + COUNT_SECONDS
            while time.monotonic() < end:
                if set(self.window.keys(_SLICE)) & set(LEAVE):
                    return False
        while not audio.done():
            self.window.show(screens.countdown(beginning, "preparing the sound ..."))
            if set(self.window.keys(_SLICE)) & set(LEAVE):
                return False
        if self.global_keys:
            self.global_keys.take()  # those of the countdown
        return True

    def _game(self, game: Game, controls: Controls, prepared: _Prepared) -> WatchedGame:
        fps, audio = self.config.spectrogram_params.fps * self.speed, prepared.want_audio(self.speed).result()
        with contextlib.ExitStack() as stack:
            recorders = [stack.enter_context(film(self.video, fps, audio))] if self.video else []
            clock = Clock(fps, open_time_source(audio))
            return watch(game, HumanAgent(controls), recorders, self.window, clock, controls, self.global_keys)

    def _result(self, piece: Piece, episode: WatchedGame, controls: Controls, prepared: _Prepared) -> Wish:
        """Show the result until the person decides."""
        outcome = Outcome.of_game(episode, piece)
        key = game_key(piece, self.config, self.speed, not controls.peeked)
        is_best = self.scores.note(key, piece.name, outcome)
        plot = self.plot(episode) if self.plot else None
        shown: dict[str, Outcome] | None = None
        self._show_result(piece, outcome, None, key, is_best, plot)
        end = time.monotonic() + RESULT_SECONDS
        while time.monotonic() < end:
            if shown is None and (shown := prepared.outcomes) is not None:
                self._show_result(piece, outcome, shown, key, is_best, plot)
            for pressed in self.window.keys(_SLICE):
                for keys, wish in ((LEAVE, Wish.LEAVE), (NEXT, Wish.NEXT), (AGAIN, Wish.AGAIN)):
                    if pressed in keys:
                        return wish
        return Wish.LEAVE

    def _show_result(
        self,
        piece: Piece,
        outcome: Outcome,
        rivals: dict[str, Outcome] | None,
        key: str,
        is_best: bool,
        plot: np.ndarray | None,
    ) -> None:
        best = self.scores.best(key)
        self.window.show(screens.result(piece.name, outcome, self.speed, rivals, best, is_best, plot))

    def _beginning(self, game: Game) -> np.ndarray:
        return render(game, Overlay(person=True, show_target=self.show_target))

    def _best(self, piece: Piece, hidden: bool) -> Best | None:
        return self.scores.best(game_key(piece, self.config, self.speed, hidden))

    def _wait(self) -> list[str]:
        """The next keys that are pressed, in the window or, with pynput, anywhere."""
        while True:
            pressed = self.window.keys(_SLICE) + (self.global_keys.take() if self.global_keys else [])
            if pressed:
                return pressed


ADVICE = (
    "a person needs a window to play; watch the optimal agent instead: --agent_type optimal "
    "--game_config game_configs/nottingham_continuous.yaml --video FILE.mp4"
)
