"""Pieces as another engraver, another player and another microphone might have given them: more of them to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from score_following_game.data_processing.piece import Piece

STRETCH = 0.12  # the sheet's width changes by up to this share,
SHIFT = 2  # its height on the page by so many pixels,
INK = (0.75, 1.15)  # its ink by a factor within these,
BLUR = 0.7  # its sharpness by a Gaussian of up to this deviation, pixels;
LEAD_IN = 30  # up to so many frames of silence come first, in half of the variants,
RUBATO = 0.1  # the local speed's deviation, natural logarithm, drawn anew
PHRASE = 30  # every so many frames;
LEVEL = 0.3  # the sound's level changes by up to this power of ten,
COLOUR, KNOTS = 0.12, 6  # that of its low to high bands by this deviation in powers of ten, smoothly between so many knots,
NOISE = (-4.0, -1.7)  # and noise of a magnitude within these powers of ten is heard with it


def augmented(pieces: Sequence[Piece], variants: int, seed: int) -> list[Piece]:
    """The pieces, and so many variants of each, named NAME~1, NAME~2, ...; the same for the same seed and names."""
    return [
        *pieces,
        *(
            _variant(piece, number, np.random.default_rng([seed, number, *piece.name.encode()]))
            for number in range(1, variants + 1)
            for piece in pieces
        ),
    ]


def _variant(piece: Piece, number: int, random: np.random.Generator) -> Piece:
    return _engraved_anew(_played_anew(replace(piece, name=f"{piece.name}~{number}"), random), random)


def _engraved_anew(piece: Piece, random: np.random.Generator) -> Piece:
    """Another width, height on the page, ink and sharpness of the sheet."""
    height, width = piece.sheet.shape
    new_width = round(width * random.uniform(1 - STRETCH, 1 + STRETCH))
    ink = 255 - cv2.resize(piece.sheet, (new_width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    shift = np.float32([[1, 0, 0], [0, 1, random.integers(-SHIFT, SHIFT + 1)]])
    ink = cv2.warpAffine(ink, shift, (new_width, height), flags=cv2.INTER_NEAREST)
    ink = cv2.GaussianBlur(ink, (0, 0), max(1e-3, random.uniform(0, BLUR))) * random.uniform(*INK)
    # A pixel's centre lies half a pixel in: it is the centres that are stretched.
    onset_x = (piece.onset_x + 0.5) * np.float32(new_width / width) - np.float32(0.5)
    return replace(piece, sheet=255 - ink.clip(0, 255).round().astype(np.uint8), onset_x=onset_x.astype(np.float32))


def _played_anew(piece: Piece, random: np.random.Generator) -> Piece:
    """Silence first, freer time, another colour and level of the sound, and noise."""
    heard, frames = _with_rubato(piece.spectrogram, piece.onset_frames, random)
    silence = int(random.integers(1, LEAD_IN + 1) * (random.random() < 0.5))
    heard = np.pad(heard, ((0, 0), (silence, 0)))
    frames, first = np.unique(frames + silence, return_index=True)  # of onsets pushed into one frame the first counts
    return replace(piece, onset_frames=frames, onset_x=piece.onset_x[first], spectrogram=_recorded_anew(heard, random))


def _with_rubato(heard: np.ndarray, frames: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The spectrogram (78, n) read at a slowly changing speed, and the frames nearest to the onsets; (78, m), (K,)."""
    heard = np.pad(heard, ((0, 0), (0, max(0, int(frames[-1]) + 1 - heard.shape[1]))))  # a recording may end early
    n = heard.shape[1]
    knots = np.exp(random.normal(0, RUBATO, 2 * n // PHRASE + 2))
    speed = np.interp(np.arange(2 * n), np.arange(len(knots)) * PHRASE, knots)
    course = np.concatenate([[0], np.cumsum(speed)])  # the frame of the original that is heard at each new frame
    course = course[: np.searchsorted(course, n - 1, side="right")]
    before, share = course.astype(int), (course % 1).astype(np.float32)
    after = np.minimum(before + 1, n - 1)
    new_frames = np.searchsorted(course, frames - 0.5).clip(max=len(course) - 1)
    return heard[:, before] * (1 - share) + heard[:, after] * share, new_frames.astype(frames.dtype)


def _recorded_anew(heard: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """log10(1 + magnitude) as if bands had been multiplied and noise added before the logarithm; float32."""
    bands = len(heard)
    colour = np.interp(np.linspace(0, KNOTS - 1, bands), np.arange(KNOTS), random.normal(0, COLOUR, KNOTS))
    gain = (10 ** (random.uniform(-LEVEL, LEVEL) + colour)).astype(np.float32)[:, None]
    noise = np.float32(10 ** random.uniform(*NOISE)) * random.rayleigh(size=heard.shape).astype(np.float32)
    return np.log10(1 + gain * (10**heard - 1) + noise).astype(np.float32)
