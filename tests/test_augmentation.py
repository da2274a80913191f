"""Variants of pieces to learn from: sheet and positions stay together, the same seed gives the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from score_following_game.config import GameConfig
from score_following_game.data_processing.augmentation import LEAD_IN, STRETCH, as_scanned, augmented
from score_following_game.data_processing.dataset import load_data_set
from score_following_game.data_processing.piece import Piece
from score_following_game.environment.score_bank import ScoreBank


@pytest.fixture(scope="module")
def bank(config: GameConfig) -> ScoreBank:
    return ScoreBank(load_data_set("test_sample", config), config)


def test_variants_keep_ink_and_positions_together(bank: ScoreBank):
    pieces = augmented(bank.pieces, 3, 1)
    assert pieces[: len(bank)] == bank.pieces
    assert len({piece.name for piece in pieces}) == 4 * len(bank)
    widths = set()
    for variant in pieces[len(bank) :]:
        original = next(piece for piece in bank.pieces if piece.name == variant.name.partition("~")[0])
        widths.add(variant.sheet.shape[1] / original.sheet.shape[1])
        assert variant.sheet.dtype == np.uint8
        assert abs(variant.sheet.shape[1] / original.sheet.shape[1] - 1) <= STRETCH + 0.01
        # The columns where the notes stand are as dark, next to those of the sheet as a whole, as they were.
        assert np.corrcoef(_ink(original), _ink(variant))[0, 1] > 0.7
    assert len(widths) > len(bank)


def test_a_scanned_sheet_shows_the_same_in_the_same_columns(bank: ScoreBank):
    """By the course of the ink over the columns: it fits best where it is, and its rows move slowly."""
    for seed, piece in enumerate(bank.pieces * 3):
        scan = as_scanned(piece, np.random.default_rng(seed))
        assert scan.sheet.shape == piece.sheet.shape and scan.sheet.dtype == np.uint8
        assert np.array_equal(scan.sheet, as_scanned(piece, np.random.default_rng(seed)).sheet)
        assert (scan.onset_x == piece.onset_x).all() and (scan.spectrogram == piece.spectrogram).all()
        before, after = ((255 - sheet.astype(float)).sum(axis=0) for sheet in (piece.sheet, scan.sheet))
        fits = [np.corrcoef(before[10:-10], np.roll(after, shift)[10:-10])[0, 1] for shift in range(-4, 5)]
        assert int(np.argmax(fits)) == 4 and fits[4] > 0.8
        assert (scan.sheet != piece.sheet).mean() > 0.05
        heights = [
            _shift(piece.sheet[:, x : x + 60], scan.sheet[:, x : x + 60]) for x in range(0, scan.sheet.shape[1] - 60, 60)
        ]
        assert max(map(abs, heights)) <= 5


def _shift(one: np.ndarray, other: np.ndarray) -> int:
    """Rows by which the other is lower."""
    profiles = [(255 - sheet.astype(float)).mean(axis=1) for sheet in (one, other)]
    return max(range(-6, 7), key=lambda rows: float(np.dot(np.roll(profiles[0], rows), profiles[1])))


def test_variants_keep_sound_and_onsets_together(bank: ScoreBank):
    silences = []
    for piece in augmented(bank.pieces, 12, 1)[len(bank) :]:
        original = next(other for other in bank.pieces if other.name == piece.name.partition("~")[0])
        heard, frames = piece.spectrogram, piece.onset_frames
        assert heard.dtype == np.float32
        assert frames.dtype == np.int64
        assert (np.diff(frames) > 0).all()
        assert len(frames) == len(piece.onset_x)
        assert frames[-1] < heard.shape[1]
        silences.append(int(frames[0] - original.onset_frames[0]))
        gaps, own = np.diff(frames), np.diff(original.onset_frames)
        assert len(gaps) == len(own)
        assert np.corrcoef(gaps, own)[0, 1] > 0.9  # the rhythm is the same,
        assert (gaps != own).any()  # its time is freer
        # Energy rises where the onsets say so, as much against other frames as it did.
        assert _rise(heard, frames) > 0.5 * _rise(original.spectrogram, original.onset_frames) > 0
    assert 0 in silences
    assert LEAD_IN / 2 < max(silences) <= LEAD_IN


def test_one_frame_has_one_onset():
    frames = np.arange(0, 200, 1)
    piece = Piece(
        "dense",
        np.full((40, 300), 255, np.uint8),
        frames,
        frames.astype(np.float32),
        np.zeros((78, 220), np.float32),
        Path("dense.mid"),
        Path("dense.mid"),
    )
    variant = augmented([piece], 1, 0)[1]
    assert len(variant.onset_frames) < 200
    assert (np.diff(variant.onset_frames) > 0).all()
    assert len(variant.onset_x) == len(variant.onset_frames)


def test_a_recording_that_ends_early_keeps_its_onsets():
    frames = np.array([0, 50, 100])
    piece = Piece(
        "early",
        np.full((40, 300), 255, np.uint8),
        frames,
        frames.astype(np.float32),
        np.ones((78, 50), np.float32),
        Path("early.mid"),
        Path("early.mid"),
    )
    variant = augmented([piece], 1, 3)[1]
    assert len(variant.onset_frames) == 3
    assert variant.onset_frames[2] - variant.onset_frames[0] > 75


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


def _rise(heard: np.ndarray, frames: np.ndarray) -> float:
    """By how many deviations the magnitude grows more from before an onset to after it than elsewhere."""
    magnitude = (10**heard - 1).sum(axis=0)
    grown = magnitude[2:] - magnitude[:-2]
    return float((grown[np.clip(frames - 1, 0, len(grown) - 1)].mean() - grown.mean()) / grown.std())
