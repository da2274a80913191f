"""The loop that connects a game, its player, a clock, and the outputs: a window, a film, pictures, or none."""

from __future__ import annotations

from collections.abc import Sequence

from tqdm import tqdm

from score_following_game.environment.game import Game, Step
from score_following_game.environment.rendering.picture import render
from score_following_game.environment.rendering.video import Recorder
from score_following_game.environment.rendering.window import GlobalKeys, Window
from score_following_game.watching.playback import Clock
from score_following_game.watching.players import Player, Searcher
from score_following_game.watching.record import AGENT, PERSON, WatchedGame, new_episode, note_frame, note_outputs
from score_following_game.watching.stage import Controls, Draw, Stage

KEYS_TO_WATCH = "keys: space pause, r true position, q leave"
KEYS_TO_PLAY = "keys: w or up faster, s or down slower, space pause, r true position, q leave"
PAUSE_SLICE = 0.05  # seconds
MOST_UNDRAWN = 10  # consecutive frames; a machine too slow for the music still draws now and then


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
