"""Plots of one game over time, as files or pictures. matplotlib's Agg draws them, so no display is needed."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.environment.rendering.names import title
from score_following_game.errors import UserError
from score_following_game.files import WriteError, replacing, require_writable
from score_following_game.watching.record import PERSON, WatchedGame

if TYPE_CHECKING:  # importing matplotlib takes a second, which a command that draws nothing can save
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colours of the rendered picture: blue and vermilion of Okabe and Ito's palette.
TARGET, AGENT, BOUNDS = "#0072B2", "#D55E00", "#BE3C46"
SPEED_CHANGES = ("#7A6FB0", "#D0D0D0", "#E08A1E")  # slower to faster, blended in between
PLOT_SUFFIXES = (".png", ".jpg", ".pdf", ".svg", ".jpeg", ".eps", ".webp", ".tif", ".tiff")


def plot_episode(episode: WatchedGame, path: str | os.PathLike[str]) -> None:
    """Write episode_figure to a file. Raises UserError as write_figure does."""
    write_figure(episode_figure(episode), path)


def new_figure(width: float, height: float, dpi: int = 100) -> Figure:
    """An empty figure of width x height inches whose parts make room for each other."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def write_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure in the format of the path's suffix. Raises UserError for other suffixes and when it cannot be written."""
    _require_suffix(path)
    with _silent_about_letters(), replacing(path) as temporary:
        figure.savefig(temporary)


def require_plottable(path: str | os.PathLike[str] | None, option: str = "--plot") -> None:
    """Raise UserError, before long work, for a plot that could not be written after it. None: no plot."""
    if path is None:
        return
    _require_suffix(path, f"{option} ")
    try:
        require_writable(path)
    except WriteError as error:
        raise UserError(f"{option} {error}") from None


def _require_suffix(path: str | os.PathLike[str], prefix: str = "") -> None:
    if Path(path).suffix.lower() not in PLOT_SUFFIXES:
        raise UserError(f"{prefix}{path}: expected a name that ends in {', '.join(PLOT_SUFFIXES)}")


def episode_picture(episode: WatchedGame) -> np.ndarray:
    """episode_figure as a picture, uint8 (720, 1280, 3), BGR."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = episode_figure(episode)
    canvas = FigureCanvasAgg(figure)
    with _silent_about_letters():
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, 2::-1].copy()


@contextlib.contextmanager
def _silent_about_letters() -> Iterator[None]:
    """Suppress matplotlib's long warnings about titles in a script that its font lacks; they are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def episode_figure(episode: WatchedGame) -> Figure:
    """Plot an episode of at least one frame over seconds, 1280 x 720 px.

    The panels show position and error (pixels), speed and actions (pixels per frame), and, for an agent that has them, its
    policy and its critic's value.
    """
    panels: list[tuple[Callable[[Axes, np.ndarray, WatchedGame], None], float]] = [
        (_plot_positions, 2.2),
        *([(_plot_error, 1.0)] if episode.judged else []),
        (_plot_speed, 1.2),
    ]
    if episode.policies:
        panels.append((_plot_policy, 1))
    if np.any(episode.values):  # all 0 for a network without a critic
        panels.append((_plot_value, 0.8))
    figure, rows = stacked_panels([height for _, height in panels])
    seconds = np.array(episode.frames) / episode.fps
    for (plot, _), axes in zip(panels, rows):
        plot(axes, seconds, episode)
    judgement = f"total reward {episode.score:.1f}" if episode.judged else "not judged"
    rows[0].set_title(f"{outcome(episode)}, {judgement}", loc="left")
    return figure


def stacked_panels(heights: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """A figure of 1280 x 720 px with panels of these relative heights that share the time axis."""
    figure = new_figure(12.8, 7.2)
    rows = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0])
    for axes in rows:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    rows[-1].set_xlabel("time in the music, s")
    figure.align_ylabels(rows)
    return figure, rows


def lost_from(threshold: int) -> int:
    """The smallest error, in pixels, at which an agent is lost: errors are truncated before the comparison."""
    return threshold + 1


def outcome(episode: WatchedGame) -> str:
    """The piece's name and how the episode ended: the title of its plots."""
    return f"{title(episode.name)}: {episode.ending}"


def _plot_positions(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    true_x = np.array(episode.true_x)
    bound = lost_from(episode.threshold)
    if episode.judged:
        axes.fill_between(seconds, true_x - bound, true_x + bound, color=TARGET, alpha=0.1, lw=0, label="not lost within")
        axes.plot(seconds, true_x, color=TARGET, label="true position")
    axes.plot(seconds, episode.x, color=AGENT, label=episode.player, lw=1.3)
    if episode.lost:
        axes.plot(seconds[-1], episode.x[-1], "X", color=BOUNDS, ms=10, label="lost")
    axes.set_ylabel("position in the sheet, px")
    axes.legend(loc="upper left", frameon=False)


def _plot_error(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    axes.plot(seconds, episode.errors, color=AGENT, lw=1.2)
    axes.axhline(0, color=TARGET, lw=1)
    for side in (-1, 1):
        axes.axhline(side * lost_from(episode.threshold), color=BOUNDS, lw=1, ls="--")
    axes.set_ylabel("error, px")


def _plot_speed(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    """The speeds of the player and of the music; each action is a stem from 0."""
    music = np.diff(episode.true_x) if episode.judged else np.zeros(0)
    if len(music):
        axes.plot(seconds[1:], music, color=TARGET, lw=1, alpha=0.8, label="speed of the music")
    whose = "your speed" if episode.player == PERSON else "speed of the agent"
    axes.plot(seconds, episode.speeds, color=AGENT, lw=1.3, label=whose)
    axes.vlines(seconds, 0, episode.actions, color="#666666", lw=0.8, label="actions")
    # A jump to the next system would compress all other values.
    reach = np.percentile(np.abs(np.concatenate([episode.speeds, music, [1.0]])), 98) * 1.5
    axes.set_ylim(min(0.0, *np.clip([*episode.actions, *episode.speeds], -reach, 0)) * 1.1 - 0.1, reach)
    axes.set_ylabel("px/frame")
    _legend_above(axes, 3)


def _plot_policy(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    """Probabilities of the speed changes, slowest at the bottom, or, in continuous games, mean and standard deviation."""
    policies = np.array(episode.policies)
    if episode.choices:
        order = np.argsort(episode.choices)
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("speed changes", SPEED_CHANGES)(np.linspace(0, 1, len(order)))
        axes.stackplot(
            seconds,
            policies[:, order].T,
            colors=colours,
            lw=0,
            labels=[f"speed {episode.choices[choice]:+g}" for choice in order],
        )
        axes.set(ylim=(0, 1), ylabel="probability")
    else:
        mean, std = policies.T
        axes.fill_between(seconds, mean - std, mean + std, color=AGENT, alpha=0.2, lw=0, label="one standard deviation")
        axes.plot(seconds, mean, color=AGENT, lw=1.2, label="mean speed change")
        axes.set_ylabel("policy,\npx/frame")
    _legend_above(axes, max(2, len(episode.choices)))


def _legend_above(axes: Axes, columns: int) -> None:
    """Place the legend above the panel, which may be full."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, frameon=False, ncols=columns, fontsize=9)


def _plot_value(axes: Axes, seconds: np.ndarray, episode: WatchedGame) -> None:
    """The return that the critic expects."""
    axes.plot(seconds, episode.values, color="#404040", lw=1.2)
    axes.set_ylabel("value")
