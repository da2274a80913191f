"""Draw the picture of the rules, docs/images/game.png: python tools/docs/rules_figure.py

Sheet, sound and numbers are those of a bundled tune in the game `nottingham`, read from the game itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import score_following_game as sfg
from score_following_game.config import GameConfig
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.game import Game
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.plots import write_figure

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "game.png"
FRAME, ERROR, SPEED = 120, -25, 2.0  # of the moment that is shown: frame, tracking error (px), speed (px/frame)
AGENT, TRUE, LOST, INK, FAINT = "#d35400", "#0072b2", "#c0203a", "#222222", "#777777"


def main() -> None:
    config = sfg.load_game_config("nottingham")
    piece = sfg.load_pieces("test_sample", piece="Joy", game_config=config)[0]
    game = Game(ScoreBank([piece], config), 1)
    game.frame[:] = FRAME
    true_x = float(game.true_position()) - config.sheet_pad
    figure = Figure(figsize=(11, 7.2), dpi=130, layout="constrained")
    parts = figure.subplot_mosaic([["sheet", "sheet"], ["sound", "reward"]], height_ratios=[1, 0.95], width_ratios=[1.25, 1])
    draw_sheet(parts["sheet"], piece, config, true_x)
    draw_sound(parts["sound"], piece, config)
    draw_reward(parts["reward"], config)
    write_figure(figure, PICTURE)
    print(PICTURE)


def draw_sheet(axes: Axes, piece: Piece, config: GameConfig, true_x: float) -> None:
    """The window around x, the true position, and where the game is lost."""
    x, half, lost = true_x + ERROR, config.sheet_context / 2, config.threshold + 1
    rows = piece.sheet.shape[0]
    axes.imshow(piece.sheet, cmap="gray", vmin=0, vmax=255, aspect="equal", interpolation="bilinear", alpha=0.45)
    axes.imshow(
        piece.sheet[:, int(x - half) : int(x + half)],
        cmap="gray",
        vmin=0,
        vmax=255,
        extent=(int(x - half), int(x + half), rows - 0.5, -0.5),
        aspect="equal",
        interpolation="bilinear",
    )
    axes.add_patch(Rectangle((x - half, -0.5), 2 * half, rows, fill=False, edgecolor=INK, linewidth=1.8))
    for edge in (x - lost, x + lost):
        axes.plot([edge, edge], [-1, rows], color=LOST, linestyle="--", linewidth=1.8)
    axes.plot([x, x], [-12, rows + 12], color=AGENT, linewidth=2.4)
    axes.plot([true_x, true_x], [-12, rows + 12], color=TRUE, linewidth=2.4)
    _span(axes, x, true_x, -9, "tracking error", INK)
    _span(axes, x - lost, x, rows + 6, f"lost beyond T = {config.threshold} px", LOST)
    _span(axes, x - half, x + half, rows + 21, f"the window that is seen: sheet_context = {config.sheet_context} px", INK)
    axes.text(x - 1.5, -12, "x, where the agent is", color=AGENT, ha="right", va="center", fontsize=11)
    axes.text(true_x + 1.5, -12, "true x, where the music is", color=TRUE, ha="left", va="center", fontsize=11)
    axes.annotate(
        "", (x + 12 * SPEED, rows + 12), (x, rows + 12), arrowprops={"arrowstyle": "-|>", "color": AGENT, "linewidth": 2}
    )
    axes.text(x + 12 * SPEED + 2, rows + 12, "speed, px per frame", color=AGENT, va="center", fontsize=11)
    axes.set_xlim(x - 1.35 * half, x + 1.35 * half)
    axes.set_ylim(rows + 28, -18)
    axes.set_axis_off()
    axes.set_title("The sheet", loc="left", fontsize=13, fontweight="bold")


def draw_sound(axes: Axes, piece: Piece, config: GameConfig) -> None:
    """The spectrogram around the current frame, and the part that is heard."""
    first, last = FRAME - 60, FRAME + 24
    shown = piece.spectrogram[:, first:last]
    axes.imshow(shown, origin="lower", aspect="auto", cmap="magma_r", extent=(first, last, 0, shown.shape[0]), alpha=0.35)
    heard = piece.spectrogram[:, FRAME - config.spec_context : FRAME]
    where = (FRAME - config.spec_context, FRAME, 0, shown.shape[0])
    axes.imshow(heard, origin="lower", aspect="auto", cmap="magma_r", extent=where)
    axes.add_patch(Rectangle((where[0], 0), config.spec_context, shown.shape[0], fill=False, edgecolor=INK, linewidth=1.8))
    fps = config.spectrogram_params.fps
    label = f"heard: {config.spec_context} frames = {config.spec_context / fps:g} s\n(spec_context)"
    axes.text(where[0] + config.spec_context / 2, shown.shape[0] - 3, label, ha="center", va="top", fontsize=10.5, color=INK)
    axes.annotate(
        "frame k,\nnot heard yet",
        (FRAME + 0.5, 8),
        (FRAME + 6, 20),
        fontsize=10.5,
        color=TRUE,
        arrowprops={"arrowstyle": "-|>", "color": TRUE},
    )
    axes.set_xlim(first, last)
    axes.set_ylim(0, shown.shape[0])
    axes.set_xticks([FRAME - config.spec_context, FRAME], [f"k - {config.spec_context}", "k"])
    axes.set_xlabel(f"frame ({fps} per second)")
    axes.set_ylabel("band (60 Hz to 6 kHz)")
    axes.set_title("The sound", loc="left", fontsize=13, fontweight="bold")


def draw_reward(axes: Axes, config: GameConfig) -> None:
    """The reward of a step over the tracking error."""
    threshold = config.threshold
    error = np.linspace(-threshold - 1 + 1e-6, threshold + 1 - 1e-6, 4001)
    axes.plot(error, (threshold - np.floor(np.abs(error))) / threshold, color=AGENT, linewidth=2.2)
    for side in (-1, 1):
        axes.axvspan(side * (threshold + 1), side * 1.9 * threshold, color=LOST, alpha=0.12, linewidth=0)
        axes.text(side * 1.46 * threshold, 0.5, "lost:\ngame over,\nreward 0", color=LOST, ha="center", fontsize=10)
    axes.set_xlim(-1.9 * threshold, 1.9 * threshold)
    axes.set_ylim(0, 1.05)
    axes.set_xticks([-threshold, 0, threshold], [f"-{threshold}", "0", f"{threshold}"])
    axes.set_xlabel("tracking error, px")
    axes.set_ylabel("reward of a step")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("The reward", loc="left", fontsize=13, fontweight="bold")


def _span(axes: Axes, left: float, right: float, y: float, label: str, colour: str) -> None:
    """A horizontal distance with its name below it."""
    axes.annotate("", (left, y), (right, y), arrowprops={"arrowstyle": "<|-|>", "color": colour, "shrinkA": 0, "shrinkB": 0})
    axes.text((left + right) / 2, y + 1.2, label, color=colour, ha="center", va="top", fontsize=10.5)


if __name__ == "__main__":
    main()
