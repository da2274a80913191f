"""Plots of how well an agent followed the music: the alignment and tempo of one game, the errors of an evaluation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from score_following_game.data_processing.piece import Piece
from score_following_game.evaluation.evaluator import Episode
from score_following_game.evaluation.metrics import errors_in_seconds, mean_stats
from score_following_game.evaluation.plots import (
    AGENT,
    BOUNDS,
    TARGET,
    lost_from,
    new_figure,
    outcome,
    stacked_panels,
    write_figure,
)
from score_following_game.evaluation.results import Results
from score_following_game.watching.record import WatchedGame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

TEMPO_SECONDS = 2.0
LEAST_MOTION = 1.0  # pixels; music that moves less within TEMPO_SECONDS has no tempo
BINS = 60


def tempo_curve(episode: WatchedGame, seconds: float = TEMPO_SECONDS) -> np.ndarray:
    """The agent's local tempo in every frame, float64: its mean speed divided by the music's; 1 is the music's tempo.

    The means are over `seconds` around the frame, less at the ends. nan where the music stands still or moves back.
    """
    frame = np.arange(len(episode.frames))
    half = round(seconds * episode.fps / 2)
    first, last = np.maximum(frame - half, 0), np.minimum(frame + half, len(frame) - 1)
    moved, music = (np.array(x)[last] - np.array(x)[first] for x in (episode.x, episode.true_x))
    return np.divide(moved, music, out=np.full(len(frame), np.nan), where=music >= LEAST_MOTION)


def music_seconds(episode: WatchedGame, piece: Piece) -> np.ndarray:
    """The agent's position in the music in every frame, float64: the second of the performance at which the music is there.

    Positions before the first or after the last onset count as that onset.
    """
    played = Episode(episode.name, episode.frames[-1], piece.onset_frames, np.array(episode.frames), np.array(episode.errors))
    return played.frames / episode.fps + errors_in_seconds(played, piece.onset_x, episode.fps)


def plot_alignment(episode: WatchedGame, piece: Piece, path: str | os.PathLike[str]) -> None:
    """Write alignment_figure to a file. Raises UserError as plots.write_figure does."""
    write_figure(alignment_figure(episode, piece), path)


def alignment_figure(episode: WatchedGame, piece: Piece) -> Figure:
    """Plot an episode of at least one frame over the seconds of the performance, 1280 x 720 px.

    The panels show the score's onsets as music and agent pass them, how many seconds the agent is ahead, and tempo_curve.
    """
    figure, (score, ahead, tempo) = stacked_panels((2.6, 1, 1))
    seconds, heard = np.array(episode.frames) / episode.fps, music_seconds(episode, piece)
    _plot_score(score, seconds, heard, piece.onset_frames / episode.fps)
    score.set_title(outcome(episode), loc="left")
    ahead.plot(seconds, heard - seconds, color=AGENT, lw=1.2)
    ahead.axhline(0, color=TARGET, lw=1)
    ahead.set_ylabel("ahead of\nthe music, s")
    tempo.plot(seconds, tempo_curve(episode), color=AGENT, lw=1.2)
    tempo.axhline(1, color=TARGET, lw=1)
    tempo.set_ylabel(f"tempo, of the\nmusic's ({TEMPO_SECONDS:g} s)")
    return figure


def _plot_score(axes: Axes, seconds: np.ndarray, heard: np.ndarray, onsets: np.ndarray) -> None:
    """Onset numbers over seconds, interpolated linearly in time."""
    number = np.arange(1, len(onsets) + 1)
    played = onsets <= seconds[-1]
    axes.plot(onsets[played], number[played], ".-", color=TARGET, lw=1, ms=5, label="the music's onsets")
    axes.plot(seconds, np.interp(heard, onsets, number), color=AGENT, lw=1.3, label="agent")
    axes.set_ylabel("onset of the score")
    axes.legend(loc="upper left", frameon=False)


def piece_errors(episodes: Sequence[Episode], fps: int) -> Figure:
    """Plot the errors of a piece's onsets, in seconds, over the seconds of the performance, a line per trial, 960 x 240 px.

    episodes: one per trial, errors in seconds. A cross marks where a trial was lost; above 0 the agent is ahead.
    """
    figure = new_figure(9.6, 2.4)
    axes = figure.subplots()
    for episode in episodes:
        axes.plot(episode.frames / fps, episode.errors, ".-", color=AGENT, lw=1, ms=3, alpha=max(0.25, 1 / len(episodes)))
        if episode.ratio < 1 and len(episode.errors):
            axes.plot(episode.frames[-1] / fps, episode.errors[-1], "X", color=BOUNDS, ms=8)
    axes.axhline(0, color=TARGET, lw=1)
    axes.set_xlim(0, max(float(episodes[0].onset_frames[-1]) / fps, 1 / fps))
    axes.set(xlabel="time in the music, s", ylabel="ahead of\nthe music, s")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def plot_error_histograms(played: Mapping[str, Results], threshold: int, path: str | os.PathLike[str]) -> None:
    """Write error_histograms to a file. Raises UserError as plots.write_figure does."""
    write_figure(error_histograms(played, threshold), path)


def error_histograms(played: Mapping[str, Results], threshold: int) -> Figure:
    """Plot histograms of the onsets' errors, over all trials, in pixels and in seconds; above 0 the agent is ahead.

    Args:
        played: results by name; each gets a row of 1280 x 520 px. Onsets after a loss have no error.
        threshold: the game config's, in pixels; the errors at which an agent is lost are marked.
    """
    figure = new_figure(12.8, 5.2 * len(played))
    for part, (name, results) in zip(figure.subfigures(len(played), 1, squeeze=False)[:, 0], played.items(), strict=True):
        _plot_errors(part, name, results, threshold)
    return figure


def _plot_errors(figure: SubFigure, name: str, results: Results, threshold: int) -> None:
    bound = lost_from(threshold)
    pixels, seconds = (
        np.concatenate([episode.errors for trial in results.episodes[unit] for episode in trial]) for unit in ("px", "seconds")
    )
    left, right = figure.subplots(1, 2, sharey=True)
    _plot_histogram(left, pixels, 1.15 * bound, "px")
    for number, edge in enumerate((-bound, bound)):
        left.axvline(edge, color=BOUNDS, lw=1.2, ls="--", label=None if number else "lost beyond")
    left.legend(loc="upper left", framealpha=1, edgecolor="none")
    left.set_ylabel("onsets")
    _plot_histogram(right, seconds, max(float(np.percentile(np.abs(seconds), 99)) if len(seconds) else 0, 0.1) * 1.15, "s")
    trials = results.stats()
    stats = mean_stats(trials)
    figure.suptitle(
        f"{name + ': ' if name else ''}pieces {len(results.pieces())}, trials {len(trials)}: R_tue "
        f"{stats.tracked_until_end_ratio:.2f}, R_on {stats.global_tracking_ratio:.2f}, onsets {len(pixels)}",
        x=0.01,
        ha="left",
        fontsize=12,
    )


def _plot_histogram(axes: Axes, errors: np.ndarray, reach: float, unit: str) -> None:
    """Errors beyond the reach count in the outermost bars."""
    axes.hist(np.clip(errors, -reach, reach), bins=np.linspace(-reach, reach, BINS + 1).tolist(), color=AGENT, alpha=0.75)
    axes.axvline(0, color=TARGET, lw=1.2)
    axes.set_xlabel(f"error, {unit} (above 0: ahead; the outermost bars include all larger errors)")
    if len(errors):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.5)  # a single onset stays visible
        size = np.abs(errors)
        summary = f"mean {size.mean():.2f}, median {np.median(size):.2f}, std {size.std():.2f} {unit}"
        axes.set_title(f"|error|: {summary}", loc="left", fontsize=10)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
