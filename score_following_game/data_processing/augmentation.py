"""Data augmentation: variants of pieces as another engraver, player and microphone might have produced them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from score_following_game.data_processing.piece import Piece
from score_following_game.opencv import cv2

# Of the sheet:
STRETCH = 0.12  # largest relative change of the width
SHIFT = 2  # largest vertical shift, pixels
INK = (0.75, 1.15)  # range of the factor for the ink
BLUR = 0.7  # largest standard deviation of the Gaussian blur, pixels
# Of a scan of it:
WAVE, WAVELENGTH = 1.2, 300  # standard deviation of its vertical course, pixels; between two independent heights, pixels
HEIGHT = 0.03  # largest relative change of the height
FATTER = 0.7  # largest share of the ink that spreads to the next pixel, or is lost there
PAPER = 30.0  # darkest paper, grey levels; it changes slowly
GRAIN = 12.0  # largest standard deviation of the noise, grey levels
SPECKS = 3.0  # most specks per 100 columns
# Of the performance:
LEAD_IN = 30  # largest number of silent frames added at the beginning; half of the variants have none
RUBATO = 0.1  # standard deviation of the logarithm of the local tempo
PHRASE = 30  # frames between two independent local tempi
LEVEL = 0.3  # largest change of the level, in powers of ten
COLOUR, KNOTS = 0.12, 6  # frequency response: standard deviation in powers of ten, at so many bands; linear in between
NOISE = (-4.0, -1.7)  # range of the noise's magnitude, in powers of ten
_MOST_COLUMNS = 16_384  # that OpenCV maps at once


def augmented(pieces: Sequence[Piece], variants: int, seed: int) -> list[Piece]:
    """The pieces, then `variants` variants of each, named NAME~1, NAME~2, ...; determined by the seed and the names."""
    return [
        *pieces,
        *(
            _variant(piece, number, np.random.default_rng([seed, number, *piece.name.encode()]))
            for number in range(1, variants + 1)
            for piece in pieces
        ),
    ]


def _variant(piece: Piece, number: int, random: np.random.Generator) -> Piece:
    return with_varied_sheet(_with_varied_sound(replace(piece, name=f"{piece.name}~{number}"), random), random)


def with_varied_sheet(piece: Piece, random: np.random.Generator) -> Piece:
    """Change the sheet's width, vertical position, ink and sharpness."""
    height, width = piece.sheet.shape
    new_width = round(width * random.uniform(1 - STRETCH, 1 + STRETCH))
    ink: np.ndarray = 255 - cv2.resize(piece.sheet, (new_width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    shift = np.array([[1, 0, 0], [0, 1, random.integers(-SHIFT, SHIFT + 1)]], np.float32)
    ink = cv2.warpAffine(ink, shift, (new_width, height), flags=cv2.INTER_NEAREST)
    ink = cv2.GaussianBlur(ink, (0, 0), max(1e-3, random.uniform(0, BLUR))) * random.uniform(*INK)

    # Column x has its centre at x + 0.5, and stretching applies to centres.
    def stretched(x: np.ndarray) -> np.ndarray:
        return ((x + 0.5) * np.float32(new_width / width) - np.float32(0.5)).astype(np.float32)

    notes = piece.notes and replace(piece.notes, head_x=stretched(piece.notes.head_x))
    sheet = 255 - ink.clip(0, 255).round().astype(np.uint8)
    return replace(piece, sheet=sheet, onset_x=stretched(piece.onset_x), notes=notes)


def as_scanned(piece: Piece, random: np.random.Generator) -> Piece:
    """The piece with a sheet as from a scanner: not level, thicker or thinner, on grey paper, with grain and specks.

    Columns stay where they are.
    """
    height, width = piece.sheet.shape
    ink: np.ndarray = 255 - piece.sheet.astype(np.float32)
    share, spread = random.uniform(0, FATTER), cv2.dilate if random.random() < 0.5 else cv2.erode
    ink += share * (spread(ink, np.ones((2, 2), np.uint8)) - ink)

    rows = (np.arange(height) - height / 2) / random.uniform(1 - HEIGHT, 1 + HEIGHT) + height / 2
    y = rows[:, None] + WAVE * _course(width, random)
    moved = []
    for begin in range(0, width, _MOST_COLUMNS):
        part, course = (array[:, begin : begin + _MOST_COLUMNS] for array in (ink, y.astype(np.float32)))
        moved.append(
            cv2.remap(part, np.tile(np.arange(part.shape[1], dtype=np.float32), (height, 1)), course, cv2.INTER_LINEAR)
        )
    ink = np.concatenate(moved, axis=1)

    ink += random.uniform(0, PAPER) * np.abs(_course(width, random)).clip(max=1)
    ink += random.uniform(0, GRAIN) * random.standard_normal(ink.shape, dtype=np.float32)
    specks = int(random.uniform(0, SPECKS) * width / 100)
    ink[random.integers(0, height, specks), random.integers(0, width, specks)] += random.uniform(60, 255, specks).astype(
        np.float32
    )
    return replace(piece, sheet=255 - ink.clip(0, 255).round().astype(np.uint8))


def _course(width: int, random: np.random.Generator) -> np.ndarray:
    """A curve over the columns that changes slowly, (width,), with a standard deviation of 1 at its knots."""
    knots = np.arange(0, width + WAVELENGTH, WAVELENGTH)
    return np.interp(np.arange(width), knots, random.normal(0, 1, len(knots)))


def _with_varied_sound(piece: Piece, random: np.random.Generator) -> Piece:
    """Add silence at the beginning, vary the tempo, the frequency response and the level, and add noise."""
    heard, course = _with_rubato(piece.spectrogram, piece.onset_frames, random)
    silence = int(random.integers(1, LEAD_IN + 1) * (random.random() < 0.5))
    heard = np.pad(heard, ((0, 0), (silence, 0)))

    def moved(frames: np.ndarray) -> np.ndarray:
        return np.searchsorted(course, frames - 0.5).clip(max=len(course) - 1).astype(frames.dtype) + silence

    # Where several onsets fall into one frame, the first is kept.
    frames, first = np.unique(moved(piece.onset_frames), return_index=True)
    return replace(
        piece,
        onset_frames=frames,
        onset_x=piece.onset_x[first],
        spectrogram=_with_varied_recording(heard, random),
        notes=piece.notes and replace(piece.notes, frame=moved(piece.notes.frame)),
    )


def _with_rubato(heard: np.ndarray, frames: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Play a spectrogram (78, n) at a slowly changing tempo. Returns it, (78, m), and where its frames were, float (m,)."""
    heard = np.pad(
        heard, ((0, 0), (0, max(0, int(frames[-1]) + 1 - heard.shape[1])))
    )  # a recording may end before the last onset
    n = heard.shape[1]
    knots = np.exp(random.normal(0, RUBATO, 2 * n // PHRASE + 2))
    speed = np.interp(np.arange(2 * n), np.arange(len(knots)) * PHRASE, knots)
    course = np.concatenate([[0], np.cumsum(speed)])  # position in the original, frames, of each new frame
    course = course[: np.searchsorted(course, n - 1, side="right")]
    before, share = course.astype(int), (course % 1).astype(np.float32)
    after = np.minimum(before + 1, n - 1)
    return heard[:, before] * (1 - share) + heard[:, after] * share, course


def _with_varied_recording(heard: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Apply a gain for each band and add noise, both to the magnitudes before the logarithm. Returns float32 (78, n)."""
    bands = len(heard)
    colour = np.interp(np.linspace(0, KNOTS - 1, bands), np.arange(KNOTS), random.normal(0, COLOUR, KNOTS))
    gain = (10 ** (random.uniform(-LEVEL, LEVEL) + colour)).astype(np.float32)[:, None]
    noise = np.float32(10 ** random.uniform(*NOISE)) * random.rayleigh(size=heard.shape).astype(np.float32)
    return np.log10(1 + gain * (10**heard - 1) + noise).astype(np.float32)
