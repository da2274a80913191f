"""Draws the saliency of a watched game's decisions as pictures, and as a film below the ordinary view."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from score_following_game.agents.inference import act
from score_following_game.agents.networks import ActorCritic
from score_following_game.environment.game import Game
from score_following_game.environment.rendering.drawing import AGENT, FAINT, INK, Colour, filled, framed, text
from score_following_game.environment.rendering.picture import HEIGHT, WIDTH, Overlay, drawing, render
from score_following_game.environment.rendering.video import film
from score_following_game.environment.score_bank import ScoreBank
from score_following_game.evaluation.saliency import STEPS, Saliency, integrated_gradients
from score_following_game.opencv import cv2
from score_following_game.watching.playback import piece_audio
from score_following_game.watching.record import WatchedGame
from score_following_game.watching.stage import FINAL_SECONDS

STRIP_HEIGHT = 312
# Blue and vermilion are taken by music and agent. Green and purple differ for every kind of colour vision.
FOR: Colour = (85, 140, 0)
AGAINST: Colour = (160, 50, 150)
SHEET_PLACE, SOUND_PLACE = (20, 36, 820, 240), (900, 36, 360, 240)  # left, top, and the largest width and height
SMOOTHING = 0.8  # standard deviation in values of the observation
MOST_TINT = 0.85
REACH_PERCENTILE = 99.0  # attributions from this percentile of the picture on get the full colour


def write_saliency_film(
    episode: WatchedGame,
    bank: ScoreBank,
    network: ActorCritic,
    path: str | os.PathLike[str],
    sound: bool = True,
    steps: int = STEPS,
) -> None:
    """Replay a watched game into a film that shows the saliency of each decision.

    Args:
        episode: a game of a piece of the bank.
        bank: the pieces.
        network: made the decisions; in evaluation mode.
        path: of the film. Its pictures are 1280 x 1032 px: that of `render` above saliency_picture.
        sound: write the piece's sound into the film.
        steps: of integrated_gradients.

    Raises:
        UserError: the film cannot be written.
    """
    first, fps = episode.states[0].position, bank.config.spectrogram_params.fps
    audio = piece_audio(bank.pieces[int(first.piece[0])], bank.config, int(first.frame[0])) if sound else None
    with film(path, fps, audio, (WIDTH, HEIGHT + STRIP_HEIGHT)) as record:
        pictures = saliency_pictures(episode, bank, network, steps)
        for picture in tqdm(pictures, "saliency", len(episode.states), leave=False, unit="frame", disable=None):
            record(picture)
        for _ in range(round(FINAL_SECONDS * fps)):
            record(picture)


def saliency_pictures(
    episode: WatchedGame,
    bank: ScoreBank,
    network: ActorCritic,
    steps: int = STEPS,
) -> Iterator[np.ndarray]:
    """The film's pictures, uint8 (1032, 1280, 3), BGR: one of the start and one after each frame played."""
    for played, (game, observation, saliency) in enumerate(decisions(episode, bank, network, steps)):
        yield np.vstack(
            [render(game, overlay_after(episode, played)), saliency_picture(observation, saliency, bank.config.actions)]
        )


def decisions(
    episode: WatchedGame,
    bank: ScoreBank,
    network: ActorCritic,
    steps: int = STEPS,
) -> Iterator[tuple[Game, tuple[Tensor, Tensor], Saliency]]:
    """At the start and after each frame played: the game, its observation, and the saliency of the next decision.

    Networks with an LSTM decide with the state they had in the game.
    """
    lstm_state = network.initial_lstm_state(1)
    for state in episode.states:
        game = Game.at(bank, state)
        observation = game.observe()
        yield game, observation, integrated_gradients(network, observation, lstm_state, steps)
        if lstm_state is not None:
            lstm_state = act(network, bank, state.position, torch.float32, lstm_state).lstm_state


def overlay_after(episode: WatchedGame, played: int) -> Overlay:
    """The overlay of the view after `played` frames."""
    value = episode.values[played - 1] if played and episode.values else np.nan
    return Overlay(
        reward=episode.rewards[played - 1] if played else 0.0,
        score=float(np.sum(episode.rewards[:played])),
        value=value,
        message=episode.ending if episode.over and played == len(episode.frames) else "",
    )


def saliency_picture(
    observation: Sequence[Tensor],
    saliency: Saliency,
    choices: Sequence[float] = (),
    index: int = 0,
) -> np.ndarray:
    """Draw sheet and spectrogram (dark: loud; low bands at the bottom), tinted where they support or oppose the action.

    Args:
        observation: spectrogram and sheet, (N, 2, H, W) each.
        saliency: of the same N decisions.
        choices: speed changes of the discrete game, pixels per frame; empty in continuous games.
        index: of the decision to draw.

    Returns:
        uint8 (312, 1280, 3), BGR.
    """
    image = np.empty((STRIP_HEIGHT, WIDTH, 3), np.uint8)
    image[:] = drawing.BACKGROUND
    sound, sheet = (part[index, 0].float().cpu().numpy() for part in observation)
    heard, seen = (part[index].sum(0).cpu().numpy() for part in (saliency.spectrogram, saliency.sheet))
    total = float(np.abs(heard).sum() + np.abs(seen).sum()) or 1.0
    for place, name, values, heat, square in (
        (SHEET_PLACE, "sheet", sheet, seen, True),
        (SOUND_PLACE, "music", sound[::-1], heard[::-1], False),
    ):
        left, top = place[:2]
        width, height = _enlarged_into(image, place, tinted_grey(values, heat), square)
        framed(image, (left - 1, top - 1, width + 2, height + 2), FAINT)
        text(image, f"saliency of the {name}: {np.abs(heat).sum() / total:.0%} of the total", (left, top - 11), 16, FAINT)
        if square:  # the agent is in the middle of its window
            drawing.upright(image, left + width / 2, top - 8, top - 1, AGENT, 3)
            drawing.upright(image, left + width / 2, top + height + 1, top + height + 8, AGENT, 3)
    _draw_legend(image, saliency, index, choices)
    return image


def tinted_grey(values: np.ndarray, attribution: np.ndarray) -> np.ndarray:
    """A grey picture, uint8 (H, W, 3), of values >= 0 (the largest is black, 0 white), tinted by the smoothed attributions.

    values, attribution: (H, W).
    """
    grey = 255 * (1 - np.clip(values / (float(values.max()) or 1.0), 0, 1))
    heat = cv2.GaussianBlur(np.ascontiguousarray(attribution, np.float32), (0, 0), SMOOTHING)
    reach = float(np.percentile(np.abs(heat), REACH_PERCENTILE)) or float(np.abs(heat).max()) or 1.0
    share = MOST_TINT * np.clip(np.abs(heat) / reach, 0, 1)[..., None]
    colour = np.where(heat[..., None] > 0, np.array(FOR, np.float32), np.array(AGAINST, np.float32))
    return np.rint(grey[..., None] * (1 - share) + colour * share).astype(np.uint8)


def _enlarged_into(image: np.ndarray, place: drawing.Box, picture: np.ndarray, square: bool) -> tuple[int, int]:
    """Draw a picture at the place's corner, enlarged by integers (equal ones if `square`). Returns its width and height."""
    left, top, *room = place
    factors = [max(1, most // size) for most, size in zip(room, picture.shape[1::-1])]
    if square:
        factors = [min(factors)] * 2
    width, height = (size * factor for size, factor in zip(picture.shape[1::-1], factors))
    image[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    return width, height


def _draw_legend(image: np.ndarray, saliency: Saliency, index: int, choices: Sequence[float]) -> None:
    target, blank = saliency.target[index].item(), saliency.blank[index].item()
    if choices:
        change = f"{choices[int(saliency.action[index])]:+g} px/frame"
        decision = f"most probable: speed change {change}, probability {target:.2f} (for a blank view {blank:.2f})"
    else:
        decision = f"mean speed change {target:+.2f} px/frame (for a blank view {blank:+.2f})"
    x, y = SHEET_PLACE[0], STRIP_HEIGHT - 9
    x += text(image, decision, (x, y), 16, INK) + 40
    for label, colour in (("supports it", FOR), ("opposes it", AGAINST)):
        filled(image, (x, y - 12, 20, 13), colour)
        x += 28 + text(image, label, (x + 28, y), 16, INK) + 30
