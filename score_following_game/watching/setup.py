"""Shared by the scripts that show a game: loading the one piece they play, and playing it before a window or into a film."""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections.abc import Callable, Iterator

import numpy as np
import torch

from score_following_game.config import GameConfig
from score_following_game.data_processing.dataset import load_data_set, score_paths
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.page_source import has_pages
from score_following_game.environment.rendering.page_view import PageView
from score_following_game.environment.rendering.picture import HEIGHT, WIDTH, render
from score_following_game.environment.rendering.video import film, picture_folder, require_filmable
from score_following_game.environment.rendering.window import Window
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.errors import UserError, counted
from score_following_game.watching.playback import Clock, open_time_source, piece_audio
from score_following_game.watching.session import Player, Searcher, WatchedGame, watch

FINALE_SECONDS = 20.0  # after that the finale closes by itself, so that an unattended run ends

VIEWS = PAGE, STRIP = ("page", "strip")

log = logging.getLogger(__name__)


def load_one_piece(data_set: str | os.PathLike[str], config: GameConfig, piece: str | None, seed: int) -> Piece:
    """Load the piece named `piece`, or, when it is None, a random usable one. No other piece is kept.

    Raises UserError when the piece, or every piece of the set, cannot be used.
    """
    if piece is not None:
        return load_data_set(data_set, config, piece=piece, without_notes=True)[0]
    names = list(score_paths(data_set))
    random.Random(seed).shuffle(names)
    problems = []
    for name in names:
        try:
            chosen = load_data_set(data_set, config, piece=name, without_notes=True)[0]
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


def perform(
    game: Game,
    player: Player,
    video: str | None = None,
    pictures: bool = False,
    sound: bool = True,
    finale: Callable[[WatchedGame], np.ndarray] | None = None,
    unseen: bool = False,
    searcher: Searcher | None = None,
    view: PageView | None = None,
) -> WatchedGame:
    """Have an agent play a game in a window, or into a film (`video`) or a folder of pictures (`pictures`).

    Args:
        game: a batch of one game.
        player: plays it.
        video: path of the film to write.
        pictures: write every frame to video_frames/.
        sound: play sound, or write it into the film.
        finale: makes the picture that the window shows after the game until a key is pressed. It is not shown when the
            player has left the game.
        unseen: open no window although nothing is recorded.
        searcher: puts a player that is lost where the music is.
        view: draws the pictures; None: the strip.

    Raises:
        UserError: no window can be opened, or the film cannot be written.
    """
    config, piece = game.config, game.bank.pieces[int(game.piece[0])]
    first = int(game.frame[0])
    with contextlib.ExitStack() as stack:
        window: Window | None = None
        clock: Clock | None = None
        if not (video or pictures or unseen):
            window = stack.enter_context(contextlib.closing(Window(advice="write a film instead: --video FILE.mp4")))
        audio = piece_audio(piece, config, first) if sound and (video or window) else None
        if video:
            require_filmable(video)
        recorders = []
        if pictures:
            recorders.append(stack.enter_context(picture_folder()))
        if video:
            size = view.size if view else (WIDTH, HEIGHT)
            recorders.append(stack.enter_context(film(video, config.spectrogram_params.fps, audio, size)))
        if window:
            clock = Clock(config.spectrogram_params.fps, open_time_source(audio), first)
        episode = watch(game, player, recorders, window, clock, searcher=searcher, draw=view or render)
        if window and finale and episode.over and not window.closed():
            window.show(finale(episode))
            window.wait_for_key(FINALE_SECONDS)
    return episode
