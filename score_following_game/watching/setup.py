"""Shared by the scripts that show a game: loading the one piece they play, and playing it before a window or into a film."""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from score_following_game.config import GameConfig
from score_following_game.data_processing.audio import Audio
from score_following_game.data_processing.dataset import load_data_set, score_paths
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.page_source import has_pages
from score_following_game.environment.rendering.page_view import PageView
from score_following_game.environment.rendering.picture import HEIGHT, WIDTH, render
from score_following_game.environment.rendering.video import Recorder, film, picture_folder, require_filmable
from score_following_game.environment.rendering.window import Window
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError, counted
from score_following_game.watching.playback import Clock, open_time_source, piece_audio
from score_following_game.watching.players import Player, Searcher
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.session import watch
from score_following_game.watching.stage import Draw

FINALE_SECONDS = 20.0  # after that the finale closes by itself, so that an unattended run ends

VIEWS = PAGE, STRIP = ("page", "strip")

log = logging.getLogger(__name__)


def load_one_piece(
    data_set: str | os.PathLike[str], config: GameConfig, piece: str | None, seed: int, silent: bool = False
) -> Piece:
    """Load the piece named `piece`, or, when it is None, a random usable one. No other piece is kept.

    silent: its performance is not played, since another one will be heard. Raises UserError when the piece, or every piece of
    the set, cannot be used.
    """
    if piece is not None:
        return load_data_set(data_set, config, piece=piece, silent=silent, without_notes=True)[0]
    names = list(score_paths(data_set))
    random.Random(seed).shuffle(names)
    problems = []
    for name in names:
        try:
            chosen = load_data_set(data_set, config, piece=name, silent=silent, without_notes=True)[0]
        except UserError as error:
            problems.append(str(error))
            continue
        if problems:
            log.warning("%s skipped; the first: %s", counted(len(problems), "unusable piece"), problems[0])
        return chosen
    raise UserError(f"{data_set}: no piece can be used; the first of {len(names)}: {problems[0]}")


def pieces_in_turn(data_set: str | os.PathLike[str], config: GameConfig, piece: str | None, seed: int) -> Iterator[Piece]:
    """Yield the piece that load_one_piece chooses, then the others of the set in the order of their names, again and again.

    Unusable pieces are left out, with a warning each time. Raises UserError as load_one_piece does.
    """
    chosen = load_one_piece(data_set, config, piece, seed)
    yield chosen
    names = list(score_paths(data_set))
    place = names.index(chosen.name) if chosen.name in names else 0
    while True:
        place += 1
        try:
            yield load_data_set(data_set, config, piece=names[place % len(names)])[0]
        except UserError as error:
            log.warning("left out: %s", error)


def game_of(piece: Piece, config: GameConfig, device: torch.device | str = "cpu") -> Game:
    """A batch of one game, at the beginning of the piece."""
    bank = ScoreBank([piece], config, device)
    # A new game starts at the beginning of the bank's first piece, here its only one.
    return Game(bank, 1)


def view_of(piece: Piece, config: GameConfig, view: str | None, size: tuple[int, int] | None) -> PageView | None:
    """The view of a piece that the user asks for: the page view, or None for the strip.

    view: a name of VIEWS; None: pages for a piece made of pages, else the strip. size: of the pictures, None for the usual one.
    Raises UserError where they do not fit together, or the size cannot be drawn.
    """
    fps = config.spectrogram_params.fps
    if (view or (PAGE if has_pages(piece, fps) else STRIP)) == PAGE:
        return PageView(piece, fps, size or (WIDTH, HEIGHT))
    if size is not None:
        raise UserError(f"--size: the strip is always {WIDTH}x{HEIGHT}; leave --size out, or add --view {PAGE}")
    return None


@dataclass(frozen=True)
class Outputs:
    """Where a game is shown: in a window, unless it is recorded.

    video: path of the film to write. pictures: write every frame to video_frames/. finale: makes the picture that the window
    shows after the game until a key is pressed; it is not shown when the player has left the game. unseen: open no window
    although nothing is recorded. view: draws the pictures; None: the strip.
    """

    video: str | None = None
    pictures: bool = False
    finale: Callable[[WatchedGame], np.ndarray] | None = None
    unseen: bool = False
    view: PageView | None = None

    @property
    def draw(self) -> Draw:
        """What makes the pictures."""
        return self.view or render

    def open_window(self, stack: contextlib.ExitStack, advice: str) -> Window | None:
        """The window, to be closed by the stack. Raises UserError where there is to be one and none is possible."""
        if self.video or self.pictures or self.unseen:
            return None
        return stack.enter_context(contextlib.closing(Window(advice=advice)))

    def open_recorders(self, stack: contextlib.ExitStack, fps: int, audio: Audio | None = None) -> list[Recorder]:
        """The recorders, which write until the stack ends. Raises UserError where the film cannot be written."""
        recorders = [stack.enter_context(picture_folder())] if self.pictures else []
        if self.video:
            size = self.view.size if self.view else (WIDTH, HEIGHT)
            recorders.append(stack.enter_context(film(self.video, fps, audio, size)))
        return recorders

    def show_finale(self, window: Window | None, episode: WatchedGame) -> None:
        """Show the finale of a game that is over, for FINALE_SECONDS or until a key is pressed."""
        if window and self.finale and episode.over and not window.closed():
            window.show(self.finale(episode))
            window.wait_for_key(FINALE_SECONDS)


UNSEEN = Outputs(unseen=True)


def perform(
    game: Game, player: Player, outputs: Outputs = UNSEEN, sound: bool = True, searcher: Searcher | None = None
) -> WatchedGame:
    """Have an agent play a game, shown by the outputs.

    Args:
        game: a batch of one game.
        player: plays it.
        outputs: where.
        sound: play sound, or write it into the film.
        searcher: puts a player that is lost where the music is.

    Raises:
        UserError: no window can be opened, or the film cannot be written.
    """
    config, piece = game.config, game.bank.pieces[int(game.piece[0])]
    first, fps = int(game.frame[0]), game.config.spectrogram_params.fps
    if outputs.video:
        require_filmable(outputs.video)
    with contextlib.ExitStack() as stack:
        window = outputs.open_window(stack, "write a film instead: --video FILE.mp4")
        audio = piece_audio(piece, config, first) if sound and (outputs.video or window) else None
        recorders = outputs.open_recorders(stack, fps, audio)
        clock = Clock(fps, open_time_source(audio), first) if window else None
        episode = watch(game, player, recorders, window, clock, searcher=searcher, draw=outputs.draw)
        outputs.show_finale(window, episode)
    return episode
