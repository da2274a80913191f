"""The loop that joins a live score, its agent, a microphone, a person's keys and the outputs."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from score_following_game.environment.live import LiveScore
from score_following_game.environment.rendering.names import clock
from score_following_game.environment.rendering.page_view import PageView
from score_following_game.environment.rendering.picture import Meter, render, sheet_x_at
from score_following_game.environment.rendering.video import Recorder
from score_following_game.environment.rendering.window import ENTER, LEFT, RIGHT, Window
from score_following_game.errors import UserError
from score_following_game.interrupts import interruptible
from score_following_game.watching.listening.ears import Ears
from score_following_game.watching.listening.microphone import Microphone
from score_following_game.watching.listening.ring import Block
from score_following_game.watching.players import Player, Searcher
from score_following_game.watching.record import WatchedGame, note_frame, note_outputs
from score_following_game.watching.session import search
from score_following_game.watching.stage import Controls, Draw, Stage

KEYS = "keys: space pause, arrows move the cursor, q leave"
WAITING = "waiting for the first note"
BEGIN = "; enter begins at once"
SILENT = 10.0  # seconds after which a silent microphone is told
INAUDIBLE = 1e-3  # largest sample of a silent microphone, 1 = full scale
QUIET_END = 3.0  # seconds of quiet after which the music has ended, at the score's end
LOOK = 0.004  # seconds between two looks at the microphone
LATE = 0.02  # seconds of latency from which on following goes before drawing
LATE_FILM = 1.0  # and before drawing for a film, whose pictures nobody waits for; the ring of samples holds 30 s
REDRAWN, REDRAWN_LATE = 0.1, 0.5  # seconds after which the window is drawn although no frame was played, or although it is late
LEAST_LEVEL, MOST_LATENCY = -60.0, 100.0  # ends of the meters: dB, ms
_LATEST = 20  # frames whose latency is shown

log = logging.getLogger(__name__)


@dataclass
class LiveGame(WatchedGame):
    """The record of a live game: nobody knows the true positions, nor, before it, how long it lasts (`last_frame` is 0).

    music_ended: whether it was heard to its end. latencies: seconds from the arrival of the last sample that a frame needed to
    the end of the agent's step; without those frames in which the music was heard to begin, since the agent catches up then.
    """

    music_ended: bool = False
    latencies: list[float] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return self.music_ended

    @property
    def ending(self) -> str:
        return "the music has ended" if self.finished else f"left at {clock(self.seconds)}"


class LiveSession:
    """One performance that is listened to.

    Args:
        live: the score, at its start.
        player: acts in live.game.
        microphone: not started yet.
        gain: dB; None: the level is followed.
        notes: x of the notes, pixels of the sheet; none where they are unknown.
        recorders: called with the picture of every frame.
        window: shows the game, and gives keys and clicks.
        keep: called with all samples, float32 (n,), as they are heard.
        searcher: puts a player that is lost where the music is.
        draw: makes the pictures.
    """

    def __init__(
        self,
        live: LiveScore,
        player: Player,
        microphone: Microphone,
        gain: float | None = None,
        notes: Sequence[float] = (),
        recorders: Sequence[Recorder] = (),
        window: Window | None = None,
        keep: Callable[[np.ndarray], object] | None = None,
        searcher: Searcher | None = None,
        draw: Draw = render,
    ) -> None:
        self.live, self.player, self.microphone, self.window, self.keep = live, player, microphone, window, keep
        self.ears, self._searcher = Ears(live, gain), searcher
        self._sheet_x_at = draw.sheet_x_at if isinstance(draw, PageView) else sheet_x_at
        fps = live.config.spectrogram_params.fps
        first_state = [live.game.state().at(slice(1))]
        self.episode = LiveGame(live.piece.name, fps, live.config.threshold, 0, live.config.actions, first_state, judged=False)
        self._controls = Controls()
        self._stage = Stage(live.game, player, self.episode, self._controls, recorders, window, "", False, draw)
        self._notes = np.unique(np.asarray(notes, np.float64))
        self._drawn = -1.0  # when the window was
        self._told = False

    def run(self) -> LiveGame:
        """Listen until the music ends or the person leaves, also by Ctrl-C. Raises UserError for a silent recording."""
        log.info("listening to %s; %s", self.microphone.source.name, WAITING)
        self._stage.notice, self._stage.hint = WAITING + (BEGIN if self.window else ""), KEYS if self.window else ""
        self._stage.show(draw_window=True)
        self._rehearse()
        with interruptible(announce=False) as interrupted, contextlib.closing(self.microphone):
            self.microphone.start()
            while not (interrupted() or self._controls.quit or self.episode.over):
                ended, blocks = self.microphone.ended, self.microphone.read()
                for block in blocks:
                    self._hear(block)
                if ended and not blocks:
                    self._end_of_sound()
                self._tell_silence()
                self._look()
        if self.episode.frames:
            self._stage.hold()
        return self.episode

    def _rehearse(self) -> None:
        """Let the player act once, unplayed: the first time takes longest, since it compiles, and a reading agent reads all."""
        generator = getattr(self.player, "generator", None)
        state = None if generator is None else generator.get_state()
        self.player.perform_action(self.live.game)
        if generator is not None:
            generator.set_state(state)

    def _hear(self, block: Block) -> None:
        """Hear a block and play all frames that it completes."""
        if self.episode.over:
            return
        if self.keep is not None:
            self.keep(block.samples)
        waited = self.ears.waiting
        self.ears.push(block.samples)
        if waited and not self.ears.waiting:
            log.info("the music begins after %.1f s", self.ears.begins)
            self._stage.notice = ""
        if self.ears.waiting:
            return
        while self.live.ready:
            self._play_frame(block.arrival)
            if not waited:
                self.episode.latencies.append(time.monotonic() - block.arrival)
        at_end = self.live.x >= self._last_x
        self.episode.music_ended = self.live.full or (at_end and self.ears.quiet >= QUIET_END)

    def _play_frame(self, arrival: float) -> None:
        """Play a frame. arrival: when its last sample was there, in seconds of time.monotonic()."""
        game = self.live.game
        if not self._controls.paused:
            search(game, self._searcher, self.episode)
        before = float(game.speed[0])
        if self._controls.paused:
            self.live.wait()
        else:
            self.live.step(self.player.perform_action(game))
        note_frame(game, self.episode, before)
        note_outputs(self.player, self.episode)
        self._set_meters()
        if self._stage.recorders:
            self._stage.show(draw_window=False, again=time.monotonic() - arrival > LATE_FILM)

    def _end_of_sound(self) -> None:
        if self.ears.waiting:
            raise UserError(f"{self.microphone.source.name}: no note was heard in it")
        self.ears.finish()
        while self.live.ready:
            self._play_frame(time.monotonic())
        self.episode.music_ended = True

    @property
    def _last_x(self) -> float:
        """From where on the agent is at the end of the score: a little before the last note, or the end of the sheet."""
        context = self.live.config.sheet_context
        end = float(self._notes[-1]) if len(self._notes) else self.live.piece.sheet.shape[1] - context / 4
        return end - context / 10

    def _tell_silence(self) -> None:
        silent = self.ears.waiting and self.ears.seconds_waited > SILENT and self.ears.loudest < INAUDIBLE
        if silent and not self._told:
            self._told = True
            log.warning(
                "%s: silent for %.0f s; is the microphone muted, or is it another one? --audio mic:? lists them",
                self.microphone.source.name,
                SILENT,
            )

    def _look(self) -> None:
        """Draw the window if there is something new, and do what the person wants; wait a moment."""
        if self.window is None:
            time.sleep(LOOK)
            return
        late = bool(self.episode.latencies) and self.episode.latencies[-1] > LATE
        due = self._drawn + (REDRAWN_LATE if late else REDRAWN)
        if (self._stage.drawn < len(self.episode.frames) and not late) or time.monotonic() > due:
            self._set_meters()
            self._stage.refresh()
            self._drawn = time.monotonic()
        keys = self.window.keys(LOOK)
        self._controls.press(keys)
        for key in keys:
            if key == ENTER:
                self.ears.begin()
                self._stage.notice = ""
            elif key in (LEFT, RIGHT):
                self.live.put(self._beside(key))
        for point in self.window.clicks():
            if (x := self._sheet_x_at(self.live.game, point)) is not None:
                self.live.put(x)

    def _beside(self, key: str) -> float:
        """The x of the note before or after the cursor; without notes, that an eighth of the agent's window away."""
        x, context = self.live.x, self.live.config.sheet_context
        shift = context / 8
        if not len(self._notes):
            return x + (shift if key == RIGHT else -shift)
        if key == RIGHT:
            return float(min(self._notes[self._notes > x + 1], default=x))
        passed = x - context / 15  # the note that is being played does not count
        return float(max(self._notes[self._notes < passed], default=self._notes[0]))

    def _set_meters(self) -> None:
        level, latest = self.ears.level, self.episode.latencies[-_LATEST:]
        shown = f"{level:.0f} dB, gain {self.ears.gain:+.0f} dB"
        meters = [Meter("input level", max(level - LEAST_LEVEL, 0.0), -LEAST_LEVEL, "lost" if self.microphone.lost else shown)]
        if latest:
            latency = 1000 * float(np.median(latest))
            meters.append(Meter("latency, ms", latency, MOST_LATENCY, f"{latency:.0f}"))
        self._stage.meters = tuple(meters)
