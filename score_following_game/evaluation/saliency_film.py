"""The saliency of a watched game's decisions as pictures, and as a film below the ordinary view."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import cv2
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
from score_following_game.watching.playback import piece_audio
from score_following_game.watching.session import FINAL_SECONDS, WatchedGame

STRIP_HEIGHT = 312
# Green and purple, since blue and vermilion are the music and the agent; told apart by every kind of colour vision.
FOR: Colour = (85, 140, 0)
AGAINST: Colour = (160, 50, 150)
SHEET_PLACE, SOUND_PLACE = (20, 36, 820, 240), (900, 36, 360, 240)  # left, top, and the room there is
SMOOTHING = 0.8  # standard deviation, values of the observation
MOST_TINT = 0.85
REACH_PERCENTILE = 99.0  # of a picture's attributions: what has the full colour


def write_saliency_film(
    episode: WatchedGame,
    bank: ScoreBank,
    network: ActorCritic,
    path: str | os.PathLike[str],
    sound: bool = True,
    steps: int = STEPS,
) -> None:
    """Play a watched game of a piece of the bank again, with what each decision of the network rested on, into a film.

    Its pictures are 1280 x 1032: `render`'s, and saliency_picture's below. Raises UserError when it cannot be written.
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
    """The film's pictures, uint8 (1032, 1280, 3), BGR: of the start, and after each frame played."""
    for played, (game, observation, saliency) in enumerate(decisions(episode, bank, network, steps)):
        yield np.vstack([render(game, _overlay(episode, played)), saliency_picture(observation, saliency, bank.config.actions)])


def decisions(
    episode: WatchedGame,
    bank: ScoreBank,
    network: ActorCritic,
    steps: int = STEPS,
) -> Iterator[tuple[Game, tuple[Tensor, Tensor], Saliency]]:
    """At the start and after each frame played: the game, what is seen, and what the next decision rests on, made with what an
    LSTM remembers there."""
    lstm_state = network.initial_lstm_state(1)
    for state in episode.states:
        game = Game.at(bank, state)
        observation = game.observe()
        yield game, observation, integrated_gradients(network, observation, lstm_state, steps)
        if lstm_state is not None:
            lstm_state = act(network, bank, state.position, torch.float32, lstm_state).lstm_state


def _overlay(episode: WatchedGame, played: int) -> Overlay:
    """As the view had it after so many frames."""
    value = episode.values[played - 1] if played and episode.values else np.nan
    return Overlay(
        reward=episode.rewards[played - 1] if played else 0.0,
        score=float(np.sum(episode.rewards[:played])),
        value=value,
        message=episode.ending if played == len(episode.frames) else "",
    )


def saliency_picture(
    observation: Sequence[Tensor],
    saliency: Saliency,
    choices: Sequence[float] = (),
    index: int = 0,
) -> np.ndarray:
    """Decision `index` of a batch -> uint8 (312, 1280, 3), BGR: sheet and spectrogram (dark: loud, low bands at the bottom),
    tinted where they spoke for or against the action.

    observation: spectrogram and sheet, (N, 2, H, W) each. choices: the discrete game's speed changes, pixels per frame.
    """
    image = np.empty((STRIP_HEIGHT, WIDTH, 3), np.uint8)
    image[:] = drawing.BACKGROUND
    sound, sheet = (part[index, 0].float().cpu().numpy() for part in observation)
    heard, seen = (part[index].sum(0).cpu().numpy() for part in (saliency.spectrogram, saliency.sheet))
    all_of_it = float(np.abs(heard).sum() + np.abs(seen).sum()) or 1.0
    for place, name, values, heat, square in (
        (SHEET_PLACE, "sheet", sheet, seen, True),
        (SOUND_PLACE, "music", sound[::-1], heard[::-1], False),
    ):
        left, top = place[:2]
        width, height = _enlarged_into(image, place, tinted_grey(values, heat), square)
        framed(image, (left - 1, top - 1, width + 2, height + 2), FAINT)
        text(image, f"what counted in the {name}: {np.abs(heat).sum() / all_of_it:.0%} of all", (left, top - 11), 16, FAINT)
        if square:  # the agent is in the middle of what it sees
            drawing.upright(image, left + width / 2, top - 8, top - 1, AGENT, 3)
            drawing.upright(image, left + width / 2, top + height + 1, top + height + 8, AGENT, 3)
    _draw_legend(image, saliency, index, choices)
    return image


def tinted_grey(values: np.ndarray, attribution: np.ndarray) -> np.ndarray:
    """values >= 0, attribution (H, W) -> uint8 (H, W, 3): the largest value black, 0 white; attributions, smoothed, tint it."""
    grey = 255 * (1 - np.clip(values / (float(values.max()) or 1.0), 0, 1))
    heat = cv2.GaussianBlur(np.ascontiguousarray(attribution, np.float32), (0, 0), SMOOTHING)
    reach = float(np.percentile(np.abs(heat), REACH_PERCENTILE)) or float(np.abs(heat).max()) or 1.0
    share = MOST_TINT * np.clip(np.abs(heat) / reach, 0, 1)[..., None]
    colour = np.where(heat[..., None] > 0, np.float32(FOR), np.float32(AGAINST))
    return np.rint(grey[..., None] * (1 - share) + colour * share).astype(np.uint8)


def _enlarged_into(image: np.ndarray, place: drawing.Box, picture: np.ndarray, square: bool) -> tuple[int, int]:
    """Draw it at the place's corner by whole factors, the same both ways where `square` -> width, height taken."""
    left, top, *room = place
    factors = [max(1, most // size) for most, size in zip(room, picture.shape[1::-1])]
    if square:
        factors = [min(factors)] * 2
    width, height = (size * factor for size, factor in zip(picture.shape[1::-1], factors))
    image[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST)
    return width, height


def _draw_legend(image: np.ndarray, saliency: Saliency, index: int, choices: Sequence[float]) -> None:
    action, target, blank = (values[index].item() for values in (saliency.action, saliency.target, saliency.blank))
    if choices:
        change = f"{choices[action]:+g} px/frame"
        decision = f"likeliest: speed change {change}, probability {target:.2f} (of a blank view {blank:.2f})"
    else:
        decision = f"mean speed change {target:+.2f} px/frame (of a blank view {blank:+.2f})"
    x, y = SHEET_PLACE[0], STRIP_HEIGHT - 9
    x += text(image, decision, (x, y), 16, INK) + 40
    for label, colour in (("spoke for it", FOR), ("against it", AGAINST)):
        filled(image, (x, y - 12, 20, 13), colour)
        x += 28 + text(image, label, (x + 28, y), 16, INK) + 30
