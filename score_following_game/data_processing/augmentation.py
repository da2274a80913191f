"""Pieces as another engraver and another microphone might have given them: more of them to learn from."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from score_following_game.data_processing.piece import Piece

STRETCH = 0.08       # the sheet's width changes by up to this share,
SHIFT = 2            # its height on the page by so many pixels,
INK = (0.75, 1.15)   # its ink by a factor within these,
BLUR = 0.7           # its sharpness by a Gaussian of up to this deviation, pixels,
LEVEL = 0.3          # and the sound's level by up to this power of ten


def augmented(pieces: Sequence[Piece], variants: int, seed: int) -> list[Piece]:
    """The pieces, and so many variants of each, named NAME~1, NAME~2, ...; the same for the same seed and names."""
    return [*pieces, *(_variant(piece, number, np.random.default_rng([seed, number, *piece.name.encode()]))
                       for number in range(1, variants + 1) for piece in pieces)]


def _variant(piece: Piece, number: int, random: np.random.Generator) -> Piece:
    """Another width, height on the page, ink and sharpness of the sheet; another level of the sound."""
    height, width = piece.sheet.shape
    new_width = round(width * random.uniform(1 - STRETCH, 1 + STRETCH))
    ink = 255 - cv2.resize(piece.sheet, (new_width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    shift = np.float32([[1, 0, 0], [0, 1, random.integers(-SHIFT, SHIFT + 1)]])
    ink = cv2.warpAffine(ink, shift, (new_width, height), flags=cv2.INTER_NEAREST)
    ink = cv2.GaussianBlur(ink, (0, 0), max(1e-3, random.uniform(0, BLUR))) * random.uniform(*INK)
    level = 10 ** random.uniform(-LEVEL, LEVEL)
    # A pixel's centre lies half a pixel in: it is the centres that are stretched.
    onset_x = (piece.onset_x + 0.5) * np.float32(new_width / width) - np.float32(0.5)
    return replace(piece, name=f"{piece.name}~{number}", sheet=255 - ink.clip(0, 255).round().astype(np.uint8),
                   onset_x=onset_x.astype(np.float32), spectrogram=_at_level(piece.spectrogram, level))


def _at_level(spectrogram: np.ndarray, level: float) -> np.ndarray:
    """log10(1 + magnitude) as if the samples had been multiplied by `level`."""
    return np.log10(1 + np.float32(level) * (10 ** spectrogram - 1)).astype(np.float32)
