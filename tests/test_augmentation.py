"""Variants of pieces to learn from: sheet and positions stay together, the same seed gives the same."""
from __future__ import annotations

import numpy as np
import pytest

from score_following_game.config import GameConfig
from score_following_game.data_processing.augmentation import STRETCH, augmented
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.environment.score_bank import ScoreBank


@pytest.fixture(scope="module")
def bank(config: GameConfig) -> ScoreBank:
    return ScoreBank(load_data_set("test_sample", config), config)


def test_variants_keep_ink_and_positions_together(bank: ScoreBank):
    pieces = augmented(bank.pieces, 3, 1)
    assert pieces[:len(bank)] == bank.pieces
    assert len({piece.name for piece in pieces}) == 4 * len(bank)
    widths = set()
    for variant in pieces[len(bank):]:
        original = next(piece for piece in bank.pieces if piece.name == variant.name.partition("~")[0])
        widths.add(variant.sheet.shape[1] / original.sheet.shape[1])
        assert variant.sheet.dtype == np.uint8
        assert abs(variant.sheet.shape[1] / original.sheet.shape[1] - 1) <= STRETCH + 0.01
        assert np.array_equal(variant.onset_frames, original.onset_frames)
        # The columns where the notes stand are as dark, next to those of the sheet as a whole, as they were.
        assert np.corrcoef(_ink(original), _ink(variant))[0, 1] > 0.8
        assert not np.allclose(variant.spectrogram, original.spectrogram)
        assert variant.spectrogram.shape == original.spectrogram.shape
    assert len(widths) > len(bank)


def test_variants_depend_on_the_seed_alone(bank: ScoreBank):
    first, again, other = (augmented(bank.pieces, 1, seed)[-1] for seed in (1, 1, 2))
    assert np.array_equal(first.sheet, again.sheet)
    assert np.array_equal(first.spectrogram, again.spectrogram)
    assert first.sheet.shape != other.sheet.shape or not np.array_equal(first.sheet, other.sheet)


def _ink(piece) -> np.ndarray:
    """How much ink there is in the columns at and around every onset: a line of numbers that knows its place."""
    ink = 255.0 - piece.sheet.mean(axis=0)
    columns = np.clip(np.round(piece.onset_x).astype(int)[:, None] + np.arange(-2, 3), 0, len(ink) - 1)
    return ink[columns].ravel()
