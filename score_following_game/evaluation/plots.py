"""Plots of what happened, as PNG files or pictures; drawn by matplotlib's Agg, so no display is needed."""
from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from score_following_game.environment.watching import WatchedGame
from score_following_game.errors import UserError
from score_following_game.files import WriteError, replacing, require_writable

# The colours of the rendered picture: blue and vermilion of Okabe and Ito's palette.
TARGET, AGENT, BOUNDS = "#0072B2", "#D55E00", "#BE3C46"
PLOT_SUFFIXES = (".png", ".jpg", ".pdf", ".svg")


def plot_episode(episode: WatchedGame, path: str | os.PathLike[str]) -> None:
    """Write one episode's plot: positions, error, speed and actions over time. Raises UserError where nothing can be written.

    The format follows the suffix, one of PLOT_SUFFIXES.
    """
    require_plottable(path)
    figure = episode_figure(episode)
    with _silent_about_letters(), replacing(path) as temporary:
        figure.savefig(temporary)


def require_plottable(path: str | os.PathLike[str] | None) -> None:
    """Raise UserError for a plot that could not be written after a whole game; None stands for none."""
    if path is None:
        return
    if Path(path).suffix.lower() not in PLOT_SUFFIXES:
        raise UserError(f"--plot {path}: wanted a name that ends in {', '.join(PLOT_SUFFIXES)}")
    try:
        require_writable(path)
    except WriteError as error:
        raise UserError(f"--plot {error}") from None


def episode_picture(episode: WatchedGame) -> np.ndarray:
    """The same plot -> uint8 (720, 1280, 3), BGR."""
    figure = episode_figure(episode)
    canvas = FigureCanvasAgg(figure)
    with _silent_about_letters():
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, 2::-1].copy()


@contextlib.contextmanager
def _silent_about_letters() -> Iterator[None]:
    """A title in a script that matplotlib's font lacks has boxes, and is told of at length."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def episode_figure(episode: WatchedGame) -> Figure:
    """1280 x 720 px, of an episode of at least one frame: position and error in pixels, speed and actions in pixels per
    frame, over seconds."""
    figure = Figure(figsize=(12.8, 7.2), dpi=100, layout="constrained")
    position, error, speed = figure.subplots(3, 1, sharex=True, height_ratios=(2.2, 1, 1.2))
    seconds = np.array(episode.frames) / episode.fps
    _plot_positions(position, seconds, episode)
    _plot_error(error, seconds, episode)
    _plot_speed(speed, seconds, episode)
    for axes in (position, error, speed):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    speed.set_xlabel("time in the music, s")
    ending = episode.ending or f"left at frame {episode.frames[-1]}"
    position.set_title(f"{episode.name}: {ending}, total reward {episode.score:.1f}", loc="left")
    return figure


def _plot_positions(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    true_x = np.array(episode.true_x)
    axes.fill_between(seconds, true_x - episode.threshold, true_x + episode.threshold, color=TARGET, alpha=0.1, lw=0,
                      label="not lost within")
    axes.plot(seconds, true_x, color=TARGET, label="true position")
    axes.plot(seconds, episode.x, color=AGENT, label="agent", lw=1.3)
    if episode.lost:
        axes.plot(seconds[-1], episode.x[-1], "X", color=BOUNDS, ms=10, label="lost")
    axes.set_ylabel("position in the sheet, px")
    axes.legend(loc="upper left", frameon=False)


def _plot_error(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    axes.plot(seconds, episode.errors, color=AGENT, lw=1.2)
    axes.axhline(0, color=TARGET, lw=1)
    for bound in (-episode.threshold, episode.threshold):
        axes.axhline(bound, color=BOUNDS, lw=1, ls="--")
    axes.set_ylabel("error, px")


def _plot_speed(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    """The agent's speed and the music's own; each action as a stem from 0."""
    if len(seconds) > 1:
        axes.plot(seconds[1:], np.diff(episode.true_x), color=TARGET, lw=1, alpha=0.8, label="speed of the music")
    axes.plot(seconds, episode.speeds, color=AGENT, lw=1.3, label="speed of the agent")
    axes.vlines(seconds, 0, episode.actions, color="#666666", lw=0.8, label="actions")
    # A music that jumps to the next system would leave the rest flat.
    reach = np.percentile(np.abs(np.concatenate([episode.speeds, np.diff(episode.true_x), [1.0]])), 98) * 1.5
    axes.set_ylim(min(0.0, *np.clip([*episode.actions, *episode.speeds], -reach, 0)) * 1.1 - 0.1, reach)
    axes.set_ylabel("px/frame")
    axes.legend(loc="upper right", frameon=False, ncols=3)
