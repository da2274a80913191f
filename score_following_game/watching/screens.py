"""What the window shows before and after a person's game: title, countdown and result. All are uint8 (720, 1280, 3), BGR."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from score_following_game.environment.rendering import drawing, names
from score_following_game.environment.rendering.drawing import (
    AGENT,
    FAINT,
    INK,
    PAPER,
    RULE,
    TARGET,
    VALUE,
    filled,
    framed,
    text,
)
from score_following_game.environment.rendering.picture import HEIGHT, WIDTH
from score_following_game.errors import counted
from score_following_game.opencv import cv2
from score_following_game.watching.best_scores import Best
from score_following_game.watching.outcome import Outcome

KEYS = (
    ("w or arrow up", "faster"),
    ("s or arrow down", "slower"),
    ("space", "pause"),
    ("r", "show or hide the true position"),
    ("q", "leave"),
)
CARD = (230, 48, 820, 624)  # of the title: left, top, width, height
RESULT_HEIGHT = 268  # of the words above the plot
UNKNOWN = "still playing ..."


def title(game: np.ndarray, name: str, seconds: float, speed: float, show_target: bool, best: Best | None) -> np.ndarray:
    """The title screen over the picture of the game's beginning.

    seconds: length of the piece. speed: practice speed, 1 for the music's own. best: the best score so far at that speed.
    """
    picture = _dimmed(game)
    left, top, width, height = CARD
    filled(picture, CARD, PAPER)
    framed(picture, CARD, INK, 2)
    middle, inside = left + width // 2, left + 60
    text(picture, "Follow the music", (middle, top + 62), 40, INK, bold=True, align="centre")
    words = f"{drawing.shortened(names.title(name), 22, width - 240)}, {seconds:.0f} s"
    text(picture, words, (middle, top + 100), 22, FAINT, align="centre")

    y = top + 150
    for colour, sentence in (
        (AGENT, "You are the orange line. Keep it on the note that sounds."),
        (TARGET, f"The blue line is where the music is{'' if show_target else ' (hidden: press r to see it)'}."),
        (drawing.BOUNDS, "Beyond the dashed lines you are lost, and the game is over."),
    ):
        filled(picture, (inside, y - 14, 5, 18), colour)
        text(picture, sentence, (inside + 20, y), 19, INK)
        y += 32
    text(picture, "You steer the speed: each press changes it a little.", (inside + 20, y), 19, INK)

    y += 46
    for key, does in KEYS:
        text(picture, key, (inside + 190, y), 18, INK, bold=True, align="right")
        text(picture, does, (inside + 214, y), 18, INK)
        y += 28

    y += 22
    text(picture, "speed of the music", (inside + 190, y), 18, FAINT, align="right")
    text(picture, f"{100 * speed:.0f} %", (inside + 214, y), 20, INK, bold=True)
    text(picture, "arrow left: slower, for practice; arrow right: faster", (inside + 290, y), 16, FAINT)
    text(picture, "your best", (inside + 190, y + 32), 18, FAINT, align="right")
    text(picture, described(best), (inside + 214, y + 32), 18, INK, bold=best is not None)

    text(
        picture, "space, w or any other key: begin      n: another piece", (middle, top + height - 26), 19, INK, True, "centre"
    )
    return picture


def countdown(game: np.ndarray, number: str) -> np.ndarray:
    """A number, or a word, over the picture of the game's beginning."""
    picture = game.copy()
    size = 150 if len(number) == 1 else 40
    wide = drawing.text_width(number, size, bold=True) + 90
    box = ((WIDTH - wide) // 2, 450, wide, size + 70)
    filled(picture, box, PAPER)
    framed(picture, box, INK, 2)
    text(picture, number, (WIDTH // 2, box[1] + 35 + round(size * 0.85)), size, AGENT, bold=True, align="centre")
    return picture


def result(
    name: str,
    outcome: Outcome,
    speed: float,
    rivals: Mapping[str, Outcome] | None,
    best: Best | None,
    is_best: bool,
    plot: np.ndarray | None,
) -> np.ndarray:
    """The result in words, beside that of other players, above the plot of the game.

    rivals: None while they are still playing. best: the best score so far, this game's if is_best.
    """
    picture = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    text(picture, headline(outcome), (40, 58), 32, INK, bold=True)
    words = names.title(name) + ("" if speed == 1 else f", at {100 * speed:.0f} % of its speed")
    text(picture, drawing.shortened(words, 18, 700), (40, 88), 18, FAINT)
    most = next(iter(rivals.values())).score if rivals else 0.0
    rows: list[tuple[str, Outcome | None]] = [("you", outcome)]
    rows += list(rivals.items()) if rivals is not None else [("the agents", None)]
    y = 126
    for player, each in rows:
        own = player == "you"
        text(picture, player, (40, y), 19, AGENT if own else INK, bold=own)
        if each is None:
            text(picture, UNKNOWN, (250, y), 19, FAINT)
        else:
            text(picture, f"{each.score:.0f}", (310, y), 19, INK, own, "right")
            _score_bar(picture, (330, y - 12, 220, 12), each.score, most, AGENT if own else VALUE)
            text(picture, f"{each.reached}, {each.ending}", (570, y), 19, INK, own)
        y += 30
    words = "A new best on this piece!" if is_best else f"Your best on this piece: {described(best)}"
    text(picture, words, (40, y + 8), 19, TARGET, bold=is_best)
    keys = "space or a: again      n: next piece      q: leave"
    text(picture, keys, (WIDTH - 40, 58), 19, INK, bold=True, align="right")
    filled(picture, (40, RESULT_HEIGHT - 10, WIDTH - 80, 1), RULE)
    if plot is not None:
        scale = min((HEIGHT - RESULT_HEIGHT) / plot.shape[0], WIDTH / plot.shape[1])
        small = cv2.resize(plot, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        left = (WIDTH - small.shape[1]) // 2
        picture[HEIGHT - small.shape[0] :, left : left + small.shape[1]] = small
    return picture


def headline(outcome: Outcome) -> str:
    """The result in one sentence."""
    if outcome.finished:
        return "You followed the piece to its end"
    return f"You {'were ' * outcome.lost}{outcome.ending}"


def described(best: Best | None) -> str:
    if best is None:
        return "not played yet"
    reached = "to the end" if best.finished else f"{best.onsets} of {counted(best.of, 'onset')}"
    return f"{best.score:.0f}, {reached}"


def _score_bar(picture: np.ndarray, box: drawing.Box, score: float, most: float, colour: drawing.Colour) -> None:
    left, top, width, height = box
    filled(picture, box, RULE)
    share = min(max(score / most, 0.0), 1.0) if most > 0 else 0.0
    filled(picture, (left, top, round(share * width), height), colour)


def _dimmed(picture: np.ndarray) -> np.ndarray:
    return cv2.addWeighted(picture, 0.45, np.full_like(picture, 255), 0.55, 0)
